"""Ends: asked for, put in writing, effective, done; and the right to cancel, which undoes the sale.

A customer may ask by telephone, but nothing ends before the written evidence is stored (121 Communications' code, C3):
until then there is no day on which the service ceases, and the periods are charged.
"""

import datetime
from typing import Final

import asyncpg
import msgspec

from billing.conf import Seller
from billing.conf_subscriptions import SubscriptionsConf
from billing.subscriptions import cooling_off, rows
from billing.subscriptions.charging import charge, charge_once, correct
from billing.subscriptions.ending import Quote, cease_day, early_termination, quote
from billing.subscriptions.grants import ACCOUNT_BUNDLES, Bundles, end_all_included
from billing.subscriptions.months import words
from billing.subscriptions.notices import NoticeKind, send_notice
from billing.subscriptions.price_words import in_pence
from billing.subscriptions.steps import cost_between
from billing.subscriptions.subscription import Ending, EndReason, State, Subscription
from provisioning.ledger import MovementKind, post
from provisioning.problems import InvalidValue, Refused
from rating.money import format_pounds

TEXT_CHARS_MAX: Final = 500
_OPENINGS: Final = {
    EndReason.NOTICE: "we have your notice of {} for",
    EndReason.RIGHT_TO_EXIT: "we have your notice of {}, because of our change of the contract, for",
    EndReason.PROVIDER: "as we told you on {}, we end the contract for",
    EndReason.BREACH: "as we told you on {}, we end the contract, because it was not kept, for",
}


class AskedEnding(msgspec.Struct, frozen=True):
    """An end as it stands in the books. Without `written_on` it has no `ceases_on`, and ends nothing."""

    id: int
    subscription_id: int
    reason: EndReason
    asked_on: datetime.date
    asked_by: str
    wanted_on: datetime.date | None
    written_on: datetime.date | None
    evidence: str | None
    ceases_on: datetime.date | None
    state: str


async def quote_end(
    db: asyncpg.Connection,
    subscription_id: int,
    *,
    written_on: datetime.date,
    reason: EndReason = EndReason.NOTICE,
    wanted_on: datetime.date | None = None,
) -> Quote:
    """What a customer is told who asks: when the service would cease, and the last bill. Changes nothing."""
    subscription = _active(await rows.find(db, subscription_id))
    ceases_on = cease_day(subscription, reason, written_on=written_on, wanted_on=wanted_on)
    return quote(subscription, Ending(0, reason, written_on, ceases_on))


async def ask_end(
    db: asyncpg.Connection,
    subscription_id: int,
    *,
    asked_on: datetime.date,
    asked_by: str,
    reason: EndReason = EndReason.NOTICE,
    wanted_on: datetime.date | None = None,
) -> AskedEnding:
    """Put on record that somebody wants it to end. Effective it becomes by `store_evidence`. Twice is once."""
    _check_text("asked by", asked_by)
    async with db.transaction():
        subscription = _active(await rows.lock(db, subscription_id))
        if (open_one := await find_ending(db, subscription_id)) is not None:
            return open_one
        if reason is EndReason.RIGHT_TO_EXIT:
            await _check_exit(db, subscription, asked_on)
        await db.execute(
            "INSERT INTO subscription_endings (subscription_id, reason, asked_on, asked_by, wanted_on)"
            " VALUES ($1, $2, $3, $4, $5)",
            subscription_id,
            reason.value,
            asked_on,
            asked_by,
            wanted_on,
        )
        found = await find_ending(db, subscription_id)
        assert found is not None, "it was just written"
        return found


async def store_evidence(
    db: asyncpg.Connection,
    seller: Seller,
    subscription_id: int,
    *,
    written_on: datetime.date,
    evidence: str,
    today: datetime.date,
    bundles: Bundles = ACCOUNT_BUNDLES,
) -> Quote:
    """The notice is here in writing: from its day on the notice period runs, and the end has its day, which they are
    told."""
    _check_text("evidence", evidence)
    async with db.transaction():
        subscription = _active(await rows.lock(db, subscription_id))
        asked = await find_ending(db, subscription_id)
        if asked is None:
            raise Refused(f"nobody has asked for subscription {subscription_id} to end")
        if asked.written_on is not None:
            raise Refused(f"the notice of {words(asked.written_on)} is stored already")
        if written_on > today:
            raise InvalidValue(
                "day", words(written_on), "the day on which it was received, not later than today"
            )
        await charge(db, subscription_id, today, bundles=bundles)
        subscription = await rows.find(db, subscription_id)
        wanted_on = asked.wanted_on
        ceases_on = cease_day(subscription, asked.reason, written_on=written_on, wanted_on=wanted_on)
        final = quote(subscription, Ending(asked.id, asked.reason, written_on, ceases_on))
        await db.execute(
            "UPDATE subscription_endings SET written_on = $2, evidence = $3, ceases_on = $4, quote = $5,"
            " state = 'effective' WHERE id = $1",
            asked.id,
            written_on,
            evidence,
            ceases_on,
            rows.to_json(final),
        )
        facts = _ending_facts(asked.reason, written_on, final)
        await send_notice(db, seller, subscription, NoticeKind.ENDING, str(asked.id), today, facts)
        return final


