"""Outages: put on record by a person, a credit proposed for each subscription, and each decided by a person.

An approved credit is one movement `compensation` of the ledger, once. Declining keeps the reason.
"""

import datetime
from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from billing.conf_subscriptions import Compensation, SubscriptionsConf
from billing.customers import CustomerKind
from billing.subscriptions import rows
from billing.subscriptions.automatic_compensation import is_working_day, repair_days, start_days
from billing.subscriptions.downtime import Interval, downtime_credit
from billing.subscriptions.months import words
from billing.subscriptions.products import find_product
from billing.subscriptions.subscription import State, Subscription
from provisioning.ledger import MovementKind, post
from provisioning.problems import InvalidValue, Refused, shown
from provisioning.utc import ms_from_time, time_from_ms
from rating.london_day import london_day
from rating.money import format_pounds

TEXT_CHARS_MAX: Final = 500
OUTAGE_MS_MAX: Final = 366 * 86_400_000  # a slip in the year


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """Down through our own fault. `products` and `accounts` by name; empty is all of them, and not both are empty
    unless `is_everybody`. `reported_ms` None: noticed at its start. `is_total`: nothing worked at all."""

    starts_ms: int
    ends_ms: int
    words: str
    made_by: str
    products: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    is_everybody: bool = False
    reported_ms: int | None = None
    is_total: bool = True


class OutageCredit(msgspec.Struct, frozen=True):
    """A proposal, or what became of it. `outage_id` None: an appointment or a start."""

    id: int
    outage_id: int | None
    subscription_id: int
    account: str
    kind: str
    about: str
    amount_micros: int
    computation: tuple[str, ...]
    state: str
    decided_by: str | None
    decided_on: datetime.date | None
    reason: str


async def propose(db: asyncpg.Connection, conf: SubscriptionsConf, outage: Outage) -> list[OutageCredit]:
    """Put an outage on record with what it would give back to each subscription that was down. Nothing is paid yet."""
    _check(outage)
    async with db.transaction():
        outage_id = await db.fetchval(
            "INSERT INTO outages (starts_at, ends_at, reported_at, words, is_total, made_by)"
            " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            time_from_ms(outage.starts_ms),
            time_from_ms(outage.ends_ms),
            None if outage.reported_ms is None else time_from_ms(outage.reported_ms),
            outage.words,
            outage.is_total,
            outage.made_by,
        )
        for subscription in await _affected(db, outage):
            await _propose_downtime(db, outage_id, outage, subscription)
            if is_in_scheme(conf, subscription) and outage.is_total:
                await _propose_repair(db, conf, outage_id, outage, subscription)
        return await list_credits(db, outage_id=outage_id)


async def propose_appointment(
    db: asyncpg.Connection, conf: SubscriptionsConf, subscription_id: int, day: datetime.date
) -> OutageCredit:
    """An engineer did not come, or cancelled with less than 24 hours' warning."""
    figures = await _figures(db, conf, subscription_id, day)
    said = f"Missed appointment on {words(day)}: {format_pounds(figures.missed_appointment)}"
    return await _insert_single(
        db, subscription_id, "missed_appointment", day, figures.missed_appointment, said
    )


async def propose_start(
    db: asyncpg.Connection,
    conf: SubscriptionsConf,
    subscription_id: int,
    *,
    promised_on: datetime.date,
    started_on: datetime.date,
) -> OutageCredit:
    """A service that began after the day that was promised."""
    figures = await _figures(db, conf, subscription_id, promised_on)
    days = start_days(promised_on, started_on)
    said = f"Start delayed from {words(promised_on)}: {days} x {format_pounds(figures.delayed_start)}"
    amount = days * figures.delayed_start
    return await _insert_single(db, subscription_id, "delayed_start", promised_on, amount, said)


async def approve(
    db: asyncpg.Connection, credit_id: int, *, decided_by: str, today: datetime.date
) -> OutageCredit:
    """The credit is given: once, however often it is approved. Raises Refused where it was declined."""
    _check_text("decided by", decided_by)
    async with db.transaction():
        credit = await _lock(db, credit_id)
        if credit.state == "declined":
            raise Refused(f"credit {credit_id} was declined by {shown(credit.decided_by or '')}")
        if credit.state == "approved":
            return credit
        subscription = await rows.find(db, credit.subscription_id)
        posted = await post(
            db,
            subscription.account_id,
            _movement_kind(credit),
            credit.amount_micros,
            memo=_memo(credit),
            key=f"outage-credit:{credit_id}",
        )
        await _decide(db, credit_id, "approved", decided_by, today, "", posted.ledger_id)
        return await _lock(db, credit_id)


