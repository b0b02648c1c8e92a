"""What calls counted: plain integers and histograms, exported as metrics elsewhere (switch/metrics.py)."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

DELAY_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


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


class CallCounts:
    """All counters only grow. Keys are labels from our own tables, never text from the wire."""

    __slots__ = (
        "answer_delay",
        "bugs",
        "charged_micros",
        "emergency_calls",
        "gate_closed",
        "logins",
        "outcomes",
        "post_dial_delay",
        "recovered_calls",
        "refusals",
        "registrations",
        "stray_answers",
        "talk_ms",
        "trying_delay",
        "unidentified",
    )

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.logins: Counter[str] = Counter()  # by digest outcome
        self.registrations: Counter[str] = Counter()  # by what the REGISTER came to
        self.unidentified: Counter[str] = Counter()  # requests without an identity, by method
        self.trying_delay = Histogram()
        self.post_dial_delay = Histogram()
        self.answer_delay = Histogram()
        self.emergency_calls = 0
        self.gate_closed = 0
        self.stray_answers = 0
        self.recovered_calls = 0
        self.talk_ms = 0
        self.charged_micros = 0
        self.bugs = 0

    def on_ended(self, outcome: str, duration_ms: int, cost_micros: int) -> None:
        self.outcomes[outcome] += 1
        self.talk_ms += duration_ms
        self.charged_micros += cost_micros
