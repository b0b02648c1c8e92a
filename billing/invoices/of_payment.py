"""A VAT invoice for a payment of a prepaid account: VAT is due when credit is bought, and never again at its use.

Credit that buys nothing but calls is a single-purpose voucher (VATA 1994, Sch. 10B): GBP 12.00 paid are GBP 10.00 and
VAT of 2.00. Who wants no invoice for each payment gets none. What goes back to the payer is credited on his invoice.
Both are made once, however often they are asked for; the ledger's side is that of the payment and its return.
"""

import datetime
from typing import Final

import asyncpg
import msgspec

from billing.conf import BillingConf
from billing.customers import find_customer
from billing.invoices.document import Document, DocumentKind, Line, decode_document
from billing.invoices.issue import addressee, check_seller, form_for, insert_document
from billing.invoices.mailing import queue_document
from billing.invoices.numbers import take_number
from billing.invoices.wording import london_date, shown_day
from billing.vat import MICROS_PER_PENNY, RateTotal, vat_within
from provisioning.ledger import lock_account
from rating.money import VatMode

METHODS: Final = {
    "card": "card",
    "paypal": "PayPal",
    "direct_debit": "Direct Debit",
    "bank_transfer": "bank transfer",
    "cheque": "cheque",
    "cash": "cash",
}
TITLE: Final = "Telephone credit"

_PAYMENT: Final = """
SELECT p.account_id, p.method, p.amount_micros, p.returned_micros, p.state, p.received_at, a.name, a.kind,
       i.document::text AS document
FROM payments p JOIN accounts a ON a.id = p.account_id
LEFT JOIN invoices i ON i.payment_id = p.id
WHERE p.id = $1
"""


async def invoice_for_payment(
    connection: asyncpg.Connection, conf: BillingConf, payment_id: int, *, today: datetime.date | None = None
) -> str | None:
    """Its number, new or from before; None where there is none to be: pending, postpaid, or not wanted.

    In the caller's transaction. `today` is the date on it, the day of receipt if not given. Raises CannotIssue where
    particulars are missing that it needs: the payment stands all the same, and the daily work tries again.
    """
    found = await _find(connection, payment_id)
    if found is None or found["state"] != "received" or found["kind"] != "prepaid":
        return None
    if found["document"] is not None:
        return decode_document(found["document"]).number
    account_id = found["account_id"]
    customer = await find_customer(connection, account_id)
    if customer is not None and not customer.wants_payment_invoices:
        return None
    check_seller(conf.seller)
    received_on = london_date(found["received_at"])
    issued_on = today or received_on
    total = found["amount_micros"]
    form = form_for(total, customer, conf.simplified_invoice.at(received_on).up_to)
    rate = conf.vat.at(received_on).percent
    vat = vat_within(total, rate)
    document = Document(
        kind=DocumentKind.PAYMENT_INVOICE,
        form=form,
        number="",
        issued_on=issued_on.isoformat(),
        tax_point=received_on.isoformat(),
        seller=conf.seller,
        customer=addressee(found["name"], customer, form),
        mode=VatMode.INC_VAT,
        lines=(Line(TITLE, rate, total, total, total - vat),),
        rates=(RateTotal(rate, total - vat, vat),),
        net_micros=total - vat,
        vat_micros=vat,
        total_micros=total,
        payment=f"Received by {METHODS[found['method']]} on {shown_day(received_on)}.",
    )
    number = await take_number(connection, conf.invoice, DocumentKind.PAYMENT_INVOICE)
    document = msgspec.structs.replace(document, number=number)
    invoice_id = await insert_document(connection, document, account_id, payment_id=payment_id)
    await _allocate_whole(connection, payment_id, invoice_id)
    await queue_document(connection, document, customer)
    return number


async def credit_returned(
    connection: asyncpg.Connection, conf: BillingConf, payment_id: int, *, today: datetime.date
) -> str | None:
    """A credit note for what of a payment has gone back since the last one; None if there is nothing to credit.

    The VAT of all parts together is that of the invoice when all has gone back.
    """
    found = await _find(connection, payment_id)
    if found is None or found["document"] is None:
        return None
    invoice = decode_document(found["document"])
    before = await connection.fetchrow(
        "SELECT coalesce(sum(total_micros), 0)::bigint AS total, coalesce(sum(vat_micros), 0)::bigint AS vat"
        " FROM invoices WHERE corrects = $1",
        invoice.number,
    )
    returned = min(found["returned_micros"], invoice.total_micros)
    total = returned - before["total"]
    if total <= 0:
        return None
    vat = _share(invoice.vat_micros, returned, invoice.total_micros) - before["vat"]
    rate = invoice.rates[0].rate
    customer = await find_customer(connection, found["account_id"])
    number = await take_number(connection, conf.invoice, DocumentKind.CREDIT_NOTE)
    document = Document(
        kind=DocumentKind.CREDIT_NOTE,
        form=invoice.form,
        number=number,
        issued_on=today.isoformat(),
        tax_point=today.isoformat(),
        seller=conf.seller,
        customer=invoice.customer,
        mode=VatMode.INC_VAT,
        lines=(Line(f"{TITLE}, paid back", rate, total, total, total - vat),),
        rates=(RateTotal(rate, total - vat, vat),),
        net_micros=total - vat,
        vat_micros=vat,
        total_micros=total,
        corrects=invoice.number,
        corrects_issued_on=invoice.issued_on,
        reason="the payment, or a part of it, went back to you",
    )
    await insert_document(connection, document, found["account_id"])
    await queue_document(connection, document, customer)
    return number


async def _find(connection: asyncpg.Connection, payment_id: int) -> asyncpg.Record | None:
    """The payment as it stands, under its account's lock: two who ask at once get one document."""
    account_id = await connection.fetchval("SELECT account_id FROM payments WHERE id = $1", payment_id)
    if account_id is None:
        return None
    await lock_account(connection, account_id)
    return await connection.fetchrow(_PAYMENT, payment_id)


async def _allocate_whole(connection: asyncpg.Connection, payment_id: int, invoice_id: int) -> None:
    """What is left of it pays its own invoice: were the account ever to pay later, it would not pay twice."""
    await connection.execute(
        "INSERT INTO allocations (invoice_id, payment_id, amount_micros)"
        " SELECT $2, p.id, p.amount_micros - p.returned_micros - coalesce(sum(a.amount_micros), 0)::bigint"
        " FROM payments p LEFT JOIN allocations a ON a.payment_id = p.id WHERE p.id = $1 GROUP BY p.id"
        " HAVING p.amount_micros - p.returned_micros > coalesce(sum(a.amount_micros), 0)",
        payment_id,
        invoice_id,
    )


def _share(vat: int, part: int, whole: int) -> int:
    """In whole pennies, half a penny up."""
    pence, divisor = vat // MICROS_PER_PENNY * part, whole
    return (2 * pence + divisor) // (2 * divisor) * MICROS_PER_PENNY
