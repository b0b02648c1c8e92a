"""The simulated month, small: everything adds up, and a micro that is gone is found."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from bench import month
from tests.provisioning.conftest import dsn, postgres

__all__ = ["dsn", "postgres"]


def test_a_month_of_calls_adds_up_to_the_micro(dsn: str, tmp_path: Path) -> None:
    asyncio.run(month.simulate(dsn, tmp_path, accounts=12, calls=1200))


def test_a_micro_that_is_gone_is_found(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = month.check_engine

    async def lose_one(db: asyncpg.Pool, engine: month.Engine) -> None:
        await check(db, engine)
        await db.execute(
            "INSERT INTO ledger (account_id, kind, amount_micros, call_id, leg)"
            " SELECT min(account_id), 'usage', -1, 'nobody''s', 0 FROM account_balances"
        )

    monkeypatch.setattr(month, "check_engine", lose_one)
    with pytest.raises(month.Missing, match="nobody's"):
        asyncio.run(month.simulate(dsn, tmp_path, accounts=2, calls=100))
