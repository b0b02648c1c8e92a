"""`offhook quarantine ...`: the records that the books could not take, each a call or money to be looked at."""

from typing import Annotated

import typer

from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir, whole_number
from offhook.database import find_dsn, run_on_books
from offhook.moments import format_moment
from offhook.output import columns, print_facts, print_json, print_line, print_table
from provisioning import service
from provisioning.quarantine import LIMIT_MAX
from provisioning.views import QuarantinedRecord

app = typer.Typer(help="Records that the books could not take: look at each.", no_args_is_help=True)

LIMIT_DEFAULT = 50
ID_MAX = (1 << 63) - 1

IdArgument = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=ID_MAX, help="As `offhook quarantine list` shows it.")
]


@app.command("list")
def list_(
    limit: Annotated[
        int,
        typer.Option(
            "--limit", parser=whole_number(least=1, most=LIMIT_MAX), metavar="NUMBER", help="At most so many."
        ),
    ] = LIMIT_DEFAULT,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List them, the latest first; --json has all of every record."""
    records = run_on_books(
        find_dsn(data_dir(data), given=dsn), lambda db: service.list_quarantined(db, limit)
    )
    if as_json:
        print_json(records)
        return
    heads = columns(">id", "since", "kind", "call", ">leg", ">batch", "reason")
    print_table(heads, [_row(record) for record in records], empty="Nothing is in quarantine.")


@app.command()
def show(
    record_id: IdArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Show one with all its fields, or its bytes where they cannot be read."""
    record = run_on_books(
        find_dsn(data_dir(data), given=dsn), lambda db: service.show_quarantined(db, record_id)
    )
    if as_json:
        print_json(record)
    else:
        print_facts(_facts(record))


@app.command()
def remove(
    record_id: IdArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Remove one that has been put right by hand. It is printed once more: this is its last copy."""
    record = run_on_books(
        find_dsn(data_dir(data), given=dsn), lambda db: service.remove_quarantined(db, record_id)
    )
    if as_json:
        print_json(record)
        return
    print_facts([*_facts(record), ("bytes", record.raw_hex)] if record.fields else _facts(record))
    print_line(f"Record {record.id} is removed.")


def _row(record: QuarantinedRecord) -> list[str]:
    fields = record.fields
    return [
        str(record.id),
        format_moment(record.at_ms),
        record.kind,
        str(fields.get("call_id", "")),
        str(fields.get("leg", "")),
        str(record.batch),
        record.reason,
    ]


def _facts(record: QuarantinedRecord) -> list[tuple[str, str]]:
    facts = [
        ("id", str(record.id)),
        ("since", format_moment(record.at_ms)),
        ("reason", record.reason),
        ("journal", f"{record.epoch}, batch {record.batch}"),
        ("kind", record.kind or "no record that can be read"),
    ]
    if not record.fields:
        return [*facts, ("bytes", record.raw_hex or "none")]
    return [*facts, *((name, "" if value is None else str(value)) for name, value in record.fields.items())]
