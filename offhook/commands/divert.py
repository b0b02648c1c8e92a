"""`offhook divert ...`: where calls to a line go when it does not take them. A line that has one to voicemail has a
mailbox."""

from typing import Annotated

import typer

from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir, whole_number
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import columns, print_json, print_line, print_table
from provisioning import service
from provisioning.diverts import RING_S_DEFAULT, WHEN_NOT_TAKEN
from provisioning.model import Divert, DivertCondition, DivertKind
from provisioning.rules import RING_S_MAX, RING_S_MIN
from provisioning.views import LineView

app = typer.Typer(help="Where calls to a line go when it does not take them.", no_args_is_help=True)

LineArgument = Annotated[str, typer.Argument(metavar="USER", help="The line that is called, such as 1001.")]
_WORDS = {
    DivertCondition.ALL: "all calls",
    DivertCondition.BUSY: "busy",
    DivertCondition.NO_REPLY: "no reply",
    DivertCondition.UNREACHABLE: "not registered or unreachable",
}


@app.command("set")
def set_(
    user: LineArgument,
    conditions: Annotated[
        list[DivertCondition] | None,
        typer.Argument(
            metavar="[all|busy|no_reply|unreachable]...",
            help="When; without any: busy, no_reply and unreachable.",
        ),
    ] = None,
    *,
    kind: Annotated[DivertKind, typer.Option("--to", help="Where such calls go.")] = DivertKind.VOICEMAIL,
    ring_s: Annotated[
        int | None,
        typer.Option(
            "--ring-s",
            parser=whole_number(least=RING_S_MIN, most=RING_S_MAX),
            metavar="SECONDS",
            help=f"How long the line rings before no_reply: {RING_S_MIN} to {RING_S_MAX}."
            f" Default: {RING_S_DEFAULT}.",
        ),
    ] = None,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let calls go on. Conditions that are not named stay as they are."""
    wanted = conditions or list(WHEN_NOT_TAKEN)
    if ring_s is not None and DivertCondition.NO_REPLY not in wanted:
        raise CommandError("--ring-s is for no_reply, which is not named", ExitCode.INVALID)
    seconds = RING_S_DEFAULT if ring_s is None else ring_s
    view = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: service.set_diverts(db, user, wanted, kind=kind, ring_s=seconds),
    )
    _print(view, as_json=as_json)


@app.command()
def clear(
    user: LineArgument,
    conditions: Annotated[
        list[DivertCondition] | None,
        typer.Argument(metavar="[all|busy|no_reply|unreachable]...", help="Which; without any: every one."),
    ] = None,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take diverts back. Messages that a mailbox holds stay there."""
    wanted = conditions or list(DivertCondition)
    view = run_on_books(
        find_dsn(data_dir(data), given=dsn), lambda db: service.clear_diverts(db, user, wanted)
    )
    _print(view, as_json=as_json)


@app.command("list")
def list_(
    line: Annotated[str | None, typer.Option("--line", help="Only this line's.")] = None,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the diverts."""
    address = find_dsn(data_dir(data), given=dsn)
    if line is not None:
        _print(run_on_books(address, lambda db: service.show_line(db, line)), as_json=as_json)
        return
    views = run_on_books(address, service.list_diverts)
    if as_json:
        print_json(views)
        return
    rows = [[view.line, view.account, *_cells(view.divert)] for view in views]
    heads = columns("line", "account", "when", "to", "after")
    print_table(heads, rows, empty="No line diverts: `offhook divert set USER --to voicemail`.")


def divert_text(divert: Divert) -> str:
    """ "no reply after 15 s: voicemail"."""
    after = f" after {divert.ring_s} s" if divert.ring_s else ""
    return f"{_WORDS[divert.condition]}{after}: {_destination(divert)}"


def _print(view: LineView, *, as_json: bool) -> None:
    if as_json:
        print_json({"line": view.user, "diverts": view.diverts})
        return
    if not view.diverts:
        print_line(f"Line {view.user} diverts no calls.")
        return
    rows = [_cells(divert) for divert in view.diverts]
    print_table(columns("when", "to", "after"), rows, empty="")


def _cells(divert: Divert) -> list[str]:
    after = f"{divert.ring_s} s" if divert.ring_s else ""
    return [_WORDS[divert.condition], _destination(divert), after]


def _destination(divert: Divert) -> str:
    return f"{divert.kind.value} {divert.destination}".strip()
