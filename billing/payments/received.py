"""Where money comes in. The one place, whoever took it: a provider, a bank statement, somebody at a desk.

A payment is credited by the step of its row from anything else to `received`, under the lock of its account. All that
follows from it - the ledger, its VAT invoice, the invoices it pays, who may call again - is in that transaction. So it
is credited once, whatever is repeated, comes late, comes twice at one moment or is killed half way.
"""

from datetime import datetime

import asyncpg
import msgspec

from billing.conf import BillingConf
from billing.open_items import allocate
from billing.payments.hooks import invoice_of, on_received
from billing.payments.payment import (
    Method,
    Payment,
    PaymentState,
    check_amount,
    check_quoted,
    check_reference,
    payment_from_row,
)
from billing.payments.vat_of_payment import vat_of_payment
from provisioning.ledger import MovementKind, lock_account, post
from provisioning.problems import Refused, shown
from rating.money import format_pounds

_INSERT = """
    INSERT INTO payments (account_id, method, provider, reference, amount_micros, state, quoted, made_at)
    VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7) ON CONFLICT (provider, reference) DO NOTHING
"""


class Received(msgspec.Struct, frozen=True):
    """`is_repeat`: it had been credited before, and nothing was moved now. `invoice` is its own, None of none."""

    payment: Payment
    is_repeat: bool
    invoice: str | None = None


class Money(msgspec.Struct, frozen=True):
    """Money of somebody, as its provider tells of it. `at` is when it came (made, while it is pending)."""

    account_id: int
    method: Method
    provider: str
    reference: str
    amount_micros: int
    at: datetime
    quoted: str = ""


async def received(connection: asyncpg.Connection, conf: BillingConf, money: Money) -> Received:
    """Credit a payment, in the transaction that the caller has opened.

    Raises Refused when the same reference was used for another account, and for another amount once it is credited.
    """
    payment = await _known(connection, money)
    if payment.state is PaymentState.RECEIVED:
        if payment.amount_micros != money.amount_micros:
            raise Refused(
                f"payment {shown(money.reference)} of {money.provider} was credited with"
                f" {format_pounds(payment.amount_micros)}, not {format_pounds(money.amount_micros)}"
            )
        return Received(payment, is_repeat=True)
    row = await connection.fetchrow(
        "UPDATE payments SET state = 'received', amount_micros = $2, received_at = $3,"
        " quoted = CASE WHEN quoted = '' THEN $4 ELSE quoted END WHERE id = $1 RETURNING *",
        payment.id,
        money.amount_micros,
        money.at,
        money.quoted,
    )
    payment = payment_from_row(row)
    await _post(connection, conf, payment)
    invoice = await invoice_of(connection, conf, payment.id)
    await allocate(connection, payment.account_id)
    await on_received(connection, payment.account_id)
    return Received(payment, is_repeat=False, invoice=invoice)


async def pending(connection: asyncpg.Connection, money: Money) -> Payment:
    """Money is on its way. One that had failed is on its way again; one that was received stays so."""
    payment = await _known(connection, money)
    if payment.state not in (PaymentState.FAILED, PaymentState.CANCELLED):
        return payment
    return await _set_state(connection, payment.id, PaymentState.PENDING)


async def ended(connection: asyncpg.Connection, money: Money, state: PaymentState) -> Payment:
    """It failed or was cancelled before it came. What had been received is not undone here: see returns.py."""
    assert state in (PaymentState.FAILED, PaymentState.CANCELLED), state
    payment = await _known(connection, money)
    if payment.state is PaymentState.RECEIVED:
        return payment
    return await _set_state(connection, payment.id, state)


async def _known(connection: asyncpg.Connection, money: Money) -> Payment:
    """Its row, made if need be, with the account and it locked in this order."""
    check_amount(money.amount_micros)
    await lock_account(connection, money.account_id)
    await connection.execute(
        _INSERT,
        money.account_id,
        money.method.value,
        money.provider,
        check_reference(money.reference),
        money.amount_micros,
        check_quoted(money.quoted),
        money.at,
    )
    row = await connection.fetchrow(
        "SELECT * FROM payments WHERE provider = $1 AND reference = $2 FOR UPDATE",
        money.provider,
        money.reference,
    )
    payment = payment_from_row(row)
    if payment.account_id != money.account_id:
        raise Refused(
            f"payment {shown(money.reference)} of {money.provider} belongs to account {payment.account_id},"
            f" not {money.account_id}"
        )
    return payment


async def _post(connection: asyncpg.Connection, conf: BillingConf, payment: Payment) -> None:
    """On a prepaid account without VAT the payment's VAT is due now and is no credit: GBP 12.00 give 10.00."""
    memo = f"payment {payment.id} by {payment.method.value.replace('_', ' ')}"
    vat_micros = await vat_of_payment(connection, conf, payment)
    await post(
        connection,
        payment.account_id,
        MovementKind.PAYMENT,
        payment.amount_micros,
        memo=memo,
        key=f"payment:{payment.id}",
    )
    if vat_micros:
        await post(
            connection,
            payment.account_id,
            MovementKind.VAT,
            -vat_micros,
            memo=f"VAT of {memo}",
            key=f"payment-vat:{payment.id}",
        )


async def _set_state(connection: asyncpg.Connection, payment_id: int, state: PaymentState) -> Payment:
    row = await connection.fetchrow(
        "UPDATE payments SET state = $2 WHERE id = $1 RETURNING *", payment_id, state.value
    )
    return payment_from_row(row)
