"""What a ladder is made of: columns for who took part, rungs for what passed between them, in order of time.

Texts here are the peers' own, clipped, and what does not print is escaped: a drawing still escapes for its own medium.
"""

from enum import Enum

import msgspec

NO_MESSAGE = -1


class Role(Enum):
    CALLER = "caller"
    EXCHANGE = "exchange"
    CALLED = "called"
    CARRIER = "carrier"
    MEDIA_SERVER = "media server"
    OTHER = "other"


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """One column. `address` is "UDP 192.0.2.1:5060", "" where none is known; `number` a CLI or DDI.

    `legs` are the legs that it stands for: several, where phones were put together for want of room.
    """

    role: Role
    name: str
    address: str = ""
    number: str = ""
    user_agent: str = ""
    legs: list[int] = []


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One message, or (`message` is NO_MESSAGE) one event of the records, which begins and ends in one column.

    `message` is the index into the trace's messages. `at_us` is UTC, `offset_us` since the first rung, `since_us` since
    the rung before; `is_late` when that is a pause that a person would notice. `repeat` is 0 for what is
    seen for the first time, 1 for its first repeat. `is_muted`: a challenge, or the end of what was cancelled:
    no success, but no error either. `is_unreadable`: no SIP message could be read from it. `facts` are a few
    words each: what a description says of the sound, a Reason, an address other than the column's.
    """

    at_us: int
    offset_us: int
    since_us: int
    source: int
    target: int
    label: str
    leg: int
    message: int = NO_MESSAGE
    repeat: int = 0
    is_error: bool = False
    is_muted: bool = False
    is_late: bool = False
    is_unreadable: bool = False
    cseq: str = ""
    facts: list[str] = []

    @property
    def is_event(self) -> bool:
        return self.message == NO_MESSAGE


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """`notes` are sentences about the picture itself: why there is no trace, what is missing from it."""

    call_id: str
    participants: list[Participant]
    rungs: list[Rung]
    notes: list[str] = []

    @property
    def started_at_us(self) -> int:
        """UTC; 0 for a ladder without rungs."""
        return self.rungs[0].at_us if self.rungs else 0

    def column_legs(self, rung: Rung) -> list[int]:
        """The legs that share the column in which the rung's peer stands: several where it must be said which."""
        return self.participants[max(rung.source, rung.target)].legs if rung.leg > 0 else []
