"""`offhook cdr list`: the records of calls, the latest first."""

from typing import Annotated

import msgspec
import typer

from media.course import CourseError, Slice, read_course
from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir, whole_number
from offhook.database import find_dsn, run_on_books
from offhook.moments import format_duration, format_moment, local_now, parse_moment
from offhook.output import columns, print_json, print_table
from provisioning import service
from provisioning.views import CdrQuery, CdrView
from rating.money import format_pounds
from rating.records import MediaFigures

app = typer.Typer(help="The records of calls.", no_args_is_help=True)

LIMIT_DEFAULT = 50
LIMIT_MAX = 100_000
MEDIA_SHOWN = [name for name in MediaFigures.__struct_fields__ if name not in ("call_id", "leg", "course")]


@app.command("list")
def list_(
    *,
    since: Annotated[
        str, typer.Option("--since", help='From then on: "2026-11-22 09:30" (local), today, 90m, 7d.')
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Before this time.")] = "",
    account: Annotated[str, typer.Option("--account", help="Only this account's calls.")] = "",
    cli: Annotated[str, typer.Option("--cli", help="Only calls from this number.")] = "",
    called: Annotated[str, typer.Option("--called", help="Only calls to this number.")] = "",
    call_id: Annotated[str, typer.Option("--call-id", help="Only the legs of this call.")] = "",
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
    """List calls, one row for every leg; --json has all of every record."""
    now = local_now()
    query = CdrQuery(
        since=parse_moment(since, now=now, option="--since") if since else None,
        until=parse_moment(until, now=now, option="--until") if until else None,
        account=account,
        cli=cli,
        called=called,
        call_id=call_id,
        limit=limit,
    )
    views = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: service.list_cdrs(db, query))
    if as_json:
        print_json([_full(view) for view in views])
        return
    heads = columns(
        f"setup ({now.tzname()})",
        "call",
        ">leg",
        "from",
        "to",
        "account",
        ">talked",
        ">cost",
        "outcome",
        "reason",
    )
    print_table(heads, [_row(view) for view in views], empty="No call is on record.")


def _row(view: CdrView) -> list[str]:
    cdr = view.cdr
    talked = "" if cdr.answered_at_ms is None else format_duration(cdr.duration_ms // 1000)
    return [
        format_moment(cdr.setup_at_ms),
        cdr.call_id,
        str(cdr.leg),
        cdr.network_number or cdr.line or cdr.trunk,
        cdr.destination or cdr.dialled,
        view.payer or view.account,
        talked,
        format_pounds(cdr.cost_micros) if cdr.cost_micros else "",
        cdr.outcome,
        cdr.reason,
    ]


def _full(view: CdrView) -> dict[str, object]:
    """Every field by its name; the record itself travels as an array."""
    fields = {name: getattr(view.cdr, name) for name in view.cdr.__struct_fields__}
    media = [
        {**{name: getattr(figures, name) for name in MEDIA_SHOWN}, "course": _course(figures.course)}
        for figures in view.media
    ]
    return {**msgspec.to_builtins(fields), "account": view.account, "payer": view.payer, "media": media}


def _course(packed: bytes) -> list[Slice]:
    try:
        return read_course(packed)
    except CourseError:  # written by a later release, perhaps
        return []
