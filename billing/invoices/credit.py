"""Credit notes: an invoice is never altered, so what is wrong with it is given back by a document of its own.

The whole of it, or lines of it; each line once. The amounts are those of the invoice, so that an invoice that was
credited line by line is credited to the penny. The ledger gets the total back, and the note pays its invoice, or is
money for others where that was paid already.
"""

import datetime
from collections.abc import Sequence, Set

import asyncpg
import msgspec

from billing.arrears.easing import on_received
from billing.conf import BillingConf
from billing.customers import find_customer
from billing.invoices.document import Document, DocumentKind, decode_document
from billing.invoices.issue import insert_document, mark_invoiced, post_own
from billing.invoices.mailing import queue_document
from billing.invoices.numbers import take_number
from billing.open_items import allocate
from billing.vat import Rate, RateTotal, VatRounding, rate_total
from provisioning.ledger import MovementKind, lock_account
from provisioning.problems import InvalidValue, Refused, shown

REASON_CHARS_MAX = 200


async def credit_invoice(
    db: asyncpg.Pool,
    conf: BillingConf,
    number: str,
    *,
    reason: str,
    today: datetime.date,
    lines: Sequence[int] = (),
) -> Document:
    """The credit note. `lines` count from 1 as they stand on the invoice; none is all that is left.

    Raises Refused for an invoice that there is not, that is no invoice, or that has nothing of this left.
    """
    if not reason or len(reason) > REASON_CHARS_MAX or not reason.isprintable():
        raise InvalidValue(
            "reason", reason, f"1 to {REASON_CHARS_MAX} printable characters: it stands on the note"
        )
    async with db.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "SELECT account_id, kind, document::text AS document FROM invoices WHERE number = $1", number
        )
        if row is None:
            raise Refused(f"there is no invoice {shown(number)}")
        if row["kind"] == DocumentKind.PAYMENT_INVOICE:
            raise Refused(f"{number} is for a payment: `offhook payment refund` pays it back and credits it")
        if row["kind"] != DocumentKind.INVOICE:
            raise Refused(f"{number} is a credit note itself")
        await lock_account(connection, row["account_id"])
        invoice = decode_document(row["document"])
        earlier = await _earlier(connection, number)
        places = _places(invoice, earlier, lines)
        note = _note(invoice, earlier, places, conf, reason=reason, today=today)
        note_number = await take_number(connection, conf.invoice, DocumentKind.CREDIT_NOTE)
        note = msgspec.structs.replace(note, number=note_number)
        note_id = await insert_document(connection, note, row["account_id"])
        own = await post_own(
            connection, row["account_id"], MovementKind.CREDIT_NOTE, note.total_micros, note_number
        )
        await mark_invoiced(connection, row["account_id"], note_id, own)
        await allocate(connection, row["account_id"])
        await on_received(connection, row["account_id"])  # a restriction for it ends with it
        await queue_document(connection, note, await find_customer(connection, row["account_id"]))
        return note


async def _earlier(connection: asyncpg.Connection, number: str) -> list[Document]:
    rows = await connection.fetch(
        "SELECT document::text AS document FROM invoices WHERE corrects = $1 ORDER BY id", number
    )
    return [decode_document(row["document"]) for row in rows]


def _places(invoice: Document, earlier: Sequence[Document], lines: Sequence[int]) -> tuple[int, ...]:
    """Which lines are credited now, from 0."""
    done = {place for note in earlier for place in note.places}
    for line in lines:
        if not 1 <= line <= len(invoice.lines):
            raise Refused(f"{invoice.number} has lines 1 to {len(invoice.lines)}, no line {line}")
        if line - 1 in done:
            raise Refused(f"line {line} of {invoice.number} has been credited before")
    wanted = {line - 1 for line in lines} or set(range(len(invoice.lines))) - done
    if not wanted:
        raise Refused(f"all of {invoice.number} has been credited before")
    return tuple(sorted(wanted))


def _note(
    invoice: Document,
    earlier: Sequence[Document],
    places: tuple[int, ...],
    conf: BillingConf,
    *,
    reason: str,
    today: datetime.date,
) -> Document:
    lines = tuple(invoice.lines[place] for place in places)
    rates = credit_rates(invoice, earlier, places)
    net, vat = sum(total.net_micros for total in rates), sum(total.vat_micros for total in rates)
    if net + vat <= 0:
        raise Refused("these lines come to nothing that could be given back")
    return Document(
        kind=DocumentKind.CREDIT_NOTE,
        form=invoice.form,
        number="",
        issued_on=today.isoformat(),
        tax_point=today.isoformat(),
        seller=conf.seller,
        customer=invoice.customer,
        mode=invoice.mode,
        policy=invoice.policy,
        lines=lines,
        rates=rates,
        net_micros=net,
        vat_micros=vat,
        total_micros=net + vat,
        corrects=invoice.number,
        corrects_issued_on=invoice.issued_on,
        reason=reason,
        places=places,
    )


def credit_rates(
    invoice: Document, earlier: Sequence[Document], places: Sequence[int]
) -> tuple[RateTotal, ...]:
    """Per rate what these lines add to what was credited before, by the invoice's own policy.

    The VAT of all that is credited so far is always that of those lines together: with the last line it is the
    invoice's to the penny, in whatever order they were given back.
    """
    done = {place for note in earlier for place in note.places}
    found = []
    for rate in (total.rate for total in invoice.rates):
        now = [place for place in places if invoice.lines[place].rate == rate]
        if now:
            before = _total_of(invoice, done, rate)
            after = _total_of(invoice, done.union(now), rate)
            found.append(
                RateTotal(rate, after.net_micros - before.net_micros, after.vat_micros - before.vat_micros)
            )
    return tuple(found)


def _total_of(invoice: Document, places: Set[int], rate: Rate) -> RateTotal:
    amounts = [
        line.shown_micros for place, line in enumerate(invoice.lines) if place in places and line.rate == rate
    ]
    return rate_total(amounts, rate, invoice.mode, VatRounding(invoice.policy))