async def withdraw_end(
    db: asyncpg.Connection, subscription_id: int, today: datetime.date, *, bundles: Bundles = ACCOUNT_BUNDLES
) -> None:
    """They stay, before it has ceased. A last period that was charged in part is charged as a whole."""
    async with db.transaction():
        _active(await rows.lock(db, subscription_id))
        asked = await find_ending(db, subscription_id)
        if asked is None:
            raise Refused(f"nobody has asked for subscription {subscription_id} to end")
        await db.execute("UPDATE subscription_endings SET state = 'withdrawn' WHERE id = $1", asked.id)
        if asked.ceases_on is not None:
            await correct(db, subscription_id, asked.ceases_on)
        await charge(db, subscription_id, today, bundles=bundles)


async def finish(
    db: asyncpg.Connection, subscription_id: int, today: datetime.date, *, bundles: Bundles = ACCOUNT_BUNDLES
) -> list[str]:
    """Its day has come: the last bill, and it is over. In a transaction of the caller's, with everything charged."""
    subscription = await rows.lock(db, subscription_id)
    ending = subscription.ending
    if subscription.state is not State.ACTIVE or ending is None or ending.ceases_on > today:
        return []
    done = await correct(db, subscription_id, ending.ceases_on)
    early = early_termination(subscription, ending)
    if early.amount_micros:
        said = f"Early termination: {subscription.step(ending.ceases_on).product}"
        await charge_once(
            db,
            subscription,
            MovementKind.FEE,
            early.amount_micros,
            what="early_termination",
            said=said,
            key=f"subscription:{subscription.id}:early_termination",
            first=ending.ceases_on,
            end=max(ending.ceases_on, subscription.term_ends_on),
        )
        done.append(f"{subscription.account}: {said}, {format_pounds(early.amount_micros)}")
    last = msgspec.json.encode({"computation": early.computation, "amount_micros": early.amount_micros})
    await db.execute(
        "UPDATE subscription_endings SET state = 'done', quote = quote || jsonb_build_object('final', $2::jsonb)"
        " WHERE id = $1",
        ending.id,
        last.decode(),
    )
    await end_all_included(db, bundles, subscription_id, ending.ceases_on)
    await _close(db, subscription_id, State.ENDED, ending.ceases_on)
    done.append(f"{subscription.account}: subscription {subscription.id} ended on {words(ending.ceases_on)}")
    return done


async def cancel(
    db: asyncpg.Connection,
    conf: SubscriptionsConf,
    subscription_id: int,
    *,
    told_us_on: datetime.date,
    told_us_by: str,
    bundles: Bundles = ACCOUNT_BUNDLES,
) -> int:
    """The right to cancel: the sale is undone, and what was paid goes back but for what is due. Micros given back.

    Any clear statement will do, also by telephone (SI 2013/3134 reg 32). Raises Refused where there is no such right.
    """
    _check_text("told by", told_us_by)
    async with db.transaction():
        subscription = _active(await rows.lock(db, subscription_id))
        if refused := cooling_off.refusal(subscription.sale, conf.law.at(subscription.sold_on), told_us_on):
            raise Refused(refused)
        due, computation = cancellation_due(subscription, told_us_on)
        paid: int = await db.fetchval(
            "SELECT coalesce(sum(amount_micros), 0)::bigint FROM subscription_charges WHERE subscription_id = $1",
            subscription_id,
        )
        if paid != due:
            said = f"Cancelled: {subscription.step(told_us_on).product}"
            key = f"subscription:{subscription_id}:cancelled"
            posted = await post(
                db, subscription.account_id, MovementKind.SUBSCRIPTION, paid - due, memo=said, key=key
            )
            await _note_correction(db, subscription, told_us_on, due - paid, said, posted.ledger_id)
        await db.execute(
            "INSERT INTO subscription_cancellations"
            " (subscription_id, told_us_on, told_us_by, due_micros, returned_micros, computation)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            subscription_id,
            told_us_on,
            told_us_by,
            due,
            paid - due,
            list(computation),
        )
        await db.execute(
            "UPDATE subscription_endings SET state = 'withdrawn' WHERE subscription_id = $1"
            " AND state IN ('asked', 'effective')",
            subscription_id,
        )
        await end_all_included(db, bundles, subscription_id, told_us_on)
        await _close(db, subscription_id, State.CANCELLED, told_us_on)
        return paid - due


