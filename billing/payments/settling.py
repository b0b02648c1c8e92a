"""Makes our books say what a provider says of a payment: credited, failed, refunded, charged back, won back.

It works from the provider's whole state, not from steps: so whatever news came, came twice, came in another order or
not at all, one look later the books are right. A look and what follows from it hold the payment's advisory lock: an
older answer can never be applied after a newer one.
"""

from datetime import UTC, datetime

import asyncpg
import msgspec

from billing.conf import BillingConf
from billing.payments.methods import note_method
from billing.payments.payment import Payment, PaymentState, find_by_reference
from billing.payments.provider import PaymentView, Provider, ReturnKind, ReturnView, ViewState
from billing.payments.received import Money, ended, pending, received
from billing.payments.returns import Return, lock_payment, put_back, returns_of, take_out


class Settled(msgspec.Struct, frozen=True):
    """`payment` None: nothing has been paid, or it is none of ours. `is_credited`: by this very look."""

    view: PaymentView
    payment: Payment | None
    is_credited: bool = False


async def look_and_settle(
    db: asyncpg.Pool,
    conf: BillingConf,
    provider: Provider,
    reference: str,
    *,
    more: ReturnView | None = None,
) -> Settled:
    """One transaction. Raises ProviderRefused, ProviderUnreachable and Refused; then nothing was changed.

    `more` is a return that only the news told of.
    """
    async with db.acquire() as connection, connection.transaction():
        await lock_reference(connection, provider.name, reference)
        view = await provider.look(reference)
        if view.reference != reference:  # it is looked at under its one name, or two looks would not meet
            await lock_reference(connection, provider.name, view.reference)
            view = await provider.look(view.reference)
        if more is not None:
            view = msgspec.structs.replace(view, returns=(*view.returns, more))
        return await settle(connection, conf, view)


async def lock_reference(connection: asyncpg.Connection, provider: str, reference: str) -> None:
    """Until the transaction ends. Strangers whose hashes are equal wait for each other, and that is all."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 6))", f"{provider}:{reference}"
    )


async def settle(connection: asyncpg.Connection, conf: BillingConf, view: PaymentView) -> Settled:
    """In the transaction that holds the payment's lock."""
    if view.saved is not None:
        await note_method(connection, view.saved)
    if view.account_id is None or view.state is ViewState.OPEN:
        return Settled(view, None)
    known = await find_by_reference(connection, view.provider, view.reference)
    if view.state is ViewState.CANCELLED and known is None:
        return Settled(view, None)  # a page that nobody paid on
    was_received = known is not None and known.state is PaymentState.RECEIVED
    amount_micros = known.amount_micros if was_received and known is not None else view.amount_micros
    money = Money(
        account_id=view.account_id,
        method=view.method,
        provider=view.provider,
        reference=view.reference,
        amount_micros=amount_micros,
        at=datetime.now(UTC),
        quoted=view.quoted,
    )
    is_credited = False
    match view.state:
        case ViewState.RECEIVED:
            done = await received(connection, conf, money)
            payment, is_credited = done.payment, not done.is_repeat
            await _undo_failures(connection, payment)
        case ViewState.PENDING:
            payment = await pending(connection, money)
        case _:
            state = PaymentState.FAILED if view.state is ViewState.FAILED else PaymentState.CANCELLED
            payment = await ended(connection, money, state)
            if payment.state is PaymentState.RECEIVED:
                await _take_failure(connection, payment, view.problem)
    if payment.state is PaymentState.RECEIVED:
        for each in view.returns:
            await _settle_return(connection, payment.id, each)
    return Settled(view, payment, is_credited)


async def _take_failure(connection: asyncpg.Connection, payment: Payment, problem: str) -> None:
    """It had been received, and the bank took back what is left of it. Numbered: it may be presented and fail again."""
    payment = await lock_payment(connection, payment.id)
    earlier = [each for each in await returns_of(connection, payment.id) if each.kind is ReturnKind.FAILURE]
    if any(not each.is_undone for each in earlier) or payment.left_micros == 0:
        return
    await take_out(
        connection,
        payment,
        ReturnKind.FAILURE,
        payment.left_micros,
        state="done",
        reference=f"{payment.reference}:failure-{len(earlier) + 1}",
        reason=problem,
    )


async def _undo_failures(connection: asyncpg.Connection, payment: Payment) -> None:
    """Presented again and paid; or the chargeback was cancelled."""
    for each in await returns_of(connection, payment.id):
        if each.kind is ReturnKind.FAILURE and not each.is_undone:
            await put_back(connection, each.id, "it was paid after all")


async def _settle_return(connection: asyncpg.Connection, payment_id: int, seen: ReturnView) -> None:
    """One refund or dispute of the provider's. What it took is capped by what is left: a bank that takes more than
    was paid takes it from us, not from the customer's other money."""
    payment = await lock_payment(connection, payment_id)
    rows = _rows_of(await returns_of(connection, payment_id), seen)
    last = rows[-1] if rows else None
    if seen.is_undone:
        if last is not None and not last.is_undone:
            problem = "refused by the bank" if seen.kind is ReturnKind.REFUND else "won"
            await put_back(connection, last.id, problem)
    elif last is None or last.is_undone:
        amount_micros = min(seen.amount_micros, payment.left_micros)
        is_named = any(each.reference == seen.reference for each in rows)
        reference = f"{seen.reference}:{len(rows)}" if is_named else seen.reference
        if amount_micros:
            await take_out(
                connection,
                payment,
                seen.kind,
                amount_micros,
                state="done",
                reference=reference,
                reason="made at the provider" if seen.kind is ReturnKind.REFUND else "",
            )
    elif last.state in ("reserved", "cleared"):  # ours, and the answer to it was lost
        await connection.execute(
            "UPDATE payment_returns SET state = 'done', reference = $2 WHERE id = $1", last.id, seen.reference
        )


def _rows_of(returns: list[Return], seen: ReturnView) -> list[Return]:
    """All that we have of it, the oldest first: it may be undone and happen again. By the provider's name of it, or
    by ours that went with it."""
    return [
        each
        for each in returns
        if each.id == seen.ours
        or each.reference == seen.reference
        or (each.reference or "").startswith(f"{seen.reference}:")
    ]
