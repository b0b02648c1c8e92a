"""Rows of `bundles` to values: what the exchange keeps in memory, and what people are shown."""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from provisioning.model import BundleBalance
from provisioning.utc import ms_from_time
from rating.bundle_terms import BundleTerms

_COLUMNS: Final = (
    "b.id, b.account_id, b.revision, b.name, b.granted_s, b.percent, b.groups, b.prefixes, b.except_prefixes,"
    " b.valid_from, b.expires_at, b.carry_until, b.carry_max_s, b.increment_s, b.connect_fee_micros, b.priority,"
    " b.is_fair_use, b.destinations_max, b.ended_at"
)
_USED: Final = (
    "u.used_s, u.carried_s,"
    " ARRAY(SELECT d.number FROM bundle_destinations d WHERE d.bundle_id = b.id) AS destinations"
)
# A bundle that is over is of no use to calls; two days because clocks differ, and calls last through the night.
_NOT_OVER: Final = "coalesce(b.ended_at, b.carry_until, b.expires_at, 'infinity') > now() - interval '2 days'"


class BundleView(msgspec.Struct, frozen=True):
    """A grant as people are shown it. `used_s` is what the books know: the running exchange may know of more.

    `left_s` is granted less used, whether it still holds or not: `state` says that.
    """

    account: str
    terms: BundleTerms
    used_s: int
    carried_s: int
    left_s: int
    destinations: int
    state: str
    granted_at_ms: int
    ended_at_ms: int | None
    memo: str


class BundleUseView(msgspec.Struct, frozen=True):
    """What one leg of a call drew."""

    call_id: str
    leg: int
    seconds: int
    carried_s: int
    at_ms: int


def terms_from_row(row: asyncpg.Record) -> BundleTerms:
    expires_at_ms = _ms(row["expires_at"])
    ended_at_ms = _ms(row["ended_at"])
    is_carrying = row["carry_max_s"] > 0
    carry_until_ms = _ms(row["carry_until"])
    if ended_at_ms is not None:  # nothing lives on after that, whichever time it fell into
        if expires_at_ms is None or ended_at_ms <= expires_at_ms:
            expires_at_ms, carry_until_ms, is_carrying = ended_at_ms, None, False
        elif carry_until_ms is not None:
            carry_until_ms = min(carry_until_ms, ended_at_ms)
    return BundleTerms(
        id=row["id"],
        account_id=row["account_id"],
        revision=row["revision"],
        name=row["name"],
        valid_from_ms=ms_from_time(row["valid_from"]),
        expires_at_ms=expires_at_ms,
        granted_s=row["granted_s"],
        groups=tuple(row["groups"]),
        prefixes=tuple(row["prefixes"]),
        except_prefixes=tuple(row["except_prefixes"]),
        carry_until_ms=carry_until_ms if is_carrying else None,
        carry_max_s=row["carry_max_s"] if is_carrying else 0,
        increment_s=row["increment_s"],
        connect_fee_micros=row["connect_fee_micros"],
        priority=row["priority"],
        is_fair_use=row["is_fair_use"],
        destinations_max=row["destinations_max"],
        percent=row["percent"],
    )


async def load_bundles(db: asyncpg.Connection, ids: Sequence[int] | None = None) -> list[BundleBalance]:
    """Those that are not over, or those of these ids whatever they are."""
    some = _NOT_OVER if ids is None else "b.id = ANY ($1::bigint[])"
    rows = await db.fetch(
        f"SELECT {_COLUMNS}, {_USED} FROM bundles b JOIN bundle_balances u ON u.bundle_id = b.id"
        f" WHERE {some} ORDER BY b.id",
        *([] if ids is None else [ids]),
    )
    return [
        BundleBalance(
            terms=terms_from_row(row),
            used_s=row["used_s"],
            carried_s=row["carried_s"],
            destinations=tuple(row["destinations"]),
        )
        for row in rows
    ]


async def bundle_views(
    db: asyncpg.Connection, *, account: str = "", bundle_id: int | None = None, limit: int, with_old: bool
) -> list[BundleView]:
    """The latest grants first; of one account or of all."""
    state = (
        "CASE WHEN b.ended_at <= now() THEN 'ended' WHEN b.valid_from > now() THEN 'to come'"
        " WHEN coalesce(b.expires_at, 'infinity') > now() THEN 'holds'"
        " WHEN coalesce(b.carry_until, '-infinity') > now() THEN 'carried over' ELSE 'expired' END"
    )
    rows = await db.fetch(
        f"SELECT {_COLUMNS}, {_USED}, a.name AS account, b.granted_at, b.memo, {state} AS state"
        " FROM bundles b JOIN bundle_balances u ON u.bundle_id = b.id JOIN accounts a ON a.id = b.account_id"
        " WHERE ($1 = '' OR lower(a.name) = lower($1)) AND ($2::bigint IS NULL OR b.id = $2)"
        f" AND ($4 OR coalesce(b.ended_at, b.carry_until, b.expires_at, 'infinity') > now())"
        " ORDER BY b.id DESC LIMIT $3",
        account,
        bundle_id,
        limit,
        with_old,
    )
    return [_view(row) for row in rows]


async def uses_of(db: asyncpg.Connection, bundle_id: int, limit: int) -> list[BundleUseView]:
    """The latest first."""
    rows = await db.fetch(
        "SELECT call_id, leg, seconds, carried_s, at FROM bundle_uses WHERE bundle_id = $1"
        " ORDER BY at DESC, call_id, leg LIMIT $2",
        bundle_id,
        limit,
    )
    return [
        BundleUseView(row["call_id"], row["leg"], row["seconds"], row["carried_s"], ms_from_time(row["at"]))
        for row in rows
    ]


def _view(row: asyncpg.Record) -> BundleView:
    return BundleView(
        account=row["account"],
        terms=terms_from_row(row),
        used_s=row["used_s"],
        carried_s=row["carried_s"],
        left_s=row["granted_s"] - row["used_s"],
        destinations=len(row["destinations"]),
        state=row["state"],
        granted_at_ms=ms_from_time(row["granted_at"]),
        ended_at_ms=_ms(row["ended_at"]),
        memo=row["memo"],
    )


def _ms(at: datetime | None) -> int | None:
    return None if at is None else ms_from_time(at)
