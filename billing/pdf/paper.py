"""A document as its reader sees it: every amount, day and number a text, in its place on the page. Pure.

The template lays these texts out and knows nothing of money; nothing here is markup, so what a customer is called is
only ever text. Amounts of summaries are whole pennies; amounts of calls have as many decimals as show all of a table's
exactly.
"""

import datetime
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from billing.invoices.calls_file import PRINTED_CALLS_MAX, count_calls
from billing.invoices.document import Call, Document, DocumentKind, Form, Group, Line
from billing.invoices.wording import (
    MONTHS,
    counted,
    shown_duration,
    shown_iso_day,
    shown_number,
    shown_period,
)
from billing.vat import BASIS_POINTS, Rate
from rating.money import MICROS_PER_POUND, Micros, VatMode

MINUS: Final = "\u2212"
DASH: Final = "\u2013"
DECIMALS: Final = (2, 3, 4, 6)


class Row(msgspec.Struct, frozen=True):
    """A row of a table: a text, a smaller one beneath it, the cells to the right."""

    text: str
    detail: str
    cells: tuple[str, ...]


class Table(msgspec.Struct, frozen=True):
    """`heads` has one for the text and one for each cell. `total` stands below, emphasised."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    total: Row | None = None
    note: str = ""


class Paper(msgspec.Struct, frozen=True):
    """A page's texts in their order. `amount_label` and `amount` are what the reader looks for first."""

    title: str
    number: str
    subject: str
    seller_name: str
    seller_lines: tuple[str, ...]
    seller_facts: tuple[str, ...]
    customer_lines: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    amount_label: str
    amount: str
    amount_note: str
    summary: Table
    sums: tuple[tuple[str, str], ...]
    vat: Table | None
    pay_title: str
    pay: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    details: tuple[Table, ...]


TITLES: Final = {
    DocumentKind.INVOICE: "VAT invoice",
    DocumentKind.PAYMENT_INVOICE: "VAT invoice",
    DocumentKind.CREDIT_NOTE: "VAT credit note",
    DocumentKind.STATEMENT: "Statement",
}


def paper_of(document: Document) -> Paper:
    """Everything that is printed, in any size of print."""
    label, note = _headline(document)
    return Paper(
        title=TITLES[document.kind],
        number=document.number,
        subject=_subject(document),
        seller_name=document.seller.name,
        seller_lines=document.seller.address,
        seller_facts=_seller_facts(document),
        customer_lines=_customer_lines(document),
        facts=_facts(document),
        amount_label=label,
        amount=money_exact(document.closing_micros)
        if _is_statement(document)
        else money(document.total_micros),
        amount_note=note,
        summary=_movements(document) if _is_statement(document) else _summary(document),
        sums=() if _is_statement(document) else _sums(document),
        vat=_vat_table(document) if document.form is Form.FULL and not _is_statement(document) else None,
        pay_title="How to pay",
        pay=_pay(document),
        notes=tuple(_notes(document)),
        details=tuple(_details(document)),
    )


