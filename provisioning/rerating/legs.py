"""The charged legs of a period, one after another: read by a cursor in the database, so that a million fill no memory.

A leg belongs to the period in which its call was set up, and to the account that pays for it.
"""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from provisioning.problems import InvalidValue
from provisioning.utc import ms_from_time
from rating.rated_leg import ORIGIN, RatedLeg

PREFETCHED: Final = 1_000  # some 400 KB

_SAME: Final = (
    "call_id", "leg", "leg_reason", "duration_ms", "bundled_s", "bundles", "outcome", "is_recovered", "destination",
)  # fmt: skip
# What a re-rating replaces.
_IN_FORCE: Final = (
    "billed_s", "destination_name", "rate_prefix", "tariff", "tariff_version", "connect_fee_micros", "usage_micros",
    "access_charge_micros", "service_charge_micros",
)  # fmt: skip
_SCOPE: Final = (
    "c.setup_at >= $1 AND c.setup_at < $2 AND c.payer_account_id IS NOT NULL AND c.tariff <> ''"
    " AND ($3::integer IS NULL OR c.payer_account_id = $3)"
)
_COUNT: Final = f"SELECT count(*) FROM cdrs c WHERE {_SCOPE} AND ($4 = '' OR c.tariff = $4)"
# The second end of a call that was sent on is answered before its caller hears of it, and counts from then.
_LEGS: Final = f"""
    SELECT {", ".join(f"c.{name}" for name in _SAME)},
           {", ".join(f"coalesce(r.{name}, c.{name}) AS {name}" for name in _IN_FORCE)},
           coalesce(r.new_micros, c.cost_micros) AS cost_micros, coalesce(r.run_id, 0) AS run_id,
           c.payer_account_id, c.setup_at, c.ended_at, greatest(c.answered_at, k.answered_at) AS started_at,
           c.decisions
    FROM cdrs c
    LEFT JOIN cdrs k ON c.leg <> 0 AND k.call_id = c.call_id AND k.leg = 0
    LEFT JOIN LATERAL (
        SELECT * FROM rerated_calls r WHERE r.call_id = c.call_id AND r.leg = c.leg ORDER BY r.run_id DESC LIMIT 1
    ) r ON true
    WHERE {_SCOPE} AND ($4 = '' OR coalesce(r.tariff, c.tariff) = $4)
    ORDER BY c.setup_at, c.call_id, c.leg
"""


class Scope(msgspec.Struct, frozen=True):
    """Calls set up from `since` until before `until`; of one account or of all, by one tariff or by any ("")."""

    since: datetime
    until: datetime
    account_id: int | None = None
    tariff: str = ""

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.until.tzinfo is None:
            raise InvalidValue("period", f"{self.since} to {self.until}", "times with their offset from UTC")
        if self.until <= self.since:
            raise InvalidValue("period", f"{self.since} to {self.until}", "an end after its beginning")


async def count_legs(db: asyncpg.Connection, scope: Scope) -> int:
    found: int = await db.fetchval(_COUNT, *_arguments(scope))
    return found


async def charged_legs(db: asyncpg.Connection, scope: Scope) -> AsyncIterator[RatedLeg]:
    """In the order in which they were set up. `db` is in a transaction, and does nothing else meanwhile."""
    cursor = db.cursor(_LEGS, *_arguments(scope), prefetch=PREFETCHED)
    async for row in cursor:
        yield _leg(row)


def _arguments(scope: Scope) -> tuple[datetime, datetime, int | None, str]:
    return scope.since, scope.until, scope.account_id, scope.tariff


def _leg(row: asyncpg.Record) -> RatedLeg:
    return RatedLeg(
        **{name: row[name] for name in (*_SAME, *_IN_FORCE, "cost_micros", "run_id")},
        account_id=row["payer_account_id"],
        setup_at_ms=ms_from_time(row["setup_at"]),
        ended_at_ms=ms_from_time(row["ended_at"]),
        started_at_ms=None if row["started_at"] is None else ms_from_time(row["started_at"]),
        origin=_origin(row["decisions"]),
    )


def _origin(decisions: str) -> str:
    """Where a call that came in came from."""
    if ORIGIN not in decisions:
        return ""
    return next((words.removeprefix(ORIGIN) for words in decisions.split("; ") if words.startswith(ORIGIN)), "")
