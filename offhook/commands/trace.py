"""`offhook trace ...`: malicious calls, for the few who may know who really called. Each reading is on record."""

import os
from typing import Annotated

import msgspec
import typer

from care.looks import system_user
from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir, whole_number
from offhook.control_client import ask
from offhook.database import find_dsn, run_on_books
from offhook.moments import format_moment
from offhook.output import columns, print_facts, print_json, print_line, print_table
from provisioning import traced_calls
from provisioning.printable import shorten
from provisioning.traced_calls import LIMIT_MAX
from rating.records import TracedCall

app = typer.Typer(
    help="Malicious calls that were marked, and who has read whose they are.", no_args_is_help=True
)

LIMIT_DEFAULT = 50

ReaderOption = Annotated[
    str, typer.Option("--reader", metavar="NAME", help="Who reads; it is kept with what was read.")
]
WhyOption = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="What for: the case, or the police's reference.")
]
LimitOption = Annotated[
    int,
    typer.Option(
        "--limit", parser=whole_number(least=1, most=LIMIT_MAX), metavar="NUMBER", help="At most so many."
    ),
]


@app.command("list")
def list_(
    *,
    reader: ReaderOption,
    why: WhyOption,
    line: Annotated[str, typer.Option("--line", help="Only calls to this line.")] = "",
    limit: LimitOption = LIMIT_DEFAULT,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the calls that were traced, the latest first, without the callers."""
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: traced_calls.list_traced(db, reader=signed(reader), reason=why, line=line, limit=limit),
    )
    if as_json:
        print_json(found)
        return
    heads = columns("called", "call", "line", "marked", "by")
    rows = [
        [
            format_moment(view.called_at_ms),
            view.call_id,
            view.line,
            format_moment(view.marked_at_ms),
            view.marked_by,
        ]
        for view in found
    ]
    print_table(heads, rows, empty="No call was traced.")


@app.command()
def show(
    call_id: Annotated[str, typer.Argument(metavar="CALL", help="As `offhook trace list` shows it.")],
    *,
    reader: ReaderOption,
    why: WhyOption,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show who made a traced call, withheld or not."""
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: traced_calls.show_traced(db, call_id, reader=signed(reader), reason=why),
    )
    if as_json:
        print_json([_fields(record) for record in found])
        return
    for record in found:
        print_facts(_facts(record))


@app.command()
def readings(
    limit: LimitOption = LIMIT_DEFAULT,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show who has read what, the latest first."""
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn), lambda db: traced_calls.list_readings(db, limit)
    )
    if as_json:
        print_json(found)
        return
    heads = columns("read", "by", "call", "line", "why")
    rows = [
        [format_moment(each.at_ms), each.reader, each.call_id or "(list)", each.line, each.reason]
        for each in found
    ]
    print_table(heads, rows, empty="Nobody has read anything.")


@app.command()
def mark(
    user: Annotated[str, typer.Argument(metavar="LINE", help="The line that was called.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have the last call to a line traced."""
    call_id = ask(data_dir(data), "mark_last_call", user=user)
    if as_json:
        print_json({"call_id": call_id})
    else:
        print_line(f"Call {shorten(str(call_id))} is marked.")


def signed(reader: str) -> str:
    """With the login that gives the command: a name alone is what anybody types."""
    login = os.environ.get("SUDO_USER") or system_user()
    return f"{reader} (login {login})" if reader.strip() else reader


def _facts(record: TracedCall) -> list[tuple[str, str]]:
    return [
        ("call", record.call_id),
        ("line", record.line),
        ("called", format_moment(record.called_at_ms)),
        ("marked", f"{format_moment(record.marked_at_ms)} by {record.marked_by}"),
        ("network number", record.network_number or "none"),
        ("presentation number", record.presentation_number or "none"),
        ("withheld", "yes" if record.is_withheld else "no"),
        ("came from", f"line {record.caller_line}" if record.caller_line else f"trunk {record.trunk}"),
        ("address", record.source_address),
        *(("received", field) for field in record.identity_headers.split("\n") if field),
    ]


def _fields(record: TracedCall) -> dict[str, object]:
    """By name: the record itself travels as an array."""
    return {name: msgspec.to_builtins(getattr(record, name)) for name in record.__struct_fields__}
