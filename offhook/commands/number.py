"""`offhook number ...`: which DDI rings which line."""

from typing import Annotated

import typer

from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir
from offhook.database import find_dsn, run_on_books
from offhook.moments import format_moment
from offhook.output import columns, print_json, print_line, print_table
from provisioning import service
from provisioning.views import NumberView

app = typer.Typer(help="Which number rings which line.", no_args_is_help=True)

NumberArgument = Annotated[
    str,
    typer.Argument(
        metavar="NUMBER",
        help='As people write it: "01632 960001", "+44 1632 960001"; or a range: 02079460100-02079460199.',
    ),
]


@app.command()
def assign(
    number: NumberArgument,
    line: Annotated[str, typer.Option("--line", help="The line that it rings.")],
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a number ring a line, or a range of numbers: all of it or none."""
    views = run_on_books(
        find_dsn(data_dir(data), given=dsn), lambda db: service.assign_numbers(db, number, line)
    )
    _print(views, as_json=as_json, verb=("rings", "ring"))


@app.command()
def unassign(
    number: NumberArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Take a number from its line, or a range of numbers."""
    views = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: service.unassign_numbers(db, number))
    _print(views, as_json=as_json, verb=("no longer rings", "no longer ring"))


@app.command("list")
def list_(data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False) -> None:
    """List the numbers assigned here."""
    views = run_on_books(find_dsn(data_dir(data), given=dsn), service.list_numbers)
    if as_json:
        print_json(views)
        return
    rows = [
        [view.e164, view.line, view.plan, view.account, format_moment(view.assigned_at_ms)] for view in views
    ]
    heads = columns("number", "line", "plan", "account", "since")
    print_table(heads, rows, empty="No number is assigned: `offhook number assign NUMBER --line USER`.")


def _print(views: list[NumberView], *, as_json: bool, verb: tuple[str, str]) -> None:
    """A range as a list, a single number as itself."""
    first, last = views[0], views[-1]
    if as_json:
        print_json(views if len(views) > 1 else first)
    elif len(views) > 1:
        print_line(f"{len(views)} numbers, {first.e164} to {last.e164}, {verb[1]} line {first.line}.")
    else:
        print_line(f"{first.e164} {verb[0]} line {first.line}.")
