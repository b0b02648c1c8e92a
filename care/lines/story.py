"""Everything known of one line, gathered once: its settings, its registrations over days, and what the switch says now.

Reads only. Where the switch does not answer its part is missing, and `silent` says so.
"""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

from pathlib import Path
from typing import Final, Protocol

import asyncpg
import msgspec

from care.switch_asking import SwitchSilentError, ask_switch_for
from provisioning import service
from provisioning.registration_row import REGISTRATION_COLUMNS, registration_from_row
from provisioning.registration_search import DAY_MS, ENDS, LineHistory, line_history
from provisioning.settings import Restriction
from provisioning.utc import time_from_ms
from provisioning.views import LineView
from rating.records import RegistrationEvent

DAYS: Final = 7
# Names that no line has, tried from where a phone of the line was: somebody has misspelt it.
_MISNAMED: Final = (
    f"SELECT {', '.join(REGISTRATION_COLUMNS)} FROM registration_events"
    " WHERE line = '' AND event = 'refused' AND at >= $1 AND at < $2"
    " AND regexp_replace(source, ':[0-9]+$', '') = ANY($3) ORDER BY at DESC, id DESC LIMIT 20"
)
_RESTRICTION: Final = (
    "SELECT a.settings->>'restriction' FROM accounts a JOIN lines l ON l.account_id = a.id WHERE l.user_part = $1"
)
# However old: it says since when a phone has been away.
_LAST_END: Final = (
    f"SELECT {', '.join(REGISTRATION_COLUMNS)} FROM registration_events"
    " WHERE line = $1 AND event = ANY($2) AND at < $3 ORDER BY at DESC, id DESC LIMIT 1"
)


class LivePhone(msgspec.Struct, frozen=True):
    """One registration that holds now (switch/control.py). `is_dead`: it does not answer."""

    user: str
    contact: str
    source: str
    expires_in_s: int
    user_agent: str
    is_dead: bool


class LiveBan(msgspec.Struct, frozen=True):
    """A source that is shut out now; `line` is the one it may not log in as, "" for all."""

    source: str
    line: str
    reason: str
    until_ms: int


class LineSource(Protocol):
    """Who knows what is registered and banned at this moment."""

    async def phones(self, line: str) -> list[LivePhone]:
        """Raises SwitchSilentError."""

    async def bans(self) -> list[LiveBan]:
        """Raises SwitchSilentError."""


class SwitchLines:
    """The switch that serves this control socket."""

    def __init__(self, control_socket: Path) -> None:
        self._control = control_socket

    async def phones(self, line: str) -> list[LivePhone]:
        return await ask_switch_for(list[LivePhone], self._control, "registrations", user=line)

    async def bans(self) -> list[LiveBan]:
        return await ask_switch_for(list[LiveBan], self._control, "bans")


class LineStory(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `phones` is None where the switch does not answer, for the reason `silent`; `last_end` is how
    a phone of it went last. `misnamed` are refused logins under names that no line has, from where its phones were."""

    view: LineView
    history: LineHistory
    last_end: RegistrationEvent | None = None
    restriction: Restriction = Restriction.NONE
    phones: list[LivePhone] | None = None
    bans: list[LiveBan] = []
    misnamed: list[RegistrationEvent] = []
    silent: str = ""

    @property
    def hosts(self) -> set[str]:
        """Where its phones were, or tried to log in from."""
        sources = [event.source for event in self.history.events] + [
            span.source for span in self.history.spans
        ]
        if self.last_end is not None:
            sources.append(self.last_end.source)
        return {host_of(source) for source in sources} - {""}


async def gather_line(
    db: asyncpg.Pool, user: str, *, live: LineSource | None, now_ms: int, days: int = DAYS
) -> LineStory:
    """Raises Refused where there is no such line."""
    view = await service.show_line(db, user)
    since_ms = max(0, now_ms - days * DAY_MS)
    history = await line_history(db, user, since_ms=since_ms, until_ms=now_ms)
    phones, bans, silent = await _ask(live, user)
    now = time_from_ms(now_ms)
    last_end = await db.fetchrow(_LAST_END, user, sorted(ENDS), now)
    story = LineStory(
        view=view,
        history=history,
        last_end=None if last_end is None else registration_from_row(last_end),
        restriction=_restriction(await db.fetchval(_RESTRICTION, user)),
        phones=phones,
        bans=bans,
        silent=silent,
    )
    rows = await db.fetch(_MISNAMED, time_from_ms(max(0, now_ms - DAY_MS)), now, sorted(story.hosts))
    return msgspec.structs.replace(story, misnamed=[registration_from_row(row) for row in reversed(rows)])


async def _ask(live: LineSource | None, user: str) -> tuple[list[LivePhone] | None, list[LiveBan], str]:
    if live is None:
        return None, [], "the switch is not asked"
    try:
        return await live.phones(user), await live.bans(), ""
    except SwitchSilentError as silent:
        return None, [], str(silent)


def _restriction(text: str | None) -> Restriction:
    try:
        return Restriction(text or "")
    except ValueError:  # of a newer release
        return Restriction.NONE


def host_of(source: str) -> str:
    """ "192.0.2.1" of "192.0.2.1:5060" or "udp:192.0.2.1:5060", "2001:db8::1" of "[2001:db8::1]:5060"."""
    place = source.rpartition(":")[0]
    transport, colon, rest = place.partition(":")
    if colon and transport.isalpha() and len(transport) <= 4:
        place = rest
    return place.strip("[]")
