"""A test that is a coroutine with a pool on a fresh database."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from provisioning import service
from provisioning.model import AccountKind
from provisioning.views import AccountView
from rating.money import VatMode

Body = Callable[[asyncpg.Pool], Awaitable[None]]


def in_database(body: Body) -> Callable[[str], None]:
    """Turns `async def test_x(db)` into the `def test_x(dsn)` that pytest runs."""

    def test(dsn: str) -> None:
        async def run() -> None:
            async with service.connect(dsn) as db:
                await body(db)

        asyncio.run(run())

    test.__name__ = body.__name__
    test.__doc__ = body.__doc__
    test.__module__ = body.__module__
    return test


async def add_prepaid(
    db: asyncpg.Pool, name: str = "Shop", *, credit_micros: int = 10_000_000
) -> AccountView:
    return await service.add_account(
        db,
        name,
        kind=AccountKind.PREPAID,
        vat=VatMode.INC_VAT,
        tariff="retail",
        opening_credit_micros=credit_micros,
    )
