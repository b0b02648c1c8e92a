"""What the voicemail server counted: plain integers, exported by metrics.py. All keys are words of our own."""

from __future__ import annotations

from switch.sip.counts import Histogram

# The rhythm is 20 ms: what is late by a packet is heard.
LATENESS_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class VoicemailCounts:
    """All only grow, but for the gauges, which say so."""

    __slots__ = (
        "bugs",
        "calls",
        "calls_out",
        "deleted",
        "deposits",
        "expired",
        "handovers",
        "lamps",
        "mail_queue",
        "mails",
        "messages",
        "pins",
        "recordings",
        "recovered",
        "refused",
        "removed",
        "tick_lateness",
    )

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}  # by kind: announcement, deposit, retrieval, say, menu, queue, ...
        self.calls_out: dict[str, int] = {}  # that the switch asked for: answered, busy, no_answer
        self.handovers: dict[str, int] = {}  # REFERs to the switch: accepted, refused
        self.refused: dict[str, int] = {}  # INVITEs and REFERs, by reason
        self.deposits: dict[str, int] = {}  # kept, failed
        self.recordings: dict[str, int] = {}  # by what ended them
        self.pins: dict[str, int] = {}  # right, wrong, locked
        self.lamps: dict[str, int] = {}  # PUBLISH by result: delivered, refused, unanswered
        self.mails: dict[str, int] = {}  # sent, deferred, dropped
        self.deleted = 0
        self.expired = 0
        self.recovered = 0  # finished after a crash
        self.removed = 0  # of a crash, too short to be messages
        self.bugs = 0
        self.tick_lateness = Histogram(LATENESS_BOUNDS_S)
        # Gauges
        self.messages: dict[str, int] = {"new": 0, "old": 0}
        self.mail_queue = 0

    def call(self, kind: str) -> None:
        _add(self.calls, kind)

    def refuse(self, reason: str) -> None:
        _add(self.refused, reason)

    def called_out(self, result: str) -> None:
        _add(self.calls_out, result)

    def handed_over(self, result: str) -> None:
        _add(self.handovers, result)

    def recorded(self, kind: str, why: str) -> None:
        if kind == "deposit":
            _add(self.recordings, why)

    def kept(self, kind: str, *, is_safe: bool) -> None:
        if kind == "deposit":
            _add(self.deposits, "kept" if is_safe else "failed")

    def pin_checked(self, result: str) -> None:
        _add(self.pins, result)

    def lamp(self, result: str) -> None:
        _add(self.lamps, result)

    def mail(self, result: str) -> None:
        _add(self.mails, result)


def _add(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1
