"""`offhook invoice ...`: documents that were issued, on the screen, on paper and by mail; credit notes; statements."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import asyncpg
import typer

from offhook.commands.billing_days import london_today, parse_day, parse_month
from offhook.commands.billing_options import load_billing_or_fail
from offhook.commands.options import ConfOption, DataOption, DsnOption, JsonOption, data_dir, whole_number
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError
from offhook.output import columns, print_facts, print_json, print_line, print_table
from rating.money import format_pounds

if TYPE_CHECKING:
    from billing.invoices.document import Document

app = typer.Typer(help="Invoices, credit notes and statements.", no_args_is_help=True)

NumberArgument = Annotated[
    str, typer.Argument(metavar="NUMBER", help="The document's number, such as INV000123.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The file to write (default: its number in this directory)."),
]
LargeOption = Annotated[
    bool | None, typer.Option("--large-print/--normal-print", help="Default: as the customer wants it.")
]
LINES_MAX = 10_000
LISTED_DEFAULT = 100


@app.command("list")
def list_(
    *,
    account: Annotated[str | None, typer.Option("--account", help="Those of one account.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Issued on this day or later: 2026-10-01.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", parser=whole_number(least=1, most=LINES_MAX), metavar="NUMBER")
    ] = LISTED_DEFAULT,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List documents, the latest first. All that were ever issued are there."""
    from billing.invoices.listing import list_documents  # noqa: PLC0415 - a command costs what it imports

    day = parse_day(since, option="--since") if since else None
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: list_documents(db, account=account, since=day, limit=limit),
    )
    if as_json:
        print_json(found)
        return
    rows = [
        [
            item.number,
            item.kind.replace("_", " "),
            item.account,
            item.issued_on.isoformat(),
            item.due_on.isoformat() if item.due_on else "",
            format_pounds(item.total_micros),
            format_pounds(item.open_micros) if item.open_micros else "",
        ]
        for item in found
    ]
    heads = columns("number", "kind", "account", "issued", "due", ">total", ">open")
    print_table(heads, rows, empty="No document has been issued.")


@app.command()
def show(
    number: NumberArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Show a document: its lines, counted as `credit --line` counts them, and its VAT."""
    document = _find(data, dsn, number)
    if as_json:
        print_json(document)
        return
    _print(document)


@app.command()
def pdf(
    number: NumberArgument,
    *,
    output: OutputOption = None,
    is_large_print: LargeOption = None,
    data: DataOption = None,
    dsn: DsnOption = "",
) -> None:
    """Write a document as PDF. It is the same file whenever it is asked for."""
    from billing.pdf.render import render_pdf  # noqa: PLC0415 - typst is large

    async def work(db: asyncpg.Pool) -> "tuple[Document, bool]":
        from billing.invoices.issue import find_document  # noqa: PLC0415

        wants = await db.fetchval(
            "SELECT c.wants_large_print FROM invoices i JOIN customers c USING (account_id) WHERE i.number = $1",
            number,
        )
        return await find_document(db, number), bool(wants)

    document, wants_large = run_on_books(find_dsn(data_dir(data), given=dsn), work)
    is_large = wants_large if is_large_print is None else is_large_print
    _write(output or Path(f"{number}.pdf"), render_pdf(document, is_large_print=is_large))


@app.command()
def calls(number: NumberArgument, data: DataOption = None, dsn: DsnOption = "") -> None:
    """Print the calls of an invoice as CSV."""
    from billing.invoices.calls_file import calls_csv  # noqa: PLC0415

    print_line(calls_csv(_find(data, dsn, number)).replace("\r\n", "\n").rstrip("\n"))


@app.command()
def send(
    number: NumberArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Mail a document to its customer again, at the address and in the print that he has now."""
    from billing.invoices.copies import send_copy  # noqa: PLC0415

    to = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: send_copy(db, number))
    if as_json:
        print_json({"number": number, "to": to})
    else:
        print_line(f"{number} is on its way to {to}.")


@app.command()
def credit(
    number: NumberArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands on the credit note.")],
    line: Annotated[
        list[int] | None,
        typer.Option(
            "--line",
            parser=whole_number(least=1, most=LINES_MAX),
            metavar="NUMBER",
            help="A line of the invoice, from 1; more than once for several. Default: all that is left.",
        ),
    ] = None,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give back an invoice, or lines of it, by a credit note. The invoice itself is never altered."""
    from billing.invoices.credit import credit_invoice  # noqa: PLC0415

    place = data_dir(data)
    loaded = load_billing_or_fail(place, conf)
    note = run_on_books(
        find_dsn(place, given=dsn),
        lambda db: credit_invoice(
            db, loaded.conf, number, reason=reason, today=london_today(), lines=line or ()
        ),
    )
    if as_json:
        print_json(note)
        return
    print_line(f"Credit note {note.number} gives back {format_pounds(note.total_micros)} of {number}.")


@app.command()
def statement(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.")],
    *,
    month: Annotated[str, typer.Option("--month", help="Such as 2026-10.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it as PDF.")] = None,
    is_large_print: Annotated[bool, typer.Option("--large-print", help="In 18 point.")] = False,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """What an account paid in, used and has left of a month: for prepaid ones, who get no monthly invoice."""
    from billing.invoices.statement import make_statement  # noqa: PLC0415

    place = data_dir(data)
    loaded = load_billing_or_fail(place, conf)
    period = parse_month(month)
    today = london_today()

    async def work(db: asyncpg.Pool) -> "Document":
        async with db.acquire() as connection:
            return await make_statement(connection, loaded.conf, account, period, today=today)

    document = run_on_books(find_dsn(place, given=dsn), work)
    if output is not None:
        from billing.pdf.render import render_pdf  # noqa: PLC0415

        _write(output, render_pdf(document, is_large_print=is_large_print))
    elif as_json:
        print_json(document)
    else:
        _print(document)


def _find(data: Path | None, dsn: str, number: str) -> "Document":
    from billing.invoices.issue import find_document  # noqa: PLC0415

    return run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: find_document(db, number))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as problem:
        raise CommandError(f"{path} cannot be written: {problem.strerror or problem}") from None
    print_line(f"{path} written.")


def _print(document: "Document") -> None:
    from billing.pdf.paper import paper_of  # noqa: PLC0415

    paper = paper_of(document)
    print_line(f"{paper.title} {paper.number}".rstrip())
    print_facts([*paper.facts, ("For", ", ".join(paper.customer_lines)), (paper.amount_label, paper.amount)])
    print_line("")
    for table in (paper.summary, *((paper.vat,) if paper.vat is not None else ()), *paper.details):
        heads = columns(">", table.heads[0].lower(), *[f">{head.lower()}" for head in table.heads[1:]])
        rows = [
            [str(place), f"{row.text} ({row.detail})" if row.detail else row.text, *row.cells]
            for place, row in enumerate(table.rows, 1)
        ]
        if table.total is not None:
            rows.append(["", table.total.text, *table.total.cells])
        print_line(table.title)
        print_table(heads, rows, empty="nothing")
        print_line("")
    print_facts(list(paper.sums))
    for note in paper.notes:
        print_line(note)
