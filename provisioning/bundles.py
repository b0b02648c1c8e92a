"""Bundles of accounts: granted, ended, listed. Whoever sells them calls `grant` in his own transaction, with a key.

A grant holds from the first instant of its first day in London to the first instant of its end day. A monthly bundle is
one grant a month: the billing side makes the next one ahead of time (it may begin in the future), so that a call that
spans the renewal goes on with it to the second. What a period leaves over is carried by its own grant, not by the next
one, so nothing has to be known at midnight of what calls are still using. PostgreSQL owns grants; what they have been
used for comes from the journal.
"""

import datetime
import re
from collections.abc import Iterable
from typing import Final

import asyncpg
import msgspec

from provisioning.account_names import account_named
from provisioning.bundle_rows import BundleUseView, BundleView, bundle_views, uses_of
from provisioning.ledger import MovementKind, lock_account, post
from provisioning.problems import InvalidValue, Refused, shown
from provisioning.rules import IDEMPOTENCY_KEY_CHARS_MAX, TEXT_CHARS_MAX
from provisioning.utc import time_from_ms
from rating.london_day import day_start_ms
from rating.money import format_pounds
from rating.rate import DESTINATION_CHARS_MAX, ON_NET

# Each is looked at when a call begins. A package has a handful a month, and last month's may still be carried over.
BUNDLES_PER_ACCOUNT_MAX: Final = 50
NAME_CHARS_MAX: Final = 64
# "Unlimited" is sold as a limit; a year of seconds a line, and a hundred lines, is more than that.
SECONDS_MAX: Final = 100 * 366 * 86_400
INCREMENT_S_MAX: Final = 3_600
PRIORITY_MAX: Final = 1_000
CONNECT_FEE_MICROS_MAX: Final = 10_000_000  # ten pounds: a slip of the decimal point
DESTINATIONS_MAX_MAX: Final = 10_000
GROUPS_MAX: Final = 100
PREFIXES_MAX: Final = 500
LIMIT_MAX: Final = 10_000
USES_SHOWN: Final = 20  # one screen of `bundle show`

_PREFIX: Final = re.compile(rf"\+[0-9]{{1,15}}|1[0-9]{{2,5}}|{re.escape(ON_NET)}")
_PREFIX_EXPECTED: Final = f"+ and 1 to 15 digits, a short code, or {ON_NET}"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What is granted: `seconds`, or a discount of `percent`, from the day `first` up to but without the day `end`.

    The rest is as BundleTerms says it. `carry_until`, likewise a day that is not in it any more, is when carried-over
    seconds are gone.
    """

    name: str
    first: datetime.date
    end: datetime.date | None = None
    seconds: int = 0
    percent: int = 0
    groups: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    except_prefixes: tuple[str, ...] = ()
    carry_until: datetime.date | None = None
    carry_max_s: int = 0
    increment_s: int = 1
    connect_fee_micros: int = 0
    priority: int = 0
    is_fair_use: bool = False
    destinations_max: int = 0
    memo: str = ""


class Granted(msgspec.Struct, frozen=True):
    """A bundle that is in the books. `is_repeat`: it was there already, under the same key."""

    bundle_id: int
    is_repeat: bool


async def grant(
    connection: asyncpg.Connection, account_id: int, wanted: Grant, *, key: str | None = None
) -> Granted:
    """Give an account a bundle, in the caller's transaction. The same key gives it once, however often it is asked for.

    Raises InvalidValue; Refused for an account that there is not, a key that was used for something else, and one
    bundle too many.
    """
    check_grant(wanted)
    _check_key(key)
    await lock_account(connection, account_id)
    if key is not None and (earlier := await _earlier(connection, account_id, wanted, key)) is not None:
        return earlier
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM accounts WHERE id = $1)", account_id):
        raise Refused(f"there is no account {account_id}")
    have = await connection.fetchval(
        "SELECT count(*) FROM bundles WHERE account_id = $1"
        " AND coalesce(ended_at, carry_until, expires_at, 'infinity') > now()",
        account_id,
    )
    if have >= BUNDLES_PER_ACCOUNT_MAX:
        raise Refused(
            f"the account has {have} bundles that are not over; there can be {BUNDLES_PER_ACCOUNT_MAX}"
        )
    return Granted(await _insert(connection, account_id, wanted, key), is_repeat=False)


async def end_bundle(connection: asyncpg.Connection, bundle_id: int) -> bool:
    """Nothing more is drawn from it from now on; calls keep what they have set aside. False: it had ended before."""
    found = await connection.fetchval(
        "UPDATE bundles SET ended_at = now() WHERE id = $1 AND ended_at IS NULL RETURNING id", bundle_id
    )
    if found is None and not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM bundles WHERE id = $1)", bundle_id
    ):
        raise Refused(f"there is no bundle {bundle_id}")
    return found is not None


async def grant_bundle(
    db: asyncpg.Pool, account: str, wanted: Grant, *, key: str | None = None, price_micros: int = 0
) -> BundleView:
    """The operator's grant: to an account by its name, sold for `price_micros` if that is not 0."""
    if not 0 <= price_micros <= CONNECT_FEE_MICROS_MAX * 1000:
        raise InvalidValue("price", format_pounds(price_micros), "0 or more, and at most 10,000 pounds")
    async with db.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "SELECT id, name FROM accounts WHERE lower(name) = lower($1)", account
        )
        if row is None:
            raise Refused(f"there is no account {shown(account)}")
        granted = await grant(connection, row["id"], wanted, key=key)
        if price_micros and not granted.is_repeat:
            await _charge(connection, row["id"], wanted, price_micros, granted.bundle_id)
        return (await bundle_views(connection, bundle_id=granted.bundle_id, limit=1, with_old=True))[0]


