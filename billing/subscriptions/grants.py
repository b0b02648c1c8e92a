"""The bundles that a product includes: each period brings its own, from its first day to its last."""

import datetime
from typing import Protocol

import asyncpg

from billing.subscriptions.terms import Included


class Grants(Protocol):
    """Gives an account a bundle, in the caller's transaction. The same key gives it once."""

    async def __call__(
        self,
        db: asyncpg.Connection,
        *,
        account_id: int,
        included: Included,
        quantity: int,
        first: datetime.date,
        end: datetime.date,
        key: str,
    ) -> None: ...


async def grant_nothing(
    db: asyncpg.Connection,  # noqa: ARG001
    *,
    account_id: int,  # noqa: ARG001
    included: Included,  # noqa: ARG001
    quantity: int,  # noqa: ARG001
    first: datetime.date,  # noqa: ARG001
    end: datetime.date,  # noqa: ARG001
    key: str,  # noqa: ARG001
) -> None:
    """Where there are no bundles yet."""
