"""Charging: every period once, on its first day, to the ledger; corrections of it when it changes afterwards.

What a period costs is a function of the steps and the end (`steps.py`); what was charged for it stands in
`subscription_charges`. A correction is the difference, so running this again moves nothing. Each subscription is one
transaction, with its row locked and a ledger key per movement: it may be killed anywhere and run again.

A prepaid account without the credit for a period, by the product's rule: `owe`, it is charged all the same and the
balance goes below zero (arrears takes it from there); `wait`, it is not charged, brings no bundle, and runs from the
day on which there is credit, the days before it free and without the service.
"""

import datetime
from collections.abc import Sequence
from typing import Final

import asyncpg

from billing.subscriptions import rows
from billing.subscriptions.grants import ACCOUNT_BUNDLES, Bundles, grant_included, renew_included
from billing.subscriptions.months import words
from billing.subscriptions.periods import Period
from billing.subscriptions.steps import Piece, cost_of, pieces_of
from billing.subscriptions.subscription import State, Subscription
from billing.subscriptions.terms import WithoutCredit
from provisioning.ledger import MovementKind, lock_account, post
from provisioning.model import AccountKind
from rating.money import format_pounds

# Ten years of months: more at once is a start date that nobody meant.
PERIODS_PER_RUN_MAX: Final = 120
_DAY: Final = datetime.timedelta(days=1)


async def charge(
    db: asyncpg.Connection, subscription_id: int, today: datetime.date, *, bundles: Bundles = ACCOUNT_BUNDLES
) -> list[str]:
    """Charge all periods that have begun by `today`; a line for each. In a transaction of the caller's."""
    subscription = await rows.lock(db, subscription_id)
    done: list[str] = []
    if subscription.state is not State.ACTIVE:
        return done
    await renew_included(db, bundles, subscription, today)
    for period, _ in zip(
        subscription.rhythm.since(subscription.charged_until), range(PERIODS_PER_RUN_MAX), strict=False
    ):
        if subscription.charged_to(period) <= period.first:
            break
        if period.first > today:
            if period.first == today + _DAY and not _may_wait(subscription):
                await grant_included(db, bundles, subscription, period, since=period.first, today=today)
            break
        setup = await _setup_due(db, subscription)
        since = await _served_since(db, subscription, period, today, setup)
        if since is None:
            await _wait(db, subscription, period)
            done.append(f"{_name(subscription)}: waits for credit since {words(period.first)}")
            break
        if setup and since < period.end:
            done.append(await _charge_setup(db, subscription, setup))
        done.append(await _charge_period(db, subscription, period, since))
        await grant_included(db, bundles, subscription, period, since=since, today=today)
    return done


async def correct(db: asyncpg.Connection, subscription_id: int, day: datetime.date) -> list[str]:
    """Bring what was charged of the period of `day`, and of all later ones, to what it costs now."""
    subscription = await rows.lock(db, subscription_id)
    done: list[str] = []
    for period in subscription.rhythm.since(day):
        if period.first >= subscription.charged_until:
            break
        done += await _correct_period(db, subscription, period)
    return done


async def charge_once(
    db: asyncpg.Connection,
    subscription: Subscription,
    kind: MovementKind,
    amount_micros: int,
    *,
    what: str,
    said: str,
    key: str,
    first: datetime.date,
    end: datetime.date,
    pieces: Sequence[Piece] = (),
) -> None:
    """A row of subscription_charges and, unless it is nothing, its movement. `amount_micros` positive: charged."""
    ledger_id = None
    if amount_micros:
        posted = await post(db, subscription.account_id, kind, -amount_micros, memo=said, key=key)
        if posted.is_repeat:
            return
        ledger_id = posted.ledger_id
    await db.execute(
        "INSERT INTO subscription_charges (subscription_id, account_id, what, period_from, period_to, amount_micros,"
        " words, pieces, ledger_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        subscription.id,
        subscription.account_id,
        what,
        first,
        end,
        amount_micros,
        said,
        rows.to_json(list(pieces)),
        ledger_id,
    )


async def _charge_period(
    db: asyncpg.Connection, subscription: Subscription, period: Period, since: datetime.date
) -> str:
    pieces = pieces_of(period, subscription.steps, since=since, until=subscription.charged_to(period))
    amount = cost_of(pieces)
    said = (
        _words(subscription, pieces)
        if pieces
        else f"{_what(subscription, period.first)}: not served, no credit"
    )
    await charge_once(
        db,
        subscription,
        MovementKind.SUBSCRIPTION,
        amount,
        what="period",
        said=said,
        key=f"subscription:{subscription.id}:{period.first.isoformat()}",
        first=period.first,
        end=period.end,
        pieces=pieces,
    )
    await db.execute(
        "UPDATE subscriptions SET charged_until = $2, unpaid_since = NULL WHERE id = $1",
        subscription.id,
        period.end,
    )
    return f"{subscription.account}: {said}, {format_pounds(amount)}"


