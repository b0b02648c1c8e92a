"""`offhook call export`: one call as a file, for Wireshark, a spreadsheet, a program, a picture or its carrier."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from offhook.call_story import story_of
from offhook.commands.options import DataOption, DsnOption, data_dir
from offhook.commands.staff_options import StaffOption, WhyOption
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import print_line
from provisioning.printable import escape_control, shorten

if TYPE_CHECKING:
    from care.story import CallStory

TEXT_WIDTH: Final = 120


class Format(StrEnum):
    PCAPNG = "pcapng"
    JSON = "json"
    CSV = "csv"
    BUNDLE = "bundle"
    TEXT = "text"
    SVG = "svg"


SUFFIXES: Final = {
    ".pcapng": Format.PCAPNG,
    ".json": Format.JSON,
    ".csv": Format.CSV,
    ".zip": Format.BUNDLE,
    ".txt": Format.TEXT,
    ".svg": Format.SVG,
}


def export(
    call_id: Annotated[
        str, typer.Argument(metavar="CALL", help="As `offhook call find` or `cdr list` shows it.")
    ],
    *,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to write it.")],
    form: Annotated[
        Format | None, typer.Option("--format", help="What to write (default: by the file's name).")
    ] = None,
    trunk: Annotated[
        str, typer.Option("--trunk", help="bundle: for which carrier; needed where a call has several.")
    ] = "",
    messages: Annotated[
        bool, typer.Option("--messages", help="csv: a row for each message, not for each leg.")
    ] = False,
    narrow: Annotated[bool, typer.Option("--narrow", help="svg: for a phone's screen.")] = False,
    staff: StaffOption = "",
    why: WhyOption = "",
    data: DataOption = None,
    dsn: DsnOption = "",
) -> None:
    """Write one call to a file. Only this user can read it; what a carrier may have is the bundle."""
    chosen = form or SUFFIXES.get(to.suffix.lower())
    if chosen is None:
        known = ", ".join(each.value for each in Format)
        raise CommandError(f"{shorten(to.name)}: say what it shall be by --format: {known}", ExitCode.INVALID)
    _check(chosen, trunk=trunk, messages=messages, narrow=narrow)
    story = story_of(data_dir(data), dsn, call_id, what="export", staff=staff, why=why)
    _write(to, _content(story, chosen, trunk=trunk, messages=messages, narrow=narrow))


def _check(form: Format, *, trunk: str, messages: bool, narrow: bool) -> None:
    for option, is_given, belongs_to in (
        ("--trunk", bool(trunk), Format.BUNDLE),
        ("--messages", messages, Format.CSV),
        ("--narrow", narrow, Format.SVG),
    ):
        if is_given and form is not belongs_to:
            raise CommandError(f"{option} belongs to --format {belongs_to.value}", ExitCode.INVALID)


def _content(story: "CallStory", form: Format, *, trunk: str, messages: bool, narrow: bool) -> bytes:
    """A command costs what it imports: each format its own."""
    match form:
        case Format.PCAPNG:
            from care.export.pcapng import pcapng_file  # noqa: PLC0415

            if story.trace is None:
                raise CommandError(f"no SIP messages of this call: {shorten(story.no_trace, 200)}")
            return pcapng_file(story)
        case Format.JSON:
            from care.export.json_export import json_file  # noqa: PLC0415

            return json_file(story)
        case Format.CSV:
            from care.export.csv_export import legs_csv, messages_csv  # noqa: PLC0415

            return _bytes(messages_csv(story) if messages else legs_csv(story))
        case Format.BUNDLE:
            return _bundle(story, trunk)
        case Format.TEXT | Format.SVG:
            return _drawing(story, form, narrow=narrow)


def _bundle(story: "CallStory", trunk: str) -> bytes:
    from care.export.carrier_bundle import carrier_bundle  # noqa: PLC0415
    from care.export.carrier_view import BundleError, trunks_of  # noqa: PLC0415

    trunks = trunks_of(story)
    if not trunk and len(trunks) > 1:
        raise CommandError(
            f"the call has several trunks, say which by --trunk: {', '.join(trunks)}", ExitCode.INVALID
        )
    try:
        return carrier_bundle(story, trunk or "".join(trunks))
    except BundleError as problem:
        raise CommandError(escape_control(str(problem))) from None


def _drawing(story: "CallStory", form: Format, *, narrow: bool) -> bytes:
    from care.ladder import ladder_of, svg, text  # noqa: PLC0415

    ladder = ladder_of(story)
    if form is Format.SVG:
        return _bytes(svg.draw(ladder, narrow=narrow))
    return _bytes("\n".join(text.draw(ladder, TEXT_WIDTH)) + "\n")


def _bytes(words: str) -> bytes:
    return words.encode("utf-8", "backslashreplace")


def _write(path: Path, content: bytes) -> None:
    try:
        path.touch(mode=0o600)
        path.write_bytes(content)
    except OSError as problem:
        raise CommandError(
            f"{shorten(str(path), 200)} cannot be written: {problem.strerror or problem}"
        ) from None
    print_line(f"{escape_control(str(path))} written, {len(content)} bytes.")
