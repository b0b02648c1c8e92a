"""The mail that takes a document to its customer, PDF attached (in large print for who wants that)."""

from pathlib import Path
from typing import Final

import asyncpg
import jinja2

from billing.customers import Customer
from billing.invoices.calls_file import PRINTED_CALLS_MAX, calls_csv, count_calls
from billing.invoices.document import Document, DocumentKind
from billing.invoices.wording import shown_iso_day
from billing.mail import ATTACHED_BYTES_MAX, Attachment, queue_mail
from rating.money import format_pounds

TEXTS: Final = Path(__file__).parents[1] / "texts"
# Plain text: nothing is escaped, and nobody's words are ever a template.
_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEXTS),
    autoescape=False,  # noqa: S701
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TITLES: Final = {
    DocumentKind.INVOICE: "Invoice",
    DocumentKind.PAYMENT_INVOICE: "VAT invoice for your payment",
    DocumentKind.CREDIT_NOTE: "Credit note",
}


async def queue_document(
    connection: asyncpg.Connection, document: Document, customer: Customer | None, *, again: str = ""
) -> bool:
    """False for a customer without an address of mail, and for a document that was mailed before.

    `again` makes another mail of it: a copy that somebody asked for.
    """
    if customer is None or not customer.email:
        return False
    return await queue_mail(
        connection,
        key=f"document/{document.number}{again}",
        to=customer.email,
        subject=f"{TITLES[document.kind]} {document.number} from {document.seller.name}",
        text=document_text(document, customer),
        attachments=_attachments(document, customer),
    )


def _attachments(document: Document, customer: Customer) -> list[Attachment]:
    pdf = Attachment(
        f"{document.number}.pdf", invoice_number=document.number, is_large_print=customer.wants_large_print
    )
    if count_calls(document) <= PRINTED_CALLS_MAX:
        return [pdf]
    calls = calls_csv(document).encode()[:ATTACHED_BYTES_MAX]
    return [pdf, Attachment(f"{document.number}-calls.csv", "text/csv", calls)]


def document_text(document: Document, customer: Customer) -> str:
    """The body of the mail."""
    return _TEMPLATES.get_template(f"{document.kind.value}.txt").render(
        document=document,
        seller=document.seller,
        name=customer.contact or customer.company,
        total=format_pounds(document.total_micros),
        due=shown_iso_day(document.due_on),
        issued=shown_iso_day(document.issued_on),
        corrects_issued=shown_iso_day(document.corrects_issued_on),
        first=shown_iso_day(document.period_from),
        last=shown_iso_day(document.period_to),
    )
