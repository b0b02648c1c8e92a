"""`offhook arrears ...`: who has not paid, what happens to them next, and who is given time."""

import datetime
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import asyncpg
import typer

from billing.arrears import letters as texts
from billing.arrears import plans, views
from billing.arrears.due import run_due
from billing.conf import BillingConf, NoBillingFile, load_billing
from offhook.commands.options import (
    ConfOption,
    DataOption,
    DsnOption,
    JsonOption,
    conf_dir,
    data_dir,
    problem_text,
    whole_number,
)
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_moment
from offhook.output import columns, print_error, print_facts, print_json, print_line, print_table
from rating.money import format_pounds
from switch.conf_files import ConfProblems

app = typer.Typer(help="Who has not paid: the ladder, holds, payment plans.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
NoteOption = Annotated[str, typer.Option("--note", help="What was agreed, for colleagues.")]
NOBODY = "Nobody is in arrears."

Result = TypeVar("Result")


@app.command("list")
def list_(data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False) -> None:
    """List the accounts that owe something overdue, are restricted, or have a hold or plan."""
    found = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: views.list_arrears(db, _today()))
    if as_json:
        print_json(found)
        return
    heads = columns("account", ">overdue", ">held", "oldest due", "stands at", "next", "hold")
    print_table(heads, [_row(view) for view in found], empty=NOBODY)


@app.command()
def show(
    name: NameArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Show what an account owes, where it stands, what holds that, and all that was done."""
    details = run_on_books(
        find_dsn(data_dir(data), given=dsn), lambda db: views.show_arrears(db, name, _today())
    )
    if as_json:
        print_json(details)
        return
    view = details.view
    print_facts(
        [
            ("account", view.account),
            ("overdue", format_pounds(view.overdue_micros)),
            ("of it held", format_pounds(view.held_micros)),
            ("stands at", _stands(view)),
            ("next", _next(view)),
            ("restriction", view.restriction or "none"),
            ("interest so far", format_pounds(details.interest_micros)),
        ]
    )
    for hold in details.holds:
        print_facts([("plan" if hold.is_plan else f"hold for {hold.reason}", _hold_text(hold))])
        for each in hold.instalments:
            print_facts([("instalment", f"{each.due_on.isoformat()} {format_pounds(each.amount_micros)}")])
    print_line("")
    rows = [
        [each.number, _day(each.due_on), format_pounds(each.total_micros), format_pounds(each.open_micros)]
        for each in details.invoices
    ]
    print_table(columns("invoice", "due", ">total", ">open"), rows, empty="No invoice is open.")
    print_line("")
    history = [
        [format_moment(each.at_ms), each.what, format_pounds(each.overdue_micros), each.note]
        for each in details.history
    ]
    print_table(columns("time", "what", ">overdue", "note"), history, empty="Nothing has been done yet.")


@app.command()
def hold(
    name: NameArgument,
    *,
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="The last day of it.")],
    reason: Annotated[str, typer.Option("--reason", help="difficulty, dispute or other.")],
    invoice: Annotated[str, typer.Option("--invoice", help="For this invoice alone.")] = "",
    note: NoteOption = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let an account be for a while: it is in difficulty, or disputes a bill. Lifts a restriction at once."""
    day = _date(until, "--until")
    made = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        _in_transaction(
            lambda connection: plans.add_hold(
                connection, name, until=day, reason=reason, note=note, invoice=invoice, today=_today()
            )
        ),
    )
    _print_hold(made, as_json=as_json)


