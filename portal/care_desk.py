"""What the pages ask of the fault desk (care/): calls, the story of one, what it means, its picture, its files, looks.

The same answers as the commands give; a page only lays them out.
"""

from collections.abc import Callable, Sequence

import asyncpg

from care.alg import alg_signs, alg_words
from care.explanation import Explanation, explain
from care.faults import FaultClock, FaultDetails, clock_of
from care.gathering import TraceSource, gather
from care.ladder import media_strip
from care.ladder.ladder import ladder_of
from care.ladder.svg import draw
from care.lines import LineStory, gather_line
from care.lines.story import LineSource
from care.live import LiveSource
from care.looks import TEXT_CHARS_MAX, note_look
from care.search import CallFound, Understood, find_live, find_understood
from care.story import CallStory
from care.switch_asking import SwitchSilentError
from portal.fault_files import FaultTables
from provisioning.complaints import ComplaintTerms
from provisioning.printable import escape_control
from rating.records import RegistrationEvent


class CareDesk:
    """`traces` is where traces are, `tables` says what faults look like now, by when they are repaired, and by when
    complaints are answered; `live` knows the calls that are up, `lines` what is registered and banned."""

    __slots__ = ("_lines", "_live", "_tables", "_traces")

    def __init__(
        self,
        *,
        traces: TraceSource,
        tables: Callable[[], FaultTables],
        live: LiveSource | None = None,
        lines: LineSource | None = None,
    ) -> None:
        self._traces = traces
        self._tables = tables
        self._live = live
        self._lines = lines

    async def find(self, db: asyncpg.Pool, asked: Understood) -> list[CallFound]:
        """Raises Refused."""
        return await find_understood(db, asked)

    async def find_live(self, db: asyncpg.Pool, asked: Understood) -> tuple[list[CallFound], str]:
        """Calls that are up, or why they are not known."""
        if self._live is None:
            return [], ""
        try:
            return await find_live(db, asked, self._live), ""
        except SwitchSilentError as silent:
            return [], str(silent)

    async def story(self, db: asyncpg.Pool, call_id: str) -> CallStory | None:
        """Raises InvalidValue for what is no call's id."""
        return await gather(db, call_id, traces=self._traces, live=self._live)

    async def line_story(self, db: asyncpg.Pool, name: str, now_ms: int) -> LineStory:
        """Raises Refused where there is no such line."""
        return await gather_line(db, name, live=self._lines, now_ms=now_ms)

    def explain(self, story: CallStory) -> Explanation:
        return explain(story, self._tables().patterns)

    def ladder(self, story: CallStory, *, narrow: bool) -> str:
        """One `<svg>` element, escaped."""
        return draw(ladder_of(story), narrow=narrow, with_style=False)

    def media_strip(self, story: CallStory, *, narrow: bool) -> str:
        """How the sound of each end went over time: one `<svg>` element, "" where nobody has counted it."""
        return media_strip.draw(media_strip.streams_of(story), narrow=narrow, with_style=False)

    def alg_words(self, events: Sequence[RegistrationEvent]) -> str:
        """Of the latest registration that shows a router which rewrites SIP; "" of most."""
        for event in reversed(events):
            if found := alg_signs(event):
                return alg_words(found)
        return ""

    def fault_clock(self, details: FaultDetails, now_ms: int) -> FaultClock:
        return clock_of(details.fault, details.events, self._tables().terms[details.fault.priority], now_ms)

    def complaint_terms(self) -> ComplaintTerms:
        return self._tables().complaint_terms

    async def note_look(
        self, db: asyncpg.Pool, staff: str, what: str, *, account_id: int | None, call_id: str, why: str
    ) -> None:
        await note_look(
            db,
            staff=staff,
            what=what,
            account_id=account_id,
            call_id=call_id,
            why=clipped(escape_control(why)),
        )


def clipped(text: str) -> str:
    """As long as a look's reason can be."""
    return text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 3] + "..."
