"""The VAT inside a payment of a prepaid account whose prices are without: due when the money comes, and no credit."""

from zoneinfo import ZoneInfo

import asyncpg

from billing.conf import BillingConf
from billing.payments.payment import MICROS_PER_PENNY, Payment
from billing.vat import vat_within

ZONE = ZoneInfo("Europe/London")


async def vat_of_payment(connection: asyncpg.Connection, conf: BillingConf, payment: Payment) -> int:
    """Micros, 0 on every other account: where prices contain VAT the credit does, and who pays later has invoices."""
    account = await connection.fetchrow("SELECT kind, vat FROM accounts WHERE id = $1", payment.account_id)
    if (account["kind"], account["vat"]) != ("prepaid", "ex_vat"):
        return 0
    at = payment.received_at or payment.made_at
    return vat_within(payment.amount_micros, conf.vat.at(at.astimezone(ZONE).date()).percent)


async def vat_posted(connection: asyncpg.Connection, payment_id: int) -> int:
    """What was taken off for the VAT of a payment when it came."""
    found: int | None = await connection.fetchval(
        "SELECT -amount_micros FROM ledger WHERE idempotency_key = $1", f"payment-vat:{payment_id}"
    )
    return found or 0


def vat_share(vat_micros: int, *, part_micros: int, whole_micros: int) -> int:
    """The VAT of the part of a payment that has gone back so far, whole pennies; of the whole it is all of it."""
    pence, part, whole = (each // MICROS_PER_PENNY for each in (vat_micros, part_micros, whole_micros))
    return (2 * pence * part + whole) // (2 * whole) * MICROS_PER_PENNY
