"""What changed in the books since the switch last heard: read by sequence, entity by entity, in one moment.

The change table says which account, line, number or account's credit changed; what it is now is read in the
same REPEATABLE READ transaction. So ten changes of one line arrive as one, and a change may already show what
a later one did: it is the state that is sent, never a difference. Only credits are sent one by one, by their
credit_seq.
"""

from typing import Final

import asyncpg

from provisioning import store
from provisioning.books.messages import Changes
from provisioning.bundle_rows import load_bundles
from provisioning.model import (
    AccountChanged,
    BundleChanged,
    Change,
    Credited,
    LineChanged,
    LineRemoved,
    NumberChanged,
    NumberRemoved,
    PlanChanged,
    PlanRemoved,
    Snapshot,
)
from provisioning.plans.plan_rows import load_plans

# Some milliseconds of the switch's loop and an eighth of a megabyte; the rest follows at once. A line with all its
# lists full has 32 KiB of settings and 16 of diverts at most, and so many of them still fit into one frame (16 MiB).
CHANGES_MAX: Final = 250
CHANNEL: Final = "offhook_changes"


class BooksWentBackError(Exception):
    """The database knows less than the switch has been told: it was restored from a backup."""


class Position:
    """How far the switch has been told: the last change, and per account the last credit."""

    __slots__ = ("change_seq", "credit_seqs")

    def __init__(self, change_seq: int, credit_seqs: dict[int, int]) -> None:
        self.change_seq = change_seq
        self.credit_seqs = credit_seqs

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot) -> "Position":
        credit_seqs = {balance.account_id: balance.credit_seq for balance in snapshot.balances}
        return cls(snapshot.change_seq, credit_seqs)

    def advance(self, told: Changes) -> None:
        self.change_seq = told.seq
        for change in told.changes:
            if isinstance(change, Credited):
                self.credit_seqs[change.credit.account_id] = change.credit.credit_seq


async def refuse_older_books(db: asyncpg.Connection, position: Position) -> None:
    """Raises BooksWentBackError. Without this, changes would go unheard until the sequence has caught up."""
    latest = await db.fetchval("SELECT coalesce(max(seq), 0) FROM changes")
    if latest < position.change_seq:
        raise BooksWentBackError(
            f"the database's last change is {latest}, but the exchange has seen {position.change_seq}:"
            " was it restored from a backup? Restart the exchange to start from it"
        )


async def read_changes(db: asyncpg.Connection, position: Position) -> Changes | None:
    """The next changes above the position, or None. The caller advances the position once they are sent."""
    if not await db.fetchval("SELECT EXISTS (SELECT FROM changes WHERE seq > $1)", position.change_seq):
        return None
    async with db.transaction(isolation="repeatable_read", readonly=True):
        rows = await db.fetch(
            "SELECT entity, key, seq FROM changes WHERE seq > $1 ORDER BY seq LIMIT $2",
            position.change_seq,
            CHANGES_MAX,
        )
        keys: dict[str, list[str]] = {
            "account": [], "line": [], "plan": [], "number": [], "bundle": [], "credit": [],
        }  # fmt: skip
        for row in rows:
            keys[row["entity"]].append(row["key"])
        changes: list[Change] = []
        # Accounts before the lines that belong to them, lines and plans before the numbers that lead to them.
        changes += await _accounts(db, keys["account"])
        changes += await _lines(db, keys["line"])
        changes += await _plans(db, keys["plan"])
        changes += await _numbers(db, keys["number"])
        changes += await _bundles(db, keys["bundle"])
        changes += await _credits(db, keys["credit"], position)
        return Changes(rows[-1]["seq"], changes)


async def _accounts(db: asyncpg.Connection, keys: list[str]) -> list[Change]:
    accounts = await store.load_accounts(db, [int(key) for key in keys]) if keys else []
    return [AccountChanged(account) for account in accounts]


async def _lines(db: asyncpg.Connection, keys: list[str]) -> list[Change]:
    lines = await store.load_lines(db, keys) if keys else []
    gone = set(keys).difference(line.user for line in lines)
    return [*map(LineRemoved, sorted(gone)), *map(LineChanged, lines)]


async def _plans(db: asyncpg.Connection, keys: list[str]) -> list[Change]:
    plans = await load_plans(db, keys) if keys else []
    gone = set(keys).difference(f"{plan.account_id}/{plan.name}" for plan in plans)
    return [*map(_plan_removed, sorted(gone)), *map(PlanChanged, plans)]


def _plan_removed(key: str) -> PlanRemoved:
    account_id, _, name = key.partition("/")
    return PlanRemoved(int(account_id), name)


async def _numbers(db: asyncpg.Connection, keys: list[str]) -> list[Change]:
    numbers = await store.load_numbers(db, keys) if keys else []
    gone = set(keys).difference(number.e164 for number in numbers)
    return [*map(NumberRemoved, sorted(gone)), *map(NumberChanged, numbers)]


async def _bundles(db: asyncpg.Connection, keys: list[str]) -> list[Change]:
    bundles = await load_bundles(db, [int(key) for key in keys]) if keys else []
    return [BundleChanged(bundle.terms) for bundle in bundles]


async def _credits(db: asyncpg.Connection, keys: list[str], position: Position) -> list[Change]:
    if not keys:
        return []
    account_ids = [int(key) for key in keys]
    known = [position.credit_seqs.get(account_id, 0) for account_id in account_ids]
    return [Credited(credit) for credit in await store.load_credits(db, account_ids, known)]
