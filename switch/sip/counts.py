"""What the stack counted: plain integers and a histogram, exported as metrics elsewhere.

Every dict has a bounded set of keys: methods we know plus OTHER, status codes, and words of our own for drops
and errors. Received messages are counted every time, sent ones once: their repeats are counted apart.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from switch.sip.quirks import QUIRKS, names_of

OTHER_METHOD: Final = "OTHER"  # a peer may invent methods; without one word for them it could grow the table
METHODS: Final = (
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "INFO",
    "MESSAGE",
    "NOTIFY",
    "PRACK",
    "PUBLISH",
    "REFER",
    "SUBSCRIBE",
    "UPDATE",
    OTHER_METHOD,
)


DELAY_BOUNDS_S: Final[tuple[float, ...]] = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
)  # fmt: skip


class Histogram:
    """Counts by upper bound, as Prometheus wants them; the last bucket is everything above."""

    __slots__ = ("bounds", "buckets", "sum")

    def __init__(self, bounds: Sequence[float] = DELAY_BOUNDS_S) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.sum += value


class SipCounts:
    """All counters only grow."""

    __slots__ = (
        "dropped",
        "parse_errors",
        "quirks",
        "received_requests",
        "received_responses",
        "retransmissions_in",
        "retransmissions_out",
        "sent_requests",
        "sent_responses",
        "trying_delay",
    )

    def __init__(self) -> None:
        self.received_requests: dict[str, int] = dict.fromkeys(METHODS, 0)  # by method
        self.received_responses: dict[int, int] = {}  # by status
        self.sent_requests: dict[str, int] = dict.fromkeys(METHODS, 0)  # by method, first copies
        self.sent_responses: dict[int, int] = {}  # by status, first copies
        self.retransmissions_in = 0  # repeats absorbed
        self.retransmissions_out = 0  # repeats sent by a timer or to answer a repeat
        self.parse_errors: dict[str, int] = {}  # by the parser's own words for it
        self.dropped: dict[str, int] = {}  # by reason
        self.quirks: dict[str, int] = {quirk.name: 0 for quirk in QUIRKS}  # messages let through, by quirk
        self.trying_delay = Histogram()  # INVITE received to 100 sent, for those slow enough to need one

    def request_received(self, method: str) -> None:
        counts = self.received_requests
        counts[method if method in counts else OTHER_METHOD] += 1

    def request_sent(self, method: str) -> None:
        counts = self.sent_requests
        counts[method if method in counts else OTHER_METHOD] += 1

    def response_received(self, status: int) -> None:
        counts = self.received_responses
        counts[status] = counts.get(status, 0) + 1

    def response_sent(self, status: int) -> None:
        counts = self.sent_responses
        counts[status] = counts.get(status, 0) + 1

    def parse_failed(self, kind: str) -> None:
        self.parse_errors[kind] = self.parse_errors.get(kind, 0) + 1

    def let_through(self, quirks: int) -> None:
        """A message with these quirks was read as its sender meant it."""
        for name in names_of(quirks):
            self.quirks[name] += 1

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
