"""A refund: reserved, checked with the exchange, asked for at the provider, done - or given back.

    reserved  -> the row is off the ledger; the exchange must have seen it and have no call that holds the money
    cleared   -> the provider may be asked, with the row's id as the key: however often, it happens once
    done      -> it is on its way to the customer
    given_back-> refused by the exchange or the provider; the ledger has the money again

Each step is a transaction of its own. Whoever is killed between two leaves a row that `carry_on` takes further: the
command does at once, the billing process does with what is left.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from billing.border import alone
from billing.payments.live_credit import NoExchange, credit_after
from billing.payments.payment import DESK, STATEMENT, Payment, find_payment
from billing.payments.provider import Provider, ProviderRefused, ProviderUnreachable, ReturnKind
from billing.payments.returns import Return, lock_payment, put_back, return_from_row, take_out
from billing.payments.settling import lock_reference
from provisioning.problems import InvalidValue, Refused
from rating.money import format_pounds

REASON_CHARS_MAX: Final = 200
# What a command began it finishes itself; the process takes up what has lain this long.
LEFT_AFTER_S: Final = 60.0
BATCH_MAX: Final = 50

# Raises NoExchange, or Refused when calls hold the money.
Clearance = Callable[[Return, Payment], Awaitable[None]]


class RefundResult(msgspec.Struct, frozen=True):
    """`state` as in payment_returns; `problem` says why it is not done."""

    return_id: int
    payment_id: int
    amount_micros: int
    state: str
    problem: str = ""


async def reserve_refund(
    db: asyncpg.Pool, payment_id: int, amount_micros: int | None, *, reason: str, by: str
) -> Return:
    """Off the ledger, all that is left without an amount. Raises Refused, also when the books have not so much."""
    if len(reason) > REASON_CHARS_MAX or (reason and not reason.isprintable()):
        raise InvalidValue("reason", reason, f"at most {REASON_CHARS_MAX} characters that print")
    async with db.acquire() as connection, connection.transaction():
        payment = await lock_payment(connection, payment_id)
        wanted = payment.left_micros if amount_micros is None else amount_micros
        if wanted == 0:
            raise Refused(f"all of payment {payment_id} has gone back already")
        made = await take_out(
            connection, payment, ReturnKind.REFUND, wanted, state="reserved", reason=reason, by=by
        )
        left = await connection.fetchval(
            "SELECT b.balance_micros + a.credit_limit_micros FROM account_balances b JOIN accounts a"
            " ON a.id = b.account_id WHERE b.account_id = $1",
            payment.account_id,
        )
        if left < 0:
            short = format_pounds(-left)
            raise Refused(f"the balance is {short} short of {format_pounds(wanted)}: it has been spent")
        return made


async def carry_on(
    db: asyncpg.Pool, providers: Mapping[str, Provider], clearance: Clearance, return_id: int
) -> RefundResult:
    """As far as it goes now. A refund whose provider is not there stays `cleared` and is asked for again."""
    made = await _find(db, return_id)
    if made.state == "reserved":
        made = await _clear(db, clearance, made)
    if made.state == "cleared":
        made = await _ask_provider(db, providers, made)
    return RefundResult(made.id, made.payment_id, made.amount_micros, made.state, made.problem)


async def carry_on_all(
    db: asyncpg.Pool, providers: Mapping[str, Provider], clearance: Clearance
) -> list[RefundResult]:
    """What somebody began and did not finish."""
    rows = await db.fetch(
        "SELECT id FROM payment_returns WHERE state IN ('reserved', 'cleared')"
        " AND tried_at < now() - make_interval(secs => $1) ORDER BY tried_at LIMIT $2",
        LEFT_AFTER_S,
        BATCH_MAX,
    )
    tried = [
        await alone(carry_on(db, providers, clearance, row["id"]), what="refund", number=row["id"])
        for row in rows
    ]
    return [each for each in tried if each is not None]


def cleared_by_exchange(db: asyncpg.Pool, control_socket: Path) -> Clearance:
    """The running switch has seen the row, and nothing below its floor is held."""

    async def clear(made: Return, payment: Payment) -> None:
        name = await db.fetchval("SELECT name FROM accounts WHERE id = $1", payment.account_id)
        live = await credit_after(control_socket, name, made.ledger_seq)
        if live.available_micros < 0:
            raise Refused(
                f"{format_pounds(-live.available_micros)} of it are held by calls or spent: try again when they end"
            )

    return clear


async def cleared_without_exchange(made: Return, payment: Payment) -> None:
    """No exchange runs, and somebody says that everything it has charged is in the books."""


async def _clear(db: asyncpg.Pool, clearance: Clearance, made: Return) -> Return:
    payment = await find_payment(db, made.payment_id)
    try:
        await clearance(made, payment)
    except (Refused, NoExchange) as problem:
        return await _give_back(db, made, str(problem))
    row = await db.fetchrow(
        "UPDATE payment_returns SET state = 'cleared', tried_at = now() WHERE id = $1 AND state = 'reserved'"
        " RETURNING *",
        made.id,
    )
    return await _find(db, made.id) if row is None else return_from_row(row)


async def _ask_provider(db: asyncpg.Pool, providers: Mapping[str, Provider], made: Return) -> Return:
    if made.provider in (DESK, STATEMENT):  # a person pays it back, and has its number here
        return await _done(db, made, f"return-{made.id}")
    provider = providers.get(made.provider)
    if provider is None:
        return await _note(db, made, f"{made.provider} is not in use: its section or its keys are missing")
    payment = await find_payment(db, made.payment_id)
    try:
        async with db.acquire() as connection, connection.transaction():
            await lock_reference(connection, provider.name, payment.reference)
            now = await _find(connection, made.id)
            if now.state != "cleared":  # somebody else has taken it further, while we waited for the lock
                return now
            await _ask(connection, provider, payment, made)
            return await _find(connection, made.id)
    except ProviderUnreachable as problem:
        return await _note(db, made, str(problem))


async def _ask(connection: asyncpg.Connection, provider: Provider, payment: Payment, made: Return) -> None:
    """Under the payment's lock: done, or given back."""
    try:
        view = await provider.look(payment.reference)
        before = next((each for each in view.returns if each.ours == made.id), None)
        if before is not None and not before.is_undone:  # it was asked before, and the answer was lost
            await _done(connection, made, before.reference)
            return
        refunded = await provider.refund(view, made.amount_micros, return_id=made.id, reason=made.reason)
    except ProviderRefused as problem:
        await put_back(connection, made.id, str(problem), states=("cleared",))
    else:
        await _done(connection, made, refunded.reference)


async def _done(db: asyncpg.Pool | asyncpg.Connection, made: Return, reference: str) -> Return:
    row = await db.fetchrow(
        "UPDATE payment_returns SET state = 'done', reference = $2, problem = '', tried_at = now()"
        " WHERE id = $1 AND state = 'cleared' RETURNING *",
        made.id,
        reference,
    )
    return await _find(db, made.id) if row is None else return_from_row(row)


async def _note(db: asyncpg.Pool, made: Return, problem: str) -> Return:
    await db.execute(
        "UPDATE payment_returns SET problem = $2, tried_at = now() WHERE id = $1", made.id, problem
    )
    return await _find(db, made.id)


async def _give_back(db: asyncpg.Pool, made: Return, problem: str) -> Return:
    async with db.acquire() as connection, connection.transaction():
        await put_back(connection, made.id, problem, states=("reserved",))
    return await _find(db, made.id)


async def _find(db: asyncpg.Pool | asyncpg.Connection, return_id: int) -> Return:
    row = await db.fetchrow("SELECT * FROM payment_returns WHERE id = $1", return_id)
    if row is None:
        raise Refused(f"there is no refund {return_id}")
    return return_from_row(row)
