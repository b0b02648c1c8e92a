"""`offhook call show`: what happened to a call and why, then all that is known of it."""

import shutil
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from care.explanation import Explanation, Finding, explain, load_patterns
from care.story import CallStory
from offhook.call_story import story_of
from offhook.commands.options import ConfOption, DataOption, DsnOption, JsonOption, conf_dir, data_dir
from offhook.commands.staff_options import StaffOption, WhyOption
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_duration, format_moment
from offhook.output import columns, print_json, print_line, print_table
from offhook.supervisor.conf_home import packaged_conf
from provisioning.printable import escape_control
from provisioning.views import CdrView
from rating.money import format_pounds
from rating.records import MediaFigures, RegistrationEvent
from switch.conf_files import ConfProblems

if TYPE_CHECKING:
    from care.explanation import Pattern

WIDTH_MAX = 110  # longer lines of prose are hard to read
WIDTH_MIN = 40
# The events of a day around a call; a line that flaps has many, and `offhook line registrations` shows them all.
REGISTRATIONS_SHOWN = 20


def show(
    call_id: Annotated[
        str, typer.Argument(metavar="CALL", help="As `offhook call find` or `cdr list` shows it.")
    ],
    *,
    staff: StaffOption = "",
    why: WhyOption = "",
    without_ladder: Annotated[bool, typer.Option("--no-ladder", help="Without the SIP messages.")] = False,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what happened to a call, why, and where the fault lies; then its legs, money, sound and messages."""
    place = data_dir(data)
    patterns = _patterns(conf_dir(place, conf))
    story = story_of(place, dsn, call_id, what="call", staff=staff, why=why)
    explained = explain(story, patterns)
    if as_json:
        print_json(_as_json(story, explained))
        return
    _print_explanation(explained)
    _print_legs(story)
    _print_sound(story)
    _print_registrations(story)
    if not without_ladder:
        _print_ladder(story)


def _patterns(directory: Path) -> "tuple[Pattern, ...]":
    try:
        return load_patterns(directory, packaged_conf())
    except ConfProblems as problems:
        raise CommandError(str(problems), ExitCode.INVALID) from None


# For people


def _print_explanation(explained: Explanation) -> None:
    _print_prose(explained.paragraph)
    for number, finding in enumerate(explained.findings, start=1):
        print_line("")
        print_line(f"{number}. {escape_control(finding.title)} ({finding.where})")
        _print_finding(finding)
    if explained.answer is not None and explained.answer.checks:
        print_line("")
        _print_checks(explained.answer)


def _print_finding(finding: Finding) -> None:
    _print_prose(finding.words, "   ")
    _print_checks(finding)


def _print_checks(finding: Finding) -> None:
    for check in finding.checks:
        _print_prose(check, "   - ", "     ")


def _print_prose(text: str, first: str = "", following: str | None = None) -> None:
    columns_there = shutil.get_terminal_size((WIDTH_MAX, 24)).columns
    width = max(WIDTH_MIN, min(WIDTH_MAX, columns_there))
    later = first if following is None else following
    for line in wrap(escape_control(text), width, initial_indent=first, subsequent_indent=later):
        print_line(line)


def _print_legs(story: CallStory) -> None:
    heads = columns(
        "leg", "why", "to", ">began s", ">rang s", ">answered s", ">talked", "outcome", ">SIP", ">Q.850", "ended by",
        "reason", ">cost", "payer",
    )  # fmt: skip
    begun_ms = story.legs[0].cdr.setup_at_ms
    print_line("")
    print_table(heads, [_leg_row(view, begun_ms) for view in story.legs], empty="")


def _leg_row(view: CdrView, begun_ms: int) -> list[str]:
    cdr = view.cdr
    return [
        str(cdr.leg),
        cdr.leg_reason,
        cdr.destination or cdr.dialled,
        _seconds(cdr.setup_at_ms, begun_ms),
        _seconds(cdr.ringing_at_ms, begun_ms),
        _seconds(cdr.answered_at_ms, begun_ms),
        "" if cdr.answered_at_ms is None else format_duration(max(0, cdr.duration_ms) // 1000),
        cdr.outcome,
        str(cdr.sip_status or ""),
        str(cdr.q850_cause or ""),
        cdr.ended_by,
        cdr.reason,
        format_pounds(cdr.cost_micros) if cdr.cost_micros else "",
        view.payer or view.account,
    ]


def _seconds(at_ms: int | None, begun_ms: int) -> str:
    return "" if at_ms is None else f"{(at_ms - begun_ms) / 1000:.1f}"


def _print_sound(story: CallStory) -> None:
    rows = [_sound_row(figures) for view in story.legs for figures in view.media]
    heads = columns(
        "from leg", "codec", ">packets", ">lost", ">jitter ms", ">worst ms", ">gap s", ">MOS", ">sent to it", "dropped"
    )  # fmt: skip
    print_line("")
    print_table(heads, rows, empty="The relay has counted no sound of this call.")


def _sound_row(figures: MediaFigures) -> list[str]:
    return [
        str(figures.leg),
        figures.codec,
        str(figures.packets),
        str(figures.lost),
        f"{figures.jitter_us / 1000:.1f}",
        f"{figures.jitter_max_us / 1000:.1f}",
        f"{figures.gap_us / 1_000_000:.1f}",
        f"{figures.mos / 100:.2f}" if figures.mos else "",
        str(figures.packets_sent),
        figures.dropped,
    ]


def _print_registrations(story: CallStory) -> None:
    latest = story.registrations[-REGISTRATIONS_SHOWN:]
    if not latest:
        return
    left = len(story.registrations) - len(latest)
    print_line("")
    print_line(f"Registrations ({left} earlier ones left out)" if left else "Registrations")
    heads = columns("at", "line", "what", "why", "from", "phone")
    print_table(heads, [_registration_row(event) for event in latest], empty="")


def _registration_row(event: RegistrationEvent) -> list[str]:
    what = event.event if event.count <= 1 else f"{event.event} ({event.count} times)"
    return [
        format_moment(event.at_ms),
        event.line or event.claimed,
        what,
        event.reason,
        f"{event.source} {event.transport}".strip(),
        event.user_agent,
    ]


def _print_ladder(story: CallStory) -> None:
    from care.ladder import ladder_of  # noqa: PLC0415 - --no-ladder and --json need none of it
    from offhook.ladder_output import print_ladder  # noqa: PLC0415

    print_line("")
    if story.trace is None:
        print_line(escape_control(f"No SIP messages: {story.no_trace or 'none were kept'}."))
        return
    print_ladder(ladder_of(story))


# For programs


def _as_json(story: CallStory, explained: Explanation) -> dict[str, object]:
    """Every field by its name: records themselves travel as arrays. Times are UTC milliseconds, money is micros."""
    return {
        "call_id": story.call_id,
        "paragraph": explained.paragraph,
        "findings": explained.findings,
        "answer": explained.answer,
        "steps": explained.steps,
        "legs": [
            {
                **_named(view.cdr),
                "account": view.account,
                "payer": view.payer,
                "media": [_named(figures, without=("course",)) for figures in view.media],
            }
            for view in story.legs
        ],
        "registrations": [_named(event) for event in story.registrations],
        "alarms": [_named(alarm) for alarm in story.alarms],
        "messages": 0 if story.trace is None else len(story.trace.messages),
        "no_trace": story.no_trace,
    }


def _named(record: msgspec.Struct, without: tuple[str, ...] = ()) -> dict[str, object]:
    return {
        name: msgspec.to_builtins(getattr(record, name))
        for name in record.__struct_fields__
        if name not in without
    }