async def decline(
    db: asyncpg.Connection, credit_id: int, *, decided_by: str, reason: str, today: datetime.date
) -> OutageCredit:
    """Raises Refused where it was given already."""
    _check_text("decided by", decided_by)
    _check_text("reason", reason)
    async with db.transaction():
        credit = await _lock(db, credit_id)
        if credit.state == "approved":
            raise Refused(f"credit {credit_id} was given already")
        if credit.state == "proposed":
            await _decide(db, credit_id, "declined", decided_by, today, reason, None)
        return await _lock(db, credit_id)


async def list_credits(
    db: asyncpg.Connection, *, outage_id: int | None = None, is_open_only: bool = False
) -> list[OutageCredit]:
    found = await db.fetch(
        f"{_SELECT} WHERE ($1::bigint IS NULL OR c.outage_id = $1) AND (NOT $2 OR c.state = 'proposed') ORDER BY c.id",
        outage_id,
        is_open_only,
    )
    return [_credit(row) for row in found]


def is_in_scheme(conf: SubscriptionsConf, subscription: Subscription) -> bool:
    """Residential, and a product that is in it."""
    is_residential = subscription.kind is CustomerKind.CONSUMER
    return conf.joins_compensation_scheme and is_residential and subscription.terms.is_compensated


_SELECT: Final = (
    "SELECT c.*, a.name AS account_name FROM outage_credits c JOIN subscriptions s ON s.id = c.subscription_id"
    " JOIN accounts a ON a.id = s.account_id"
)


async def _affected(db: asyncpg.Connection, outage: Outage) -> list[Subscription]:
    products = {(await find_product(db, name)).id for name in outage.products}
    names = {name.lower() for name in outage.accounts}
    known = (
        {row["name"] for row in await db.fetch("SELECT lower(name) AS name FROM accounts")}
        if names
        else set()
    )
    for name in names - known:
        raise Refused(f"there is no account {shown(name)}")
    first = datetime.date.fromordinal(london_day(outage.starts_ms))
    last = datetime.date.fromordinal(london_day(outage.ends_ms - 1))
    return [
        subscription
        for subscription in await rows.every(db)
        if subscription.state is not State.CANCELLED
        and subscription.starts_on <= last
        and (subscription.ending is None or subscription.ending.ceases_on > first)
        and (not names or subscription.account.lower() in names)
        and (
            not products
            or products & {subscription.step(first).product_id, subscription.step(last).product_id}
        )
    ]


async def _propose_downtime(
    db: asyncpg.Connection, outage_id: int, outage: Outage, subscription: Subscription
) -> None:
    given: list[Interval] = [
        (ms_from_time(row["starts_at"]), ms_from_time(row["ends_at"]))
        for row in await db.fetch(
            "SELECT starts_at, ends_at FROM outage_credits"
            " WHERE subscription_id = $1 AND kind = 'downtime' AND state <> 'declined'",
            subscription.id,
        )
    ]
    credit = downtime_credit(subscription, (outage.starts_ms, outage.ends_ms), given)
    if credit.amount_micros:
        await _insert(
            db,
            outage_id,
            subscription.id,
            "downtime",
            str(outage_id),
            credit.amount_micros,
            credit.computation,
            outage,
        )


async def _propose_repair(
    db: asyncpg.Connection,
    conf: SubscriptionsConf,
    outage_id: int,
    outage: Outage,
    subscription: Subscription,
) -> None:
    reported_ms = outage.starts_ms if outage.reported_ms is None else outage.reported_ms
    reported = datetime.date.fromordinal(london_day(reported_ms))
    repaired = datetime.date.fromordinal(london_day(outage.ends_ms))
    days = repair_days(reported, repaired, is_working_day)
    if not days:
        return
    each = conf.compensation.at(repaired).delayed_repair
    said = f"Reported on {words(reported)}, repaired on {words(repaired)}: {days} x {format_pounds(each)}"
    await _insert(
        db, outage_id, subscription.id, "delayed_repair", str(outage_id), days * each, (said,), outage
    )


