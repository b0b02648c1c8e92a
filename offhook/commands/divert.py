"""`offhook divert ...`: where calls to a line go when it does not take them. A line that has one to voicemail has a
mailbox."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from offhook.commands.options import (
    ConfOption,
    DataOption,
    DsnOption,
    JsonOption,
    conf_dir,
    data_dir,
    warn,
    whole_number,
)
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import columns, print_json, print_line, print_table
from offhook.shipped_prompts import shipped_prompts
from provisioning import service
from provisioning.books.line_changes import RING_S_DEFAULT
from provisioning.divert_rules import Destination, Filter
from provisioning.diverts import TO_VOICEMAIL, WHEN_NOT_TAKEN
from provisioning.model import Divert, DivertCondition, DivertKind
from provisioning.printable import shorten
from provisioning.rules import RING_S_MAX, RING_S_MIN
from provisioning.views import LineView

app = typer.Typer(help="Where calls to a line go when it does not take them.", no_args_is_help=True)

CONDITIONS = "all|busy|no_reply|unreachable|declined"
LineArgument = Annotated[str, typer.Argument(metavar="USER", help="The line that is called, such as 1001.")]
WordsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar=f"[{CONDITIONS}]...",
        help="When; without any: busy, no_reply and unreachable.",
        show_default=False,
    ),
]
ConditionsArgument = Annotated[
    list[DivertCondition] | None,
    typer.Argument(metavar=f"[{CONDITIONS}]...", help="Which; without any: every one.", show_default=False),
]
ToOption = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        metavar="voicemail|KIND WHAT|KIND:WHAT[@SECONDS]",
        help="Where: voicemail (the default), number, line, plan or announcement and which. Again for the next one,"
        " tried when nobody answers there within SECONDS.",
        show_default=False,
    ),
]
FromOption = Annotated[
    list[str] | None,
    typer.Option(
        "--from", metavar="PATTERN", help="Only calls from 01632960001, 0163296* or withheld. Repeatable."
    ),
]
DdiOption = Annotated[
    list[str] | None,
    typer.Option("--ddi", metavar="NUMBER", help="Only calls to this number of the line. Repeatable."),
]
HoursOption = Annotated[
    str, typer.Option("--in-hours", metavar="TIME_SET", help="Only in these hours (conf/time-sets.toml).")
]
_WORDS = {
    DivertCondition.ALL: "all calls",
    DivertCondition.BUSY: "busy",
    DivertCondition.NO_REPLY: "no reply",
    DivertCondition.UNREACHABLE: "not registered or unreachable",
    DivertCondition.DECLINED: "declined",
}
_HEADS = ("when", "to", "after", "for", "from", "called", "hours", "state")


@app.command("set")
def set_(
    user: LineArgument,
    words: WordsArgument = None,
    *,
    to: ToOption = None,
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
    answer_s: Annotated[
        int,
        typer.Option(
            "--after",
            parser=whole_number(most=RING_S_MAX),
            metavar="SECONDS",
            help="How long each destination is rung before the next one; 0 is as long as a call may ring.",
        ),
    ] = 0,
    sources: FromOption = None,
    ddis: DdiOption = None,
    time_set: HoursOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let calls go on. It replaces what was set for the same conditions and the same calls; the rest stays.

    `offhook divert set 1001 busy --to number 07700900123 --to voicemail --from 0163296* --in-hours office --after 20`
    """
    wanted, destinations = read_words(words or (), to or (), answer_s)
    if ring_s is not None and DivertCondition.NO_REPLY not in wanted:
        raise CommandError("--ring-s is for no_reply, which is not named", ExitCode.INVALID)
    seconds = RING_S_DEFAULT if ring_s is None else ring_s
    only = Filter(tuple(sources or ()), tuple(ddis or ()), time_set)
    has_words = any(destination.kind is DivertKind.ANNOUNCEMENT for destination in destinations)
    prompts = shipped_prompts() if has_words else None
    view = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: service.set_diverts(
            db, user, wanted, destinations=destinations, ring_s=seconds, only=only, prompts=prompts
        ),
    )
    place = conf_dir(data_dir(data), conf)
    if time_set:
        _warn_of_unknown(time_set, place)
    _print(view, as_json=as_json)


