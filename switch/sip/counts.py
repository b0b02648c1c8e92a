"""What the stack counted: plain integers, exported as metrics elsewhere.

Every dict has a bounded set of keys: methods we know plus OTHER, status codes, and words of our own for drops
and errors. Received messages are counted every time, sent ones once: their repeats are counted apart.
"""

from typing import Final

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


class SipCounts:
    """All counters only grow."""

    __slots__ = (
        "dropped",
        "parse_errors",
        "received_requests",
        "received_responses",
        "retransmissions_in",
        "retransmissions_out",
        "sent_requests",
        "sent_responses",
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

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
