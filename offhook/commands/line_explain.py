"""`offhook line explain`: why a line does not ring, or that nothing keeps it from ringing. No call is needed for it."""

import shutil
from pathlib import Path
from textwrap import wrap

import asyncpg

from care.lines import LineExplanation, LineStory, explain_line, gather_line
from care.lines.story import SwitchLines
from care.looks import note_look, system_user
from offhook.commands.options import data_dir
from offhook.database import find_dsn, run_on_books
from offhook.moments import local_now
from offhook.output import print_json, print_line
from provisioning.account_names import account_named
from provisioning.printable import escape_control

WIDTH_MAX = 110  # longer lines of prose are hard to read
WIDTH_MIN = 40


def explain(
    user: str, *, staff: str, why: str, data: Path | None, dsn: str, as_json: bool
) -> None:
    """The command, whose options are in line.py."""
    place, who = data_dir(data), staff or system_user()
    now_ms = int(local_now().timestamp() * 1000)

    async def work(db: asyncpg.Pool) -> LineStory:
        story = await gather_line(db, user, live=SwitchLines(place.control_socket), now_ms=now_ms)
        account_id = (await account_named(db, story.view.account)).id
        await note_look(
            db, staff=who, what="line", account_id=account_id, why=f"{why}: {user}" if why else user
        )
        return story

    explained = explain_line(run_on_books(find_dsn(place, given=dsn), work))
    if as_json:
        print_json(explained)
        return
    _print(explained)


def _print(explained: LineExplanation) -> None:
    _print_prose(explained.paragraph)
    for number, finding in enumerate(explained.findings, start=1):
        print_line("")
        print_line(f"{number}. {escape_control(finding.title)} ({finding.where})")
        _print_prose(finding.words, "   ")
        for check in finding.checks:
            _print_prose(check, "   - ", "     ")
    if explained.remarks:
        print_line("")
        for remark in explained.remarks:
            _print_prose(remark, "- ", "  ")


def _print_prose(text: str, first: str = "", following: str | None = None) -> None:
    width = max(WIDTH_MIN, min(WIDTH_MAX, shutil.get_terminal_size((WIDTH_MAX, 24)).columns))
    later = first if following is None else following
    for line in wrap(escape_control(text), width, initial_indent=first, subsequent_indent=later):
        print_line(line)
