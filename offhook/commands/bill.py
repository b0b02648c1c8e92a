"""`offhook bill ...`: the monthly run, and the proof that billing adds up; beside them the daily work and mails."""

from typing import Annotated

import typer

from offhook.commands.bill_due import due, mails
from offhook.commands.billing_days import london_today, parse_month
from offhook.commands.billing_options import load_billing_or_fail
from offhook.commands.options import ConfOption, DataOption, DsnOption, JsonOption, data_dir
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError
from offhook.output import columns, print_json, print_line, print_table
from rating.money import format_pounds

app = typer.Typer(help="Billing: the monthly run, the proof, the daily work, mails.", no_args_is_help=True)
app.command()(due)
app.command()(mails)


@app.command()
def run(
    *,
    month: Annotated[str, typer.Option("--month", help="The month to invoice, such as 2026-10.")],
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be made, and make nothing.")
    ] = False,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make the invoices of a month: one for each postpaid account that has anything to bill.

    Given again it makes none twice, and goes on where it was stopped.
    """
    from billing.invoices.run import run_month  # noqa: PLC0415 - a command costs what it imports

    place = data_dir(data)
    loaded = load_billing_or_fail(place, conf)
    period = parse_month(month)
    made = run_on_books(
        find_dsn(place, given=dsn),
        lambda db: run_month(db, loaded.conf, period, today=london_today(), is_dry=is_dry),
    )
    done = [item for item in made if not item.problem]
    problems = [f"{item.account}: {item.problem}" for item in made if item.problem]
    if as_json:
        print_json(made)
    else:
        rows = [[item.number or "(dry run)", item.account, format_pounds(item.total_micros)] for item in done]
        print_table(columns("number", "account", ">total"), rows, empty="There was nothing to invoice.")
        if done:
            total = format_pounds(sum(item.total_micros for item in done))
            print_line(f"{len(done)} {'would be made' if is_dry else 'made'}, {total} with VAT.")
    if problems:
        raise CommandError("\n".join(problems))


@app.command()
def check(data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False) -> None:
    """Prove that the ledger, the calls, the invoices, VAT and payments add up; print every difference."""
    from billing.invoices.check import check_billing  # noqa: PLC0415

    proof = run_on_books(find_dsn(data_dir(data), given=dsn), check_billing)
    if as_json:
        print_json(proof)
    else:
        for line in proof.waiting:
            print_line(line)
        if not proof.differences:
            print_line(f"Everything adds up: balances, calls and {proof.documents} documents.")
    if proof.differences:
        raise CommandError("\n".join(proof.differences))