async def end_named_bundle(db: asyncpg.Pool, bundle_id: int) -> BundleView:
    """The operator takes a bundle back. Refused where it had ended before."""
    async with db.acquire() as connection, connection.transaction():
        if not await end_bundle(connection, bundle_id):
            raise Refused(f"bundle {bundle_id} was ended before")
        return (await bundle_views(connection, bundle_id=bundle_id, limit=1, with_old=True))[0]


async def list_bundles(
    db: asyncpg.Pool, account: str = "", *, limit: int = LIMIT_MAX, with_old: bool = False
) -> list[BundleView]:
    """The latest grants first; those that are over too `with_old`. Raises Refused for an account that is not there."""
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidValue("limit", str(limit), f"1 to {LIMIT_MAX}")
    if account:
        await account_named(db, account)
    async with db.acquire() as connection:
        return await bundle_views(connection, account=account, limit=limit, with_old=with_old)


async def show_bundle(db: asyncpg.Pool, bundle_id: int) -> tuple[BundleView, list[BundleUseView]]:
    """One, and the latest calls that drew on it."""
    async with db.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        views = await bundle_views(connection, bundle_id=bundle_id, limit=1, with_old=True)
        if not views:
            raise Refused(f"there is no bundle {bundle_id}")
        return views[0], await uses_of(connection, bundle_id, USES_SHOWN)


def check_grant(wanted: Grant) -> None:
    """Raises InvalidValue for the first rule that is broken."""
    if not (
        1 <= len(wanted.name) <= NAME_CHARS_MAX
        and wanted.name.isprintable()
        and wanted.name == wanted.name.strip()
    ):
        raise InvalidValue("bundle name", wanted.name, f"1 to {NAME_CHARS_MAX} printable characters")
    if bool(wanted.seconds) == bool(wanted.percent):
        raise InvalidValue(
            "bundle", f"{wanted.seconds} s, {wanted.percent} %", "seconds or a discount, not both"
        )
    _in_range("seconds", wanted.seconds, 0, SECONDS_MAX)
    _in_range("discount", wanted.percent, 0, 100)
    _in_range("increment", wanted.increment_s, 1, INCREMENT_S_MAX)
    _in_range("priority", wanted.priority, 0, PRIORITY_MAX)
    _in_range("destinations", wanted.destinations_max, 0, DESTINATIONS_MAX_MAX)
    _in_range("carried-over seconds", wanted.carry_max_s, 0, SECONDS_MAX)
    if not 0 <= wanted.connect_fee_micros <= CONNECT_FEE_MICROS_MAX:
        found = format_pounds(wanted.connect_fee_micros)
        raise InvalidValue("connect fee", found, f"0 to {format_pounds(CONNECT_FEE_MICROS_MAX)}")
    if len(wanted.memo) > TEXT_CHARS_MAX or (wanted.memo and not wanted.memo.isprintable()):
        raise InvalidValue("memo", wanted.memo, f"at most {TEXT_CHARS_MAX} printable characters")
    _check_destinations(wanted)
    _check_days(wanted)


def bundle_month(renewal_day: int, today: datetime.date) -> tuple[datetime.date, datetime.date]:
    """The month of a bundle that is renewed on this day of the month, as `first` and `end` of a Grant; months that have
    no such day renew on their last."""
    _in_range("renewal day", renewal_day, 1, 31)
    this = _renewal_in(today.year, today.month, renewal_day)
    if today >= this:
        return this, _renewal_in(*_next_month(today.year, today.month), renewal_day)
    return _renewal_in(*_month_before(today.year, today.month), renewal_day), this


def _renewal_in(year: int, month: int, renewal_day: int) -> datetime.date:
    last = datetime.date(*_next_month(year, month), 1) - datetime.timedelta(days=1)
    return datetime.date(year, month, min(renewal_day, last.day))


