"""What calls counted: plain integers and histograms, exported as metrics elsewhere (switch/metrics.py)."""

from collections import Counter
from typing import Final

from switch.sip.counts import Histogram

EMERGENCY_OUTCOMES: Final = ("answered", "cancelled", "failed")


class CallCounts:
    """All counters only grow. Keys are labels from our own tables, never text from the wire."""

    __slots__ = (
        "answer_delay",
        "bugs",
        "calls_traced",
        "charged_micros",
        "cli_decisions",
        "emergency_calls",
        "emergency_outcomes",
        "flow_failovers",
        "gate_closed",
        "logins",
        "outcomes",
        "post_dial_delay",
        "recovered_calls",
        "refers",
        "refusals",
        "registrations",
        "session_refreshes",
        "silences",
        "stray_answers",
        "talk_ms",
        "transfers",
        "unidentified",
        "unreadable_descriptions",
        "vanished",
    )

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.cli_decisions: Counter[tuple[str, str, str]] = Counter()  # by trunk ("" for lines), rule and action
        self.refers: Counter[str] = Counter()  # REFER inside a call, by what it came to
        self.transfers: Counter[str] = Counter()  # begun, by kind; and those that came to nothing, by why
        self.logins: Counter[str] = Counter()  # by digest outcome
        self.registrations: Counter[str] = Counter()  # by what the REGISTER came to
        self.unidentified: Counter[str] = Counter()  # requests without an identity, by method
        self.post_dial_delay = Histogram()
        self.answer_delay = Histogram()
        self.emergency_calls = 0
        self.emergency_outcomes: dict[str, int] = dict.fromkeys(EMERGENCY_OUTCOMES, 0)
        self.flow_failovers = (
            0  # the next flow of a phone, or the next address of a customer's trunk, was tried
        )
        self.gate_closed = 0
        self.stray_answers = 0
        self.session_refreshes = 0
        self.silences = 0  # the relay heard nothing of either end for the time set
        self.unreadable_descriptions = 0  # session descriptions that crossed without the relay
        self.vanished: Counter[str] = Counter()  # calls ended because an end gave no sign of life, by end
        self.recovered_calls = 0
        self.calls_traced = 0  # marked as malicious, or to a watched line
        self.talk_ms = 0
        self.charged_micros = 0
        self.bugs = 0

    def on_ended(self, outcome: str, duration_ms: int, cost_micros: int) -> None:
        self.outcomes[outcome] += 1
        self.talk_ms += duration_ms
        self.charged_micros += cost_micros

    def on_emergency_ended(self, outcome: str) -> None:
        """Whoever gave up before an answer did so himself; everything else is a call that we did not bring through."""
        self.emergency_outcomes[outcome if outcome in EMERGENCY_OUTCOMES else "failed"] += 1
