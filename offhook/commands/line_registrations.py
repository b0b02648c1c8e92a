"""`offhook line registrations`: where the phones of a line were registered over the last days, and where not, and why
logins were refused."""

from typing import Annotated, Any

import asyncpg
import msgspec
import typer

from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir, warn, whole_number
from offhook.database import find_dsn, run_on_books
from offhook.moments import format_duration, format_moment, local_now
from offhook.output import columns, print_facts, print_json, print_line, print_table
from provisioning.registration_search import (
    DAY_MS,
    DAYS_MAX,
    EVENTS_MAX,
    LineHistory,
    line_history,
    strangers_logins,
)
from rating.records import RegistrationEvent

DAYS_DEFAULT = 7
# A table that nobody scrolls through: the latest, and how many there were before.
SHOWN_MAX = 200

_ENDED = {
    "left": "unregistered",
    "expired": "expired",
    "lost": "connection lost",
    "silent": "stopped answering",
    "removed": "removed",
    "moved": "moved",
    "registered": "registered anew",
    "back": "registered anew",
}
_GAP = "NOT REGISTERED"


class Found(msgspec.Struct, frozen=True):
    """`is_line`: there is such a line now. `strangers` are logins under this name where there is none."""

    history: LineHistory
    is_line: bool
    strangers: list[RegistrationEvent]


def registrations(
    user: Annotated[str, typer.Argument(metavar="USER", help="Its user part, such as 1001.")],
    *,
    days: Annotated[
        int,
        typer.Option(
            "--days",
            parser=whole_number(least=1, most=DAYS_MAX),
            metavar="NUMBER",
            help="How far back.",
        ),
    ] = DAYS_DEFAULT,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show where a line was registered, the gaps between, and refused logins."""
    until_ms = int(local_now().timestamp() * 1000)
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: _find(db, user, since_ms=max(0, until_ms - days * DAY_MS), until_ms=until_ms),
    )
    if as_json:
        print_json(_as_json(found))
        return
    if not found.is_line:
        warn(f"there is no line {user}")
    _print(found)


async def _find(db: asyncpg.Pool, user: str, *, since_ms: int, until_ms: int) -> Found:
    history = await line_history(db, user, since_ms=since_ms, until_ms=until_ms)
    is_line = await db.fetchval("SELECT EXISTS (SELECT FROM lines WHERE user_part = $1)", user)
    strangers = await strangers_logins(db, user, since_ms=since_ms, until_ms=until_ms) if not is_line else []
    return Found(history, is_line, strangers)


def _print(found: Found) -> None:
    history = found.history
    away_ms = sum(gap.until_ms - gap.from_ms for gap in history.gaps)
    print_facts(
        [
            ("line", history.line),
            ("since", format_moment(history.since_ms)),
            ("not registered", _lasted(away_ms) if away_ms else "never"),
            *(("noted", text) for text in _noted(history)),
            *(("suspicion", text) for text in _alg(history)),
        ]
    )
    if history.is_cut:
        warn(f"there were more than {EVENTS_MAX} events: the oldest are left out")
    rows = _span_rows(history)
    print_line("")
    print_table(
        columns("from", "until", ">for", "at", "phone", "ended"),
        rows[-SHOWN_MAX:],
        empty="No phone has been registered.",
    )
    refused = [*history.refused, *found.strangers]
    print_line("")
    print_table(
        columns("refused", "reason", ">times", "from", "phone"),
        [
            [
                format_moment(each.at_ms),
                each.reason,
                str(each.count),
                _place(each.source, each.transport),
                each.user_agent,
            ]
            for each in refused[-SHOWN_MAX:]
        ],
        empty="No login was refused.",
    )
    for name, count in (("registrations", len(rows)), ("refused logins", len(refused))):
        if count > SHOWN_MAX:
            print_line(f"The latest {SHOWN_MAX} of {count} {name}; --json has all.")


def _span_rows(history: LineHistory) -> list[list[str]]:
    """Spans and gaps as one table, in their order."""
    rows: list[tuple[int, int, list[str]]] = []
    for span in history.spans:
        from_ms = span.from_ms if span.from_ms is not None else 0
        until_ms = span.until_ms if span.until_ms is not None else history.until_ms
        rows.append(
            (
                from_ms,
                1,
                [
                    format_moment(span.from_ms) or "before",
                    format_moment(span.until_ms) or "now",
                    _lasted(until_ms - from_ms) if span.from_ms is not None else "",
                    _place(span.source, span.transport),
                    span.user_agent,
                    _ENDED.get(span.ended_by, span.ended_by),
                ],
            )
        )
    for gap in history.gaps:
        lasted = _lasted(gap.until_ms - gap.from_ms)
        until = format_moment(gap.until_ms) if gap.until_ms < history.until_ms else "now"
        rows.append((gap.from_ms, 0, [format_moment(gap.from_ms), until, lasted, _GAP, "", ""]))
    return [row for _, _, row in sorted(rows, key=lambda each: each[:2])]


def _noted(history: LineHistory) -> list[str]:
    """Of the line as a whole: how often it was offline, and whether its phones come and go."""
    offline = [event for event in history.events if event.event == "offline"]
    flapping = [event for event in history.events if event.event == "flapping"]
    texts = []
    if offline:
        texts.append(f"offline {_times(len(offline))}, last noticed {format_moment(offline[-1].at_ms)}")
    if flapping:
        texts.append(
            f"dropped off again and again in {len(flapping)} hour{'s' if len(flapping) > 1 else ''}, last"
            f" {flapping[-1].count} times until {format_moment(flapping[-1].at_ms)}"
        )
    moves = sum(event.count for event in history.events if event.event == "moved")
    if moves:
        texts.append(f"came from another address {_times(moves)}")
    return texts


def _alg(history: LineHistory) -> list[str]:
    # Reading SIP takes a parser, which few commands need.
    from care.alg import alg_signs, alg_words  # noqa: PLC0415

    signs = [sign for event in history.events for sign in alg_signs(event)]
    words = alg_words(dict.fromkeys(signs))
    return [words] if words else []


def _place(source: str, transport: str) -> str:
    return f"{source} {transport}".strip() or "many places"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _lasted(ms: int) -> str:
    days, rest = divmod(ms // 1000, 86_400)
    return f"{days}d {format_duration(rest)}" if days else format_duration(rest)


def _as_json(found: Found) -> dict[str, Any]:
    """Events by name: the records themselves travel as arrays."""
    history = found.history
    return {
        "line": history.line,
        "is_line": found.is_line,
        "since_ms": history.since_ms,
        "until_ms": history.until_ms,
        "spans": history.spans,
        "gaps": history.gaps,
        "events": [_fields(event) for event in history.events],
        "strangers": [_fields(event) for event in found.strangers],
        "is_cut": history.is_cut,
        "alg": _alg(history),
    }


def _fields(event: RegistrationEvent) -> dict[str, object]:
    return {name: getattr(event, name) for name in event.__struct_fields__}