async def _correct_period(db: asyncpg.Connection, subscription: Subscription, period: Period) -> list[str]:
    charged, number, first_served = await _charged(db, subscription.id, period)
    pieces = pieces_of(period, subscription.steps, since=first_served, until=subscription.charged_to(period))
    difference = cost_of(pieces) - charged
    if not difference:
        return []
    said = f"Correction: {_words(subscription, pieces) if pieces else _what(subscription, period.first)}"
    await charge_once(
        db,
        subscription,
        MovementKind.SUBSCRIPTION,
        difference,
        what="correction",
        said=said,
        key=f"subscription:{subscription.id}:{period.first.isoformat()}:{number}",
        first=period.first,
        end=period.end,
        pieces=pieces,
    )
    return [f"{subscription.account}: {said}, {format_pounds(difference)}"]


async def _charged(
    db: asyncpg.Connection, subscription_id: int, period: Period
) -> tuple[int, int, datetime.date]:
    """What was charged for a period, in how many movements, and from which day on it was served."""
    found = await db.fetch(
        "SELECT amount_micros, pieces FROM subscription_charges WHERE subscription_id = $1 AND period_from = $2"
        " AND what IN ('period', 'correction') ORDER BY id",
        subscription_id,
        period.first,
    )
    first_pieces = rows.read_pieces(found[0]["pieces"]) if found else []
    served = first_pieces[0].first if first_pieces else period.end
    return sum(row["amount_micros"] for row in found), len(found), served


async def _setup_due(db: asyncpg.Connection, subscription: Subscription) -> int:
    """Micros of the set-up, unless it was charged before."""
    if not subscription.setup_micros:
        return 0
    was_charged = await db.fetchval(
        "SELECT EXISTS (SELECT 1 FROM subscription_charges WHERE subscription_id = $1 AND what = 'setup')",
        subscription.id,
    )
    return 0 if was_charged else subscription.setup_micros


async def _charge_setup(db: asyncpg.Connection, subscription: Subscription, fee: int) -> str:
    said = f"Set-up: {_what(subscription, subscription.starts_on)}"
    await charge_once(
        db,
        subscription,
        MovementKind.FEE,
        fee,
        what="setup",
        said=said,
        key=f"subscription:{subscription.id}:setup",
        first=subscription.starts_on,
        end=subscription.starts_on,
    )
    return f"{subscription.account}: {said}, {format_pounds(fee)}"


async def _served_since(
    db: asyncpg.Connection, subscription: Subscription, period: Period, today: datetime.date, setup: int
) -> datetime.date | None:
    """The day from which a period is served and charged; None where it has to wait for credit."""
    if not _may_wait(subscription):
        return period.first
    await lock_account(db, subscription.account_id)
    balance: int = await db.fetchval(
        "SELECT balance_micros FROM account_balances WHERE account_id = $1", subscription.account_id
    )
    since = period.first if subscription.unpaid_since is None else max(period.first, today)
    if since >= period.end:
        return period.end  # it passed while there was no credit
    pieces = pieces_of(period, subscription.steps, since=since, until=subscription.charged_to(period))
    return since if cost_of(pieces) + setup <= balance else None


def _may_wait(subscription: Subscription) -> bool:
    is_prepaid = subscription.account_kind is AccountKind.PREPAID
    return is_prepaid and subscription.terms.without_credit is WithoutCredit.WAIT


async def _wait(db: asyncpg.Connection, subscription: Subscription, period: Period) -> None:
    await db.execute(
        "UPDATE subscriptions SET unpaid_since = coalesce(unpaid_since, $2) WHERE id = $1",
        subscription.id,
        period.first,
    )


def _words(subscription: Subscription, pieces: Sequence[Piece]) -> str:
    """ "2 x Line rental (01632 960123), 1 April 2026 to 30 April 2026"."""
    last = pieces[-1].end - _DAY
    return f"{_what(subscription, pieces[-1].first)}, {words(pieces[0].first)} to {words(last)}"


def _what(subscription: Subscription, day: datetime.date) -> str:
    step = subscription.step(day)
    many = f"{step.quantity} x " if step.quantity > 1 else ""
    label = f" ({subscription.label})" if subscription.label else ""
    return f"{many}{step.product}{label}"


def _name(subscription: Subscription) -> str:
    return f"{subscription.account}: {_what(subscription, subscription.charged_until)}"
