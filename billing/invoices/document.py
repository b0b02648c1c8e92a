"""What is on a document: facts only, stored as JSON beside its row and never altered.

All amounts are micros, all days ISO dates of London. What a reader sees of it is paper.py's business; the same document
therefore gives the same paper whenever it is asked for. Fields may be appended with a default, never moved or renamed:
documents of six years are read by this file.
"""

import enum
from typing import Final

import msgspec

from billing.conf import Seller
from billing.vat import Rate, RateTotal
from rating.money import Micros, VatMode


class DocumentKind(enum.StrEnum):
    """As the column `invoices.kind`; a statement is no document of VAT and has no row."""

    INVOICE = "invoice"
    PAYMENT_INVOICE = "payment_invoice"
    CREDIT_NOTE = "credit_note"
    STATEMENT = "statement"


class Form(enum.StrEnum):
    """Full (VAT Regulations 1995, reg. 14) or simplified (reg. 16A)."""

    FULL = "full"
    SIMPLIFIED = "simplified"


class Addressee(msgspec.Struct, frozen=True):
    """Who it is for. `name` and `address` as they were on the day of issue."""

    account: str
    name: str
    contact: str = ""
    address: tuple[str, ...] = ()
    vat_number: str = ""
    purchase_order: str = ""


class Line(msgspec.Struct, frozen=True):
    """One line of the summary. `exact_micros` is what the ledger has, `shown_micros` its whole pennies, both in the
    account's own mode; `net_micros` is without VAT in any mode. A line of an earlier period `is_late`."""

    description: str
    rate: Rate
    exact_micros: Micros
    shown_micros: Micros
    net_micros: Micros
    detail: str = ""
    is_late: bool = False
    is_calls: bool = False


class Call(msgspec.Struct, frozen=True, array_like=True):
    """One call or text that was paid for, by credit or from a bundle. `at` is London's local time, to the second."""

    at: str
    number: str
    destination: str
    seconds: int
    charge_micros: Micros
    access_micros: Micros
    service_micros: Micros
    bundled_s: int
    is_text: bool
    is_late: bool


class LineCalls(msgspec.Struct, frozen=True):
    """The calls of one telephone line, in their order."""

    line: str
    calls: tuple[Call, ...]


class Group(msgspec.Struct, frozen=True):
    """All calls to one destination together."""

    destination: str
    is_text: bool
    count: int
    seconds: int
    bundled_s: int
    access_micros: Micros
    service_micros: Micros
    charge_micros: Micros


class BundleUse(msgspec.Struct, frozen=True):
    """Seconds that came out of a bundle."""

    name: str
    seconds: int


class OpenBefore(msgspec.Struct, frozen=True):
    """An earlier invoice that was not paid in full when this one was made."""

    number: str
    due_on: str
    open_micros: Micros


class Movement(msgspec.Struct, frozen=True):
    """A row of a statement that is not a call: money in or out, a subscription."""

    on: str
    description: str
    amount_micros: Micros


class Document(msgspec.Struct, frozen=True):
    """Everything on paper. `period_from` and `period_to` are the first and the last day of it.

    A credit note's amounts are positive: what is given back. Its `lines` stand for those of the invoice that `places`
    counts from 0. `is_collected`: by Direct Debit, so the customer need do nothing.
    """

    kind: DocumentKind
    form: Form
    number: str
    issued_on: str
    tax_point: str
    seller: Seller
    customer: Addressee
    mode: VatMode
    lines: tuple[Line, ...]
    rates: tuple[RateTotal, ...]
    net_micros: Micros
    vat_micros: Micros
    total_micros: Micros
    policy: str = ""
    due_on: str = ""
    period_from: str = ""
    period_to: str = ""
    corrects: str = ""
    corrects_issued_on: str = ""
    reason: str = ""
    places: tuple[int, ...] = ()
    payment: str = ""
    groups: tuple[Group, ...] = ()
    calls: tuple[LineCalls, ...] = ()
    bundles: tuple[BundleUse, ...] = ()
    open_before: tuple[OpenBefore, ...] = ()
    credit_micros: Micros = 0
    residue_micros: Micros = 0
    movements: tuple[Movement, ...] = ()
    opening_micros: Micros = 0
    closing_micros: Micros = 0
    is_collected: bool = False


# Some twelve megabytes; an account with more calls in a month than this has its totals only.
CALLS_MAX: Final = 100_000

_DECODER: Final = msgspec.json.Decoder(Document)


def encode_document(document: Document) -> str:
    """For the column, which is jsonb."""
    return msgspec.json.encode(document).decode()


def decode_document(text: str) -> Document:
    return _DECODER.decode(text)
