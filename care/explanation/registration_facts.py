"""What the registrations of one line say about a moment: whether it had one, since when not, and what was refused."""

from collections.abc import Sequence
from typing import Final

import msgspec

from rating.records import RegistrationEvent
from switch.registrar.changes import BACK, EXPIRED, LEFT, LOST, MOVED, REGISTERED, REMOVED, SILENT

# How an event leaves the line; a refused login changes nothing (rating/records.py).
THERE: Final = frozenset({REGISTERED, MOVED, BACK})
REFUSED: Final = "refused"
GONE: Final = frozenset({LEFT, EXPIRED, LOST, SILENT, REMOVED})


class LineRegistrations(msgspec.Struct, frozen=True):
    """Of one line, around one call. `last` is what changed it last before the call, None where nothing is on record.

    `refused` are the refused logins from a day before the call until its end; `during` is what ended a registration
    while the call lasted, or in the minute after it.
    """

    line: str
    last: RegistrationEvent | None
    refused: tuple[RegistrationEvent, ...]
    during: tuple[RegistrationEvent, ...]
    events: tuple[RegistrationEvent, ...]

    @property
    def is_gone(self) -> bool:
        return self.last is not None and self.last.event in GONE


AFTER_MS: Final = 60_000


def registrations_of(
    line: str, events: Sequence[RegistrationEvent], *, begun_ms: int, ended_ms: int
) -> LineRegistrations:
    own = tuple(event for event in events if line in (event.line, event.claimed))
    states = [event for event in own if event.event in THERE or event.event in GONE]
    before = [event for event in states if event.at_ms <= begun_ms]
    return LineRegistrations(
        line=line,
        last=before[-1] if before else None,
        refused=tuple(
            event for event in own if event.event == REFUSED and event.at_ms <= ended_ms + AFTER_MS
        ),
        during=tuple(
            event for event in states if event.event in GONE and begun_ms < event.at_ms <= ended_ms + AFTER_MS
        ),
        events=own,
    )