async def _figures(
    db: asyncpg.Connection, conf: SubscriptionsConf, subscription_id: int, day: datetime.date
) -> Compensation:
    subscription = await rows.find(db, subscription_id)
    if not is_in_scheme(conf, subscription):
        raise Refused(
            "automatic compensation is for residential customers with a product in the scheme, where the provider has"
            " joined it (joins_compensation_scheme in billing.toml)"
        )
    return conf.compensation.at(day)


async def _insert_single(
    db: asyncpg.Connection, subscription_id: int, kind: str, day: datetime.date, amount: int, said: str
) -> OutageCredit:
    if not amount:
        raise Refused("nothing is due")
    await _insert(db, None, subscription_id, kind, day.isoformat(), amount, (said,), None)
    row = await db.fetchrow(
        f"{_SELECT} WHERE c.subscription_id = $1 AND c.kind = $2 AND c.about = $3",
        subscription_id,
        kind,
        day.isoformat(),
    )
    return _credit(row)


async def _insert(
    db: asyncpg.Connection,
    outage_id: int | None,
    subscription_id: int,
    kind: str,
    about: str,
    amount: int,
    computation: Sequence[str],
    outage: Outage | None,
) -> None:
    await db.execute(
        "INSERT INTO outage_credits"
        " (outage_id, subscription_id, kind, about, starts_at, ends_at, amount_micros, computation)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        outage_id,
        subscription_id,
        kind,
        about,
        None if outage is None else time_from_ms(outage.starts_ms),
        None if outage is None else time_from_ms(outage.ends_ms),
        amount,
        list(computation),
    )


async def _lock(db: asyncpg.Connection, credit_id: int) -> OutageCredit:
    row = await db.fetchrow(f"{_SELECT} WHERE c.id = $1 FOR UPDATE OF c", credit_id)
    if row is None:
        raise Refused(f"there is no outage credit {credit_id}")
    return _credit(row)


async def _decide(
    db: asyncpg.Connection,
    credit_id: int,
    state: str,
    decided_by: str,
    today: datetime.date,
    reason: str,
    ledger_id: int | None,
) -> None:
    await db.execute(
        "UPDATE outage_credits SET state = $2, decided_by = $3, decided_on = $4, reason = $5, ledger_id = $6"
        " WHERE id = $1",
        credit_id,
        state,
        decided_by,
        today,
        reason,
        ledger_id,
    )


def _credit(row: asyncpg.Record) -> OutageCredit:
    return OutageCredit(
        id=row["id"],
        outage_id=row["outage_id"],
        subscription_id=row["subscription_id"],
        account=row["account_name"],
        kind=row["kind"],
        about=row["about"],
        amount_micros=row["amount_micros"],
        computation=tuple(row["computation"]),
        state=row["state"],
        decided_by=row["decided_by"],
        decided_on=row["decided_on"],
        reason=row["reason"],
    )


def _movement_kind(credit: OutageCredit) -> MovementKind:
    """For downtime a part of the fee goes back, and its VAT with it; the scheme's sums are no price of anything."""
    return MovementKind.SUBSCRIPTION if credit.kind == "downtime" else MovementKind.COMPENSATION


def _memo(credit: OutageCredit) -> str:
    said = "Credit" if credit.kind == "downtime" else "Compensation"
    return f"{said}, {credit.kind.replace('_', ' ')}: {'; '.join(credit.computation)}"[:TEXT_CHARS_MAX]


def _check(outage: Outage) -> None:
    _check_text("outage", outage.words)
    _check_text("made by", outage.made_by)
    if not 0 < outage.ends_ms - outage.starts_ms <= OUTAGE_MS_MAX:
        raise InvalidValue("outage", "its end", "after its start, and within a year of it")
    if not (outage.products or outage.accounts or outage.is_everybody):
        raise InvalidValue("outage", "nobody", "the products or accounts that were down, or everybody")


def _check_text(what: str, text: str) -> None:
    if not text.strip() or len(text) > TEXT_CHARS_MAX or not text.isprintable():
        raise InvalidValue(what, text, f"a line of 1 to {TEXT_CHARS_MAX} characters")
