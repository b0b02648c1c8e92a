"""The story of one call for a command: from the books and the kept traces, or the words why there is none.

That somebody has looked is on record before anything of the call is shown (care/looks.py).
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg

from care.explanation import explain, load_patterns
from care.gathering import HouseTraces, TraceSource, gather
from care.live import LiveSource, SwitchCalls
from care.looks import note_look, note_looks, system_user
from care.story import CallStory
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import DataDir
from offhook.supervisor.conf_home import packaged_conf
from provisioning.printable import shorten
from provisioning.problems import InvalidValue
from provisioning.typed_text import WORDS_CHARS_MAX
from switch.conf_files import ConfProblems


def story_of(place: DataDir, dsn: str, call_id: str, *, what: str, staff: str = "", why: str = "") -> CallStory:
    """`staff` "" is who is logged in to this machine. Raises CommandError where no such call is on record."""
    traces = HouseTraces(place.traces, place.control_socket)
    live = SwitchCalls(place.control_socket)
    looker = staff or system_user()
    try:
        story = run_on_books(
            find_dsn(place, given=dsn),
            lambda db: look_at(db, call_id, traces, what=what, staff=looker, why=why, live=live),
        )
    except InvalidValue as problem:
        raise CommandError(str(problem), ExitCode.INVALID) from None
    if story is None:
        text = f"no call {shorten(call_id)!r} is up or on record"
        raise CommandError(text, ExitCode.REFUSED)
    return story


async def look_at(
    db: asyncpg.Pool,
    call_id: str,
    traces: TraceSource,
    *,
    what: str,
    staff: str,
    why: str,
    live: LiveSource | None = None,
) -> CallStory | None:
    """Gathers it, and puts the look on record."""
    story = await gather(db, call_id, traces=traces, live=live)
    if story is not None and story.is_live:  # no record leads to its account yet
        account_id = story.account_id
        await note_look(db, staff=staff, what=what, account_id=account_id, call_id=call_id, why=why)
    elif story is not None:
        await note_looks(db, staff=staff, what=what, call_ids=[call_id], why=why)
    return story


def explaining(db: asyncpg.Pool, place: DataDir, conf: Path) -> Callable[[str], Awaitable[str]]:
    """What is said of a call today, as a fault keeps it. Raises CommandError for a table of faults with mistakes."""
    try:
        patterns = load_patterns(conf, packaged_conf())
    except ConfProblems as problems:
        raise CommandError(str(problems), ExitCode.INVALID) from None
    traces = HouseTraces(place.traces, place.control_socket)
    live = SwitchCalls(place.control_socket)

    async def paragraph_of(call_id: str) -> str:
        story = await gather(db, call_id, traces=traces, live=live)
        return "" if story is None else explain(story, patterns).paragraph[:WORDS_CHARS_MAX]

    return paragraph_of
