"""The messages of one call over all its legs, or those of a stranger's INVITE, as the ring keeps them.

A message is four places of one flat list: an object each would cost the call path a microsecond and 100 octets.
"""

from collections.abc import Sequence
from typing import Final

from rating.records import Cdr, MediaFigures
from switch.sip.flow import Flow

# Places of a message in `items`: `now` (float), code (int), Flow, octets (bytes).
STRIDE: Final = 4
# A plain call has some 20 messages; one with a re-INVITE a minute over an hour 240. Of more than twice this many the
# beginning and the end are kept, where faults are.
END_MESSAGES_MAX: Final = 100
# Cut only when so many more have come: each cut moves the list.
SLACK_MESSAGES: Final = 32
# What one call may take: 200 messages of 1300 octets, and room for a few that carry more. 250 such calls fill a ring of
# 64 MB, so no single peer's call can.
CALL_OCTETS_MAX: Final = 256 * 1024
# A call that is short of room keeps these many at each end: INVITE with its challenge and answer, and the BYE.
FEW_MESSAGES: Final = 8
# One message: a datagram with a large body has 4 kB. What is longer is kept as far as this.
MESSAGE_OCTETS_MAX: Final = 16 * 1024
# What a message takes beside its own octets: the places in the list, the float, the bytes object.
MESSAGE_OVERHEAD: Final = 100
# And a call: its log, its tables.
LOG_OVERHEAD: Final = 1200
LEG_OVERHEAD: Final = 400
# Legs by their Call-ID: forks, backups and transfers of one call stay far below.
LEGS_MAX: Final = 200
PARTNERS_MAX: Final = 8
# What the relay counted, one for each medium of a leg.
FIGURES_MAX: Final = 32


class CallLog:
    """`call_id` is the call's, or "" while nobody has taken the INVITE for a call; times are monotonic seconds.

    `why` is empty until something speaks for keeping it.
    """

    __slots__ = (
        "call_id", "dropped", "due_at", "ended_at", "figures", "is_sent", "items", "last_at", "octets",
        "offset_s", "partners", "payer", "rows", "sip_call_ids", "started_at", "why",
    )  # fmt: skip

    def __init__(self, call_id: str, sip_call_id: str, now: float, offset_s: float) -> None:
        self.call_id = call_id
        self.sip_call_ids = [sip_call_id]
        self.started_at = self.last_at = now
        self.offset_s = offset_s  # UTC seconds, less `now`
        self.ended_at: float | None = None
        self.due_at = 0.0
        self.items: list[object] = []
        self.octets = LOG_OVERHEAD
        self.dropped = 0
        self.why: tuple[str, ...] = ()
        self.partners: tuple[str, ...] = ()
        self.rows: Sequence[Cdr] = ()  # of a call that has ended and is not judged yet
        self.figures: tuple[MediaFigures, ...] = ()  # until then
        self.payer = ""  # whose share of what is kept it takes: a line or a trunk
        self.is_sent = False  # to the process that stores it

    @property
    def messages(self) -> int:
        return len(self.items) // STRIDE

    @property
    def octets_of_messages(self) -> list[object]:
        return self.items[STRIDE - 1 :: STRIDE]

    def add_why(self, word: str) -> None:
        if word not in self.why:
            self.why += (word,)

    def shorten(self, end_messages: int) -> int:
        """Only so many stay at the beginning and at the end. How many octets became free."""
        items = self.items
        first, last = end_messages * STRIDE, len(items) - end_messages * STRIDE
        if last <= first:
            return 0
        freed = 0
        for place in range(first + STRIDE - 1, last, STRIDE):
            data = items[place]
            assert isinstance(data, bytes)
            freed += len(data) + MESSAGE_OVERHEAD
        del items[first:last]
        self.dropped += (last - first) // STRIDE
        self.octets -= freed
        return freed


class LoggedLeg:
    """A SIP Call-ID that leads to a log. `received` and `sent` are the codes of its messages: leg * 2 + is_sent.

    A carrier may send a call of ours back to us under the Call-ID that we gave it: `also` is the other call's leg.
    """

    __slots__ = ("also", "log", "received", "sent")

    def __init__(self, log: CallLog, leg: int) -> None:
        self.log = log
        self.received = leg * 2
        self.sent = leg * 2 + 1
        self.also: LoggedLeg | None = None


def read_items(log: CallLog) -> list[tuple[float, int, Flow, bytes]]:
    """(now, code, flow, octets) of each message, in order."""
    items = log.items
    found = []
    for place in range(0, len(items), STRIDE):
        now, code, flow, data = items[place : place + STRIDE]
        assert isinstance(now, float) and isinstance(code, int) and isinstance(data, bytes)
        assert isinstance(flow, Flow)
        found.append((now, code, flow, data))
    return found