def cancellation_due(subscription: Subscription, day: datetime.date) -> tuple[int, tuple[str, ...]]:
    """Micros that stay due when it is cancelled on a day, and how they came about. The day itself is not charged."""
    if cooling_off.leaves_due(subscription.sale, day) is cooling_off.Cancelling.NOTHING:
        return 0, ("Nothing is due: the service had not begun at the customer's express request.",)
    began = subscription.provided_on or subscription.starts_on
    used = cost_between(subscription.rhythm, subscription.steps, max(began, subscription.starts_on), day)
    days = (day - began).days
    lines = [
        f"Begun at the customer's express request: {days} days from {words(began)}: {format_pounds(used)}."
    ]
    setup = subscription.setup_micros if subscription.terms.keeps_setup else 0
    if setup:
        lines.append(f"The set-up, a service of its own that was done: {format_pounds(setup)}.")
    return used + setup, tuple(lines)


async def find_ending(db: asyncpg.Connection, subscription_id: int) -> AskedEnding | None:
    """The end that was asked for and has not come yet."""
    row = await db.fetchrow(
        "SELECT * FROM subscription_endings WHERE subscription_id = $1 AND state IN ('asked', 'effective')",
        subscription_id,
    )
    if row is None:
        return None
    return AskedEnding(
        id=row["id"],
        subscription_id=row["subscription_id"],
        reason=EndReason(row["reason"]),
        asked_on=row["asked_on"],
        asked_by=row["asked_by"],
        wanted_on=row["wanted_on"],
        written_on=row["written_on"],
        evidence=row["evidence"],
        ceases_on=row["ceases_on"],
        state=row["state"],
    )


async def _check_exit(db: asyncpg.Connection, subscription: Subscription, day: datetime.date) -> None:
    may_leave = await db.fetchval(
        "SELECT EXISTS (SELECT 1 FROM subscription_changes WHERE subscription_id = $1 AND is_detrimental"
        " AND announced_on <= $2 AND exit_until >= $2)",
        subscription.id,
        day,
    )
    if not may_leave:
        raise Refused("there is no change of the contract that gives a right to leave on that day")


async def _note_correction(
    db: asyncpg.Connection,
    subscription: Subscription,
    day: datetime.date,
    amount: int,
    said: str,
    ledger_id: int,
) -> None:
    await db.execute(
        "INSERT INTO subscription_charges (subscription_id, account_id, what, period_from, period_to, amount_micros,"
        " words, pieces, ledger_id) VALUES ($1, $2, 'correction', $3, $4, $5, $6, '[]', $7)",
        subscription.id,
        subscription.account_id,
        min(subscription.starts_on, day),
        max(subscription.charged_until, day),
        amount,
        said,
        ledger_id,
    )


async def _close(db: asyncpg.Connection, subscription_id: int, state: State, day: datetime.date) -> None:
    await db.execute(
        "UPDATE subscriptions SET state = $2, closed_on = $3, unpaid_since = NULL WHERE id = $1",
        subscription_id,
        state.value,
        day,
    )


def _ending_facts(reason: EndReason, written_on: datetime.date, final: Quote) -> dict[str, object]:
    return {
        "opening": _OPENINGS[reason].format(words(written_on)),
        "ceases_on": words(final.ceases_on),
        "to_charge": in_pence(final.to_charge_micros),
        "given_back": in_pence(final.given_back_micros),
        "early_termination": in_pence(final.early_termination_micros),
        "computation": final.computation,
    }


def _active(subscription: Subscription) -> Subscription:
    if subscription.state is not State.ACTIVE:
        raise Refused(f"subscription {subscription.id} is {subscription.state} already")
    return subscription


def _check_text(what: str, text: str) -> None:
    if not text.strip() or len(text) > TEXT_CHARS_MAX or not text.isprintable():
        raise InvalidValue(what, text, f"a line of 1 to {TEXT_CHARS_MAX} characters")