def _next_month(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == 12 else (year, month + 1)


def _month_before(year: int, month: int) -> tuple[int, int]:
    return (year - 1, 12) if month == 1 else (year, month - 1)


def _check_destinations(wanted: Grant) -> None:
    if not (wanted.groups or wanted.prefixes):
        raise InvalidValue(
            "destinations", "none", "at least one group of destinations, or the beginning of numbers"
        )
    _in_range("groups", len(wanted.groups), 0, GROUPS_MAX)
    _in_range("prefixes", len(wanted.prefixes) + len(wanted.except_prefixes), 0, PREFIXES_MAX)
    for group in wanted.groups:
        if not (1 <= len(group) <= DESTINATION_CHARS_MAX and group.isprintable()):
            raise InvalidValue("group", group, f"1 to {DESTINATION_CHARS_MAX} printable characters")
    for prefix in (*wanted.prefixes, *wanted.except_prefixes):
        if _PREFIX.fullmatch(prefix) is None:
            raise InvalidValue("prefix", prefix, _PREFIX_EXPECTED)


def _check_days(wanted: Grant) -> None:
    if wanted.end is not None and wanted.end <= wanted.first:
        raise InvalidValue("end", wanted.end.isoformat(), f"a day after {wanted.first.isoformat()}")
    if bool(wanted.carry_max_s) != (wanted.carry_until is not None):
        raise InvalidValue(
            "carry-over", str(wanted.carry_max_s), "seconds and the day when they are gone, or neither"
        )
    if wanted.carry_until is not None:
        if wanted.end is None or wanted.carry_until <= wanted.end:
            raise InvalidValue("carry-over", wanted.carry_until.isoformat(), "a day after the bundle's end")
        if wanted.percent:
            raise InvalidValue("carry-over", "of a discount", "none: there is nothing left over of it")


def _in_range(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidValue(what, str(value), f"{least} to {most}")


def _check_key(key: str | None) -> None:
    if key is not None and not (1 <= len(key) <= IDEMPOTENCY_KEY_CHARS_MAX and key.isprintable()):
        raise InvalidValue("key", key, f"1 to {IDEMPOTENCY_KEY_CHARS_MAX} printable characters")


def _instant(day: datetime.date | None) -> datetime.datetime | None:
    return None if day is None else time_from_ms(day_start_ms(day.toordinal()))


def _values(account_id: int, wanted: Grant) -> dict[str, object]:
    """By column."""
    return {
        "account_id": account_id,
        "name": wanted.name,
        "granted_s": wanted.seconds,
        "percent": wanted.percent,
        "groups": _texts(wanted.groups),
        "prefixes": _texts(wanted.prefixes),
        "except_prefixes": _texts(wanted.except_prefixes),
        "valid_from": _instant(wanted.first),
        "expires_at": _instant(wanted.end),
        "carry_until": _instant(wanted.carry_until),
        "carry_max_s": wanted.carry_max_s,
        "increment_s": wanted.increment_s,
        "connect_fee_micros": wanted.connect_fee_micros,
        "priority": wanted.priority,
        "is_fair_use": wanted.is_fair_use,
        "destinations_max": wanted.destinations_max,
    }


def _texts(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


async def _insert(connection: asyncpg.Connection, account_id: int, wanted: Grant, key: str | None) -> int:
    values = _values(account_id, wanted) | {"memo": wanted.memo, "idempotency_key": key}
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    bundle_id: int = await connection.fetchval(
        f"INSERT INTO bundles ({', '.join(values)}) VALUES ({places}) RETURNING id",  # noqa: S608 - constants
        *values.values(),
    )
    return bundle_id


async def _earlier(
    connection: asyncpg.Connection, account_id: int, wanted: Grant, key: str
) -> Granted | None:
    values = _values(account_id, wanted)
    row = await connection.fetchrow(
        f"SELECT id, {', '.join(values)} FROM bundles WHERE idempotency_key = $1",  # noqa: S608 - constants
        key,
    )
    if row is None:
        return None
    if any(row[column] != value for column, value in values.items()):
        raise Refused(
            f"key {shown(key)} was used for another bundle ({shown(row['name'])}, number {row['id']})"
        )
    return Granted(row["id"], is_repeat=True)


async def _charge(
    connection: asyncpg.Connection, account_id: int, wanted: Grant, price_micros: int, bundle_id: int
) -> None:
    """Refused where prepaid credit does not pay for it, as far as the books know."""
    row = await connection.fetchrow(
        "SELECT b.balance_micros + a.credit_limit_micros AS left_micros"
        " FROM accounts a JOIN account_balances b ON b.account_id = a.id WHERE a.id = $1",
        account_id,
    )
    if row["left_micros"] < price_micros:
        left = format_pounds(row["left_micros"])
        raise Refused(f"the account has {left} left, and the bundle costs {format_pounds(price_micros)}")
    await post(
        connection,
        account_id,
        MovementKind.BUNDLE,
        -price_micros,
        memo=wanted.name,
        key=f"bundle/{bundle_id}",
    )


__all__ = [
    "BUNDLES_PER_ACCOUNT_MAX",
    "BundleUseView",
    "BundleView",
    "Grant",
    "Granted",
    "bundle_month",
    "check_grant",
    "end_bundle",
    "end_named_bundle",
    "grant",
    "grant_bundle",
    "list_bundles",
    "show_bundle",
]