@app.command()
def clear(
    user: LineArgument,
    conditions: ConditionsArgument = None,
    *,
    sources: FromOption = None,
    ddis: DdiOption = None,
    time_set: HoursOption = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take diverts back; with --from, --ddi or --in-hours those for exactly these calls. Messages that a mailbox holds
    stay there."""
    wanted, only = conditions or list(DivertCondition), _filter(sources, ddis, time_set)
    view = run_on_books(
        find_dsn(data_dir(data), given=dsn), lambda db: service.clear_diverts(db, user, wanted, only=only)
    )
    _print(view, as_json=as_json)


@app.command()
def switch(
    user: LineArgument,
    is_enabled: Annotated[bool, typer.Option("--on/--off", help="Whether they apply from now on.")],
    conditions: ConditionsArgument = None,
    *,
    sources: FromOption = None,
    ddis: DdiOption = None,
    time_set: HoursOption = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Switch diverts off and on again without forgetting them."""
    wanted, only = conditions or list(DivertCondition), _filter(sources, ddis, time_set)
    view = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: service.switch_diverts(db, user, wanted, is_enabled=is_enabled, only=only),
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
    heads = columns("line", "account", *_HEADS)
    print_table(heads, rows, empty="No line diverts: `offhook divert set USER --to voicemail`.")


def read_words(
    words: Sequence[str], to: Sequence[str], answer_s: int
) -> tuple[list[DivertCondition], Sequence[Destination]]:
    """Conditions and destinations as they were typed: "busy --to number 07700900123" has the number among its words."""
    names = {condition.value: condition for condition in DivertCondition}
    conditions = [names[word] for word in words if word in names]
    loose = [word for word in words if word not in names]
    destinations = [_destination(text, loose, answer_s) for text in to]
    if loose:
        expected = f"expected {CONDITIONS.replace('|', ', ')}, and what it leads to after --to"
        raise CommandError(f"{shorten(loose[0])!r}: {expected}", ExitCode.INVALID)
    return conditions or list(WHEN_NOT_TAKEN), destinations or TO_VOICEMAIL


def divert_text(divert: Divert) -> str:
    """ "no reply after 15 s: voicemail"."""
    when, to, after, _for, *rest = _cells(divert)
    only = ", ".join(f"{head} {cell}" for head, cell in zip(_HEADS[4:7], rest, strict=False) if cell)
    return (
        f"{when}{f' after {after}' if after else ''}: {to}{f' ({only})' if only else ''}"
        f"{'' if divert.is_enabled else ', off'}"
    )


def _destination(text: str, loose: list[str], answer_s: int) -> Destination:
    kinds = {kind.value: kind for kind in DivertKind}
    name, colon, rest = text.partition(":")
    what, at, seconds = (rest if colon else name).rpartition("@") if "@" in text else (rest, "", "")
    if not colon and at:
        name, what = what, ""
    kind = kinds.get(name)
    if kind is None:
        expected = f"expected {', '.join(kinds)}, such as number:07700900123 or voicemail"
        raise CommandError(f"--to {shorten(text)!r}: {expected}", ExitCode.INVALID)
    if kind is not DivertKind.VOICEMAIL and not colon:
        if not loose:
            raise CommandError(f"--to {kind.value}: which one? {kind.value}:WHAT", ExitCode.INVALID)
        what = loose.pop(0)
    try:
        own_s = whole_number(most=RING_S_MAX)(seconds) if at else answer_s
    except typer.BadParameter as problem:
        raise CommandError(f"--to {shorten(text)!r}: {problem}", ExitCode.INVALID) from None
    return Destination(kind, what, own_s)


def _warn_of_unknown(time_set: str, place: Path) -> None:
    from switch.conf_files import open_optional_file  # noqa: PLC0415 - a command costs what it imports
    from switch.conf_time_sets import TIME_SETS_FILE, read_time_sets  # noqa: PLC0415

    if time_set not in read_time_sets(open_optional_file(place, TIME_SETS_FILE)):
        warn(f"the time set {time_set} is not in {place / TIME_SETS_FILE}: it is never that time")


def _filter(sources: list[str] | None, ddis: list[str] | None, time_set: str) -> Filter | None:
    if not (sources or ddis or time_set):
        return None
    return Filter(tuple(sources or ()), tuple(ddis or ()), time_set)


def _print(view: LineView, *, as_json: bool) -> None:
    if as_json:
        print_json({"line": view.user, "diverts": view.diverts})
        return
    if not view.diverts:
        print_line(f"Line {view.user} diverts no calls.")
        return
    print_table(columns(*_HEADS), [_cells(divert) for divert in view.diverts], empty="")


def _cells(divert: Divert) -> list[str]:
    return [
        _WORDS[divert.condition],
        f"{divert.kind.value} {divert.destination}".strip(),
        f"{divert.ring_s} s" if divert.ring_s else "",
        f"{divert.answer_s} s" if divert.answer_s else "",
        " ".join(divert.sources),
        " ".join(divert.ddis),
        divert.time_set,
        "on" if divert.is_enabled else "off",
    ]