@app.command()
def plan(
    name: NameArgument,
    *,
    instalments: Annotated[
        int,
        typer.Option("--instalments", parser=whole_number(least=1), metavar="NUMBER", help="Monthly parts."),
    ],
    first: Annotated[str, typer.Option("--first", metavar="DATE", help="When the first is to be paid.")],
    note: NoteOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Agree that all open invoices are paid in monthly instalments. Lifts a restriction at once; the customer is sent
    the plan."""
    day = _date(first, "--first")
    place = data_dir(data)
    billing = _load(conf_dir(place, conf))
    made = run_on_books(
        find_dsn(place, given=dsn),
        _in_transaction(
            lambda connection: plans.add_plan(
                connection, billing, name, instalments=instalments, first=day, note=note, today=_today()
            )
        ),
    )
    _print_hold(made, as_json=as_json)


@app.command()
def release(
    name: NameArgument,
    *,
    has_service: Annotated[
        bool, typer.Option("--service", help="Lift the restriction, too, whatever is owed.")
    ] = False,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """End the holds and plans of an account: the ladder goes on, with due warning."""
    said = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        _in_transaction(
            lambda connection: plans.release(connection, name, has_service=has_service, today=_today())
        ),
    )
    if as_json:
        print_json({"said": said})
    else:
        print_line(f"{said}.")


@app.command()
def run(
    data: DataOption = None, conf: ConfOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Do what is due today, as billing does by itself. Again, it does nothing."""
    place = data_dir(data)
    billing = _load(conf_dir(place, conf))
    lines = run_on_books(find_dsn(place, given=dsn), lambda db: run_due(db, billing, _today()))
    if as_json:
        print_json(lines)
        return
    for line in lines:
        print_line(line)
    if not lines:
        print_line(
            "Nothing is due."
            if billing.arrears.ladders
            else "billing.toml has no [arrears]: nothing happens."
        )


@app.command()
def letters(
    posted: Annotated[
        int | None,
        typer.Option(
            "--posted", parser=whole_number(least=1), metavar="NUMBER", help="This one was posted today."
        ),
    ] = None,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Print the letters to customers without an e-mail address. No restriction comes before its warning was posted."""
    address = find_dsn(data_dir(data), given=dsn)
    if posted is not None:
        run_on_books(address, lambda db: texts.posted(db, posted, _today()))
        print_line(f"Letter {posted} was posted today.")
        return
    found = run_on_books(address, texts.letters_to_post)
    if as_json:
        print_json(found)
        return
    for each in found:
        large = ", to be printed large" if each.wants_large_print else ""
        print_line(f"--- letter {each.id}, account {each.account}, {each.written_on.isoformat()}{large}")
        for line in (*each.address, "", each.subject, "", *each.text.split("\n")):
            print_line(line)
    if not found:
        print_line("No letter is to be posted.")


def _in_transaction(
    work: Callable[[asyncpg.Connection], Awaitable[Result]],
) -> Callable[[asyncpg.Pool], Awaitable[Result]]:
    async def run_it(db: asyncpg.Pool) -> Result:
        async with db.acquire() as connection, connection.transaction():
            return await work(connection)

    return run_it


def _load(directory: Path) -> BillingConf:
    try:
        return load_billing(directory)
    except NoBillingFile as problem:
        raise CommandError(str(problem), ExitCode.INVALID) from None
    except ConfProblems as found:
        for each in found.problems:
            print_error(problem_text(directory, each))
        raise CommandError("billing.toml cannot be used as it is", ExitCode.INVALID) from None


def _today() -> datetime.date:
    return datetime.datetime.now(ZoneInfo("Europe/London")).date()


def _date(text: str, option: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option}: expected a date such as 2026-12-01", ExitCode.INVALID) from None


def _print_hold(made: plans.Hold, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    print_line(f"{made.account}: {'a payment plan' if made.is_plan else 'a hold'} {_hold_text(made)}.")
    for each in made.instalments:
        print_line(f"  by {each.due_on.isoformat()}: {format_pounds(each.amount_micros)}")


def _hold_text(hold: plans.Hold) -> str:
    what = ", ".join(hold.invoices) or "all invoices"
    note = f" ({hold.note})" if hold.note else ""
    return f"until {hold.until.isoformat()} for {what}{note}"


def _row(view: views.ArrearsView) -> list[str]:
    return [
        view.account,
        format_pounds(view.overdue_micros),
        format_pounds(view.held_micros),
        _day(view.oldest_due_on),
        _stands(view),
        _next(view),
        view.held_by,
    ]


def _stands(view: views.ArrearsView) -> str:
    return f"{view.rung} since {_day(view.since)}" if view.rung else ""


def _next(view: views.ArrearsView) -> str:
    if not view.notice_for:
        return ""
    sent = "warned" if view.warned_on else "the warning has not left"
    return f"{view.notice_for} on {_day(view.effective_on)}, {sent}"


def _day(day: datetime.date | None) -> str:
    return "" if day is None else day.isoformat()