def money(micros: Micros, decimals: int = 2) -> str:
    """ "£1,234.50", with a real minus sign. `micros` must not have more decimals than asked for."""
    unit = MICROS_PER_POUND // 10**decimals
    assert micros % unit == 0, f"{micros} micros in {decimals} decimals"
    pounds, rest = divmod(abs(micros) // unit, 10**decimals)
    return f"{MINUS if micros < 0 else ''}£{pounds:,}.{rest:0{decimals}d}"


def decimals_for(amounts: Iterable[Micros]) -> int:
    """So many that all of a column are shown exactly."""
    listed = list(amounts)
    for decimals in DECIMALS:
        if all(micros % (MICROS_PER_POUND // 10**decimals) == 0 for micros in listed):
            return decimals
    raise AssertionError("micros have six decimals")


def shown_rate(rate: Rate) -> str:
    """ "20%", "17.5%", "none" for what is outside the scope."""
    if rate is None:
        return "none"
    whole, rest = divmod(rate * 100, BASIS_POINTS)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + "%"


def _is_statement(document: Document) -> bool:
    return document.kind is DocumentKind.STATEMENT


def _subject(document: Document) -> str:
    name = f"{TITLES[document.kind]} {document.number}".strip()
    return f"{name} from {document.seller.name}"


def _headline(document: Document) -> tuple[str, str]:
    match document.kind:
        case DocumentKind.INVOICE:
            if document.is_collected:
                return "Total", "to be collected by Direct Debit"
            return "Total to pay", f"by {shown_iso_day(document.due_on)}"
        case DocumentKind.PAYMENT_INVOICE:
            return "Paid", "with thanks: there is nothing to pay"
        case DocumentKind.CREDIT_NOTE:
            return "Credit to you", f"on {document.corrects}"
        case DocumentKind.STATEMENT:
            return "Balance", f"at the end of {shown_iso_day(document.period_to)}"


def _seller_facts(document: Document) -> tuple[str, ...]:
    seller = document.seller
    named = (("Telephone ", seller.phone), ("", seller.email), ("", seller.website))
    registered = (("VAT number ", seller.vat_number), ("Company number ", seller.company_number))
    return tuple(label + value for label, value in (*named, *registered) if value)


def _customer_lines(document: Document) -> tuple[str, ...]:
    customer = document.customer
    return tuple(line for line in (customer.name, customer.contact, *customer.address) if line)


def _facts(document: Document) -> tuple[tuple[str, str], ...]:
    customer = document.customer
    tax_point = document.tax_point if document.tax_point != document.issued_on else ""
    facts = (
        ("Credit note" if document.kind is DocumentKind.CREDIT_NOTE else "Invoice", document.number),
        ("Date", shown_iso_day(document.issued_on)),
        ("Tax point", shown_iso_day(tax_point)),
        ("Period", _period(document)),
        (
            "Corrects",
            document.corrects and f"{document.corrects} of {shown_iso_day(document.corrects_issued_on)}",
        ),
        ("Account", customer.account),
        ("Your order", customer.purchase_order),
        ("Your VAT number", customer.vat_number),
    )
    return tuple((label, value) for label, value in facts if value)


def _period(document: Document) -> str:
    if not document.period_from:
        return ""
    first, last = (datetime.date.fromisoformat(day) for day in (document.period_from, document.period_to))
    return shown_period(first, last)


def _summary(document: Document) -> Table:
    """An amount for each line: net where VAT is added, both where it is contained, gross alone on a simplified one."""
    rows = []
    for line in document.lines:
        text = f"{line.description} (earlier period)" if line.is_late else line.description
        rows.append(Row(text, line.detail, (shown_rate(line.rate), *_line_amounts(document, line))))
    return Table("Summary", ("Description", "VAT", *_amount_heads(document)), tuple(rows))


def _amount_heads(document: Document) -> tuple[str, ...]:
    if document.mode is VatMode.EX_VAT:
        return ("Net",)
    return ("With VAT",) if document.form is Form.SIMPLIFIED else ("Net", "With VAT")


def _line_amounts(document: Document, line: Line) -> tuple[str, ...]:
    if document.mode is VatMode.INC_VAT and document.form is Form.FULL:
        return money(line.net_micros), money(line.shown_micros)
    return (money(line.shown_micros),)


def _sums(document: Document) -> tuple[tuple[str, str], ...]:
    word = "Total credit" if document.kind is DocumentKind.CREDIT_NOTE else "Total"
    return (
        ("Net total", money(document.net_micros)),
        ("VAT", money(document.vat_micros)),
        (f"{word} with VAT", money(document.total_micros)),
    )


def _vat_table(document: Document) -> Table:
    """What HMRC asks for: of each rate the amount without VAT, the VAT, and both."""
    rows = tuple(
        Row(
            "No VAT" if total.rate is None else f"VAT at {shown_rate(total.rate)}",
            "",
            (money(total.net_micros), money(total.vat_micros), money(total.gross_micros)),
        )
        for total in document.rates
    )
    return Table("VAT by rate", ("Rate", "Net", "VAT", "Total"), rows)


def _pay(document: Document) -> tuple[tuple[str, str], ...]:
    seller = document.seller
    if (
        document.kind is not DocumentKind.INVOICE
        or document.is_collected
        or not (seller.sort_code and seller.account_number)
    ):
        return ()
    facts = (
        ("Bank", seller.bank_name),
        ("Account name", seller.account_name or seller.name),
        ("Sort code", seller.sort_code),
        ("Account number", seller.account_number),
        ("Please quote the invoice number", document.number),
    )
    return tuple((label, value) for label, value in facts if value)


def _notes(document: Document) -> list[str]:
    notes = []
    if document.reason:
        notes.append(f"Reason: {document.reason}")
    if document.is_collected:
        notes.append(
            "You need do nothing: we collect this by Direct Debit, and tell you the date beforehand."
        )
    if document.payment:
        notes.append(document.payment)
    if document.credit_micros:
        amount = money(document.credit_micros)
        notes.append(
            f"You have {amount} with us, which has been set against what you owe, this invoice last."
        )
    for item in document.open_before:
        due = f", due by {shown_iso_day(item.due_on)}" if item.due_on else ""
        notes.append(
            f"Invoice {item.number}{due}, was open with {money(item.open_micros)} when this one was made."
        )
    if document.kind is DocumentKind.STATEMENT:
        notes.append("This is no VAT invoice. VAT was charged when credit was paid for.")
    if document.kind is DocumentKind.CREDIT_NOTE and document.mode is VatMode.INC_VAT:
        notes.append("Amounts with VAT contain it; the table shows how much.")
    if count_calls(document) > PRINTED_CALLS_MAX:
        notes.append(f"Your {count_calls(document):,} calls come as a file beside this invoice.")
    if any(line.is_late for line in document.lines):
        notes.append(
            "Charges marked as of an earlier period had not reached us when that period was invoiced."
        )
    return notes


def _details(document: Document) -> Iterable[Table]:
    word = "without VAT" if document.mode is VatMode.EX_VAT else "with VAT"
    if document.groups:
        yield _groups_table(document.groups, word)
    if document.bundles:
        rows = tuple(Row(use.name, "", (shown_duration(use.seconds),)) for use in document.bundles)
        yield Table("Included minutes that you used", ("Bundle", "Time"), rows)
    if count_calls(document) <= PRINTED_CALLS_MAX:
        for line in document.calls:
            yield calls_table(line.line, line.calls, word)


def _groups_table(groups: Sequence[Group], word: str) -> Table:
    amounts = [
        part for group in groups for part in (group.charge_micros, group.access_micros, group.service_micros)
    ]
    decimals = decimals_for(amounts)
    rows = tuple(
        Row(
            f"Texts to {group.destination}" if group.is_text else group.destination,
            _parts(group.access_micros, group.service_micros, group.bundled_s, decimals),
            (
                f"{group.count:,}",
                "" if group.is_text else shown_duration(group.seconds),
                money(group.charge_micros, decimals),
            ),
        )
        for group in groups
    )
    total = Row(
        "Total",
        "",
        (
            f"{sum(group.count for group in groups):,}",
            shown_duration(sum(group.seconds for group in groups)),
            money(sum(group.charge_micros for group in groups), decimals),
        ),
    )
    heads = ("Destination", "Calls", "Time", f"Price {word}")
    return Table("Calls by destination", heads, rows, total)


def calls_table(line: str, calls: Sequence[Call], word: str) -> Table:
    """One telephone line's calls; the largest bills have thousands."""
    amounts = [
        part for call in calls for part in (call.charge_micros, call.access_micros, call.service_micros)
    ]
    decimals = decimals_for(amounts)
    rows = tuple(
        Row(
            _when(call.at),
            _parts(call.access_micros, call.service_micros, call.bundled_s, decimals, is_late=call.is_late),
            (
                shown_number(call.number) or DASH,
                call.destination,
                "text" if call.is_text else shown_duration(call.seconds),
                money(call.charge_micros, decimals),
            ),
        )
        for call in calls
    )
    total = money(sum(call.charge_micros for call in calls), decimals)
    seconds = shown_duration(sum(call.seconds for call in calls))
    return Table(
        f"Calls of {line}",
        ("When", "Number", "Destination", "Time", f"Price {word}"),
        rows,
        Row(f"Total of {counted(len(calls), 'call')}", "", ("", "", seconds, total)),
    )


def _when(at: str) -> str:
    """ "3 Oct 14:05:09"."""
    moment = datetime.datetime.fromisoformat(at)
    return f"{moment.day} {MONTHS[moment.month - 1][:3]} {moment:%H:%M:%S}"


def _parts(access: Micros, service: Micros, bundled_s: int, decimals: int, *, is_late: bool = False) -> str:
    """What stands below a call: the two charges of the unbundled tariff, minutes of a bundle, that it came late."""
    parts = []
    if access or service:
        parts.append(f"access charge {money(access, decimals)} + service {money(service, decimals)}")
    if bundled_s:
        parts.append(f"{shown_duration(bundled_s)} from a bundle")
    if is_late:
        parts.append("earlier period")
    return "; ".join(parts)


def _movements(document: Document) -> Table:
    amounts = [item.amount_micros for item in document.movements]
    decimals = decimals_for([document.opening_micros, document.closing_micros, *amounts])
    rows = [Row("Balance brought forward", "", (money(document.opening_micros, decimals),))]
    rows += [
        Row(item.description, shown_iso_day(item.on), (money(item.amount_micros, decimals),))
        for item in document.movements
    ]
    total = Row("Balance", "", (money(document.closing_micros, decimals),))
    return Table("Movements", ("What", "Amount"), tuple(rows), total)


def money_exact(micros: Micros) -> str:
    """With as many decimals as it has."""
    return money(micros, decimals_for([micros]))
