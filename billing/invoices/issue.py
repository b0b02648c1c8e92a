"""What all documents share: who they are from and for, which form they need, and their row."""

import datetime
from collections.abc import Sequence

import asyncpg

from billing.conf import BillingConf, Seller
from billing.customers import Customer, CustomerKind
from billing.invoices.document import Addressee, Document, Form, decode_document, encode_document
from billing.invoices.wording import LONDON
from provisioning.ledger import MovementKind, post
from provisioning.problems import Refused, shown
from rating.money import VatMode


class CannotIssue(Refused):
    """The document would not be one: the seller's or the customer's particulars are missing. Nothing was changed."""


def check_seller(seller: Seller) -> None:
    """Raises CannotIssue unless [seller] has what stands on every invoice (VAT Regulations 1995, reg. 14 and 16A)."""
    missing = [
        name
        for name, value in (
            ("name", seller.name),
            ("address", seller.address),
            ("vat_number", seller.vat_number),
        )
        if not value
    ]
    if missing:
        raise CannotIssue(
            f"billing.toml has no {' and no '.join(missing)} of the [seller]: nothing can be invoiced"
        )


def form_for(total_micros: int, customer: Customer | None, limit_micros: int) -> Form:
    """A simplified one is enough up to the limit, for who needs no VAT invoice of his own."""
    needs_full = customer is not None and (
        customer.kind is not CustomerKind.CONSUMER or customer.vat_number or customer.purchase_order
    )
    return Form.FULL if needs_full or total_micros > limit_micros else Form.SIMPLIFIED


def addressee(account_name: str, customer: Customer | None, form: Form) -> Addressee:
    """Raises CannotIssue when a full invoice has nobody to go to."""
    if form is Form.FULL and (customer is None or not customer.name or not customer.address):
        raise CannotIssue(
            f"account {shown(account_name)} has no customer with a name and an address, which a full VAT invoice needs:"
            " `offhook customer set`"
        )
    if customer is None:
        return Addressee(account_name, "")
    return Addressee(
        account=account_name,
        name=customer.name,
        contact=customer.contact if customer.company else "",
        address=customer.address,
        vat_number=customer.vat_number,
        purchase_order=customer.purchase_order,
    )


def vat_mode(text: str) -> VatMode:
    return VatMode(text)


def midnight(day: datetime.date) -> datetime.datetime:
    """The day's first instant in London."""
    return datetime.datetime.combine(day, datetime.time(), LONDON)


async def insert_document(
    connection: asyncpg.Connection,
    document: Document,
    account_id: int,
    *,
    run_id: int | None = None,
    payment_id: int | None = None,
) -> int:
    """The row's id. The period's end is kept as the first day that is not of it."""

    def day(text: str) -> datetime.date | None:
        return datetime.date.fromisoformat(text) if text else None

    last = day(document.period_to)
    invoice_id: int = await connection.fetchval(
        "INSERT INTO invoices (number, kind, account_id, run_id, payment_id, corrects, issued_on, tax_point, due_on,"
        " period_from, period_to, net_micros, vat_micros, total_micros, document)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING id",
        document.number,
        document.kind.value,
        account_id,
        run_id,
        payment_id,
        document.corrects or None,
        day(document.issued_on),
        day(document.tax_point),
        day(document.due_on),
        day(document.period_from),
        last + datetime.timedelta(days=1) if last is not None else None,
        document.net_micros,
        document.vat_micros,
        document.total_micros,
        encode_document(document),
    )
    return invoice_id


async def mark_invoiced(
    connection: asyncpg.Connection, account_id: int, invoice_id: int, ledger_ids: Sequence[int]
) -> None:
    """These rows are on this document. A row that is on another already raises UniqueViolationError."""
    await connection.execute(
        "INSERT INTO invoiced (account_id, ledger_id, invoice_id) SELECT $1, unnest($2::bigint[]), $3",
        account_id,
        list(ledger_ids),
        invoice_id,
    )


async def post_own(
    connection: asyncpg.Connection, account_id: int, kind: MovementKind, amount_micros: int, number: str
) -> list[int]:
    """A movement that a document makes by itself, once. Its ledger id; none for nothing."""
    if amount_micros == 0:
        return []
    memo = {
        MovementKind.VAT: f"VAT of {number}",
        MovementKind.ROUNDING: f"below a penny on {number}",
        MovementKind.CREDIT_NOTE: f"credit note {number}",
    }[kind]
    key = f"document/{number}/{kind.value}"
    return [(await post(connection, account_id, kind, amount_micros, memo=memo, key=key)).ledger_id]


async def find_document(connection: asyncpg.Connection, number: str) -> Document:
    """Raises Refused for a number that there is not."""
    text = await connection.fetchval("SELECT document::text FROM invoices WHERE number = $1", number)
    if text is None:
        raise Refused(f"there is no document {shown(number)}")
    return decode_document(text)


__all__ = [
    "BillingConf",
    "CannotIssue",
    "addressee",
    "check_seller",
    "find_document",
    "form_for",
    "insert_document",
    "mark_invoiced",
    "midnight",
    "post_own",
    "vat_mode",
]
