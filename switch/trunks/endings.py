"""What became of the calls by each trunk: seizures, answers, post-dial delay, and why they ended, as load averages.

A seizure is a call offered to the trunk; the answer-seizure ratio is answers by seizures (ITU-T E.411). Causes are
Q.850's, of calls that we sent ("out") and that came ("in"). Their load is endings per minute over the last 1, 5 and
15 minutes, faded as Unix fades the load of a machine: a trunk whose cause 34 stands at 12, 3, 1 has just begun to fail.

A call adds to one table and no more; the averages are made of the totals at a beat.
"""

from math import exp
from typing import Final

from switch.sip.counts import Histogram

OUT: Final = "out"
IN: Final = "in"
# A caller gives up after some ten seconds of silence; what is above half a minute is no delay but a failure.
DELAY_BOUNDS_S: Final[tuple[float, ...]] = (
    0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
)  # fmt: skip
# Unix's own beat: at it one minute's average still moves within ten seconds.
BEAT_S: Final = 5.0
MINUTE_S: Final = 60.0
WINDOWS_S: Final[tuple[float, ...]] = (MINUTE_S, 5 * MINUTE_S, 15 * MINUTE_S)
# Below it an average is shown as 0.00 in any window.
FADED: Final = 0.005

_FADING: Final[tuple[float, ...]] = tuple(exp(-BEAT_S / window_s) for window_s in WINDOWS_S)
# Trunk, direction, cause.
Ending = tuple[str, str, int]
Load = tuple[float, float, float]


class TrunkEndings:
    """Of one trunk, since start. Causes are 1 to 127, so there are few."""

    __slots__ = ("answers", "delay", "incoming", "outgoing", "seizures")

    def __init__(self) -> None:
        self.seizures = 0
        self.answers = 0
        self.delay = Histogram(DELAY_BOUNDS_S)
        self.outgoing: dict[int, int] = {}
        self.incoming: dict[int, int] = {}

    def answered(self, delay_s: float) -> None:
        self.answers += 1
        self.delay.observe(delay_s)

    def ended(self, cause: int) -> None:
        """A call that we sent is over, or its attempt."""
        self.outgoing[cause] = self.outgoing.get(cause, 0) + 1

    def came_to_end(self, cause: int) -> None:
        """A call that came by this trunk is over."""
        self.incoming[cause] = self.incoming.get(cause, 0) + 1


class Endings:
    """Of all trunks that had calls, by name: names of the configuration, times two, times 127 causes at most."""

    __slots__ = ("_beat_at", "_loads", "_seen", "of_trunk")

    def __init__(self) -> None:
        self.of_trunk: dict[str, TrunkEndings] = {}
        self._beat_at: float | None = None
        self._seen: dict[Ending, int] = {}
        self._loads: dict[Ending, Load] = {}

    def of(self, trunk: str) -> TrunkEndings:
        """To count into."""
        found = self.of_trunk.get(trunk)
        if found is None:
            found = self.of_trunk[trunk] = TrunkEndings()
        return found

    def run(self, now: float) -> None:
        """Often; once in BEAT_S it does something."""
        if self._beat_at is None:
            self._beat_at = now
            return
        beats = int((now - self._beat_at) / BEAT_S)
        if beats <= 0:
            return
        self._beat_at += beats * BEAT_S
        self._beat(beats)

    def loads(self) -> list[tuple[Ending, Load]]:
        """Endings per minute over 1, 5 and 15 minutes, the most frequent of late first."""
        return sorted(self._loads.items(), key=lambda item: item[1], reverse=True)

    def totals(self) -> list[tuple[Ending, int]]:
        """Since start. Also from another thread."""
        return [
            ((name, direction, cause), count)
            for name, trunk in list(self.of_trunk.items())
            for direction, causes in ((OUT, trunk.outgoing), (IN, trunk.incoming))
            for cause, count in list(causes.items())
        ]

    def _beat(self, beats: int) -> None:
        """What ended since the last beat, evenly over the beats that have passed."""
        loads = dict(self._loads)
        for ending, total in self.totals():
            fresh = total - self._seen.get(ending, 0)
            if not fresh and ending not in loads:
                continue
            self._seen[ending] = total
            per_minute = fresh * 60.0 / (beats * BEAT_S)
            one, five, fifteen = loads.get(ending, (0.0, 0.0, 0.0))
            load = (
                _faded(one, per_minute, _FADING[0] ** beats),
                _faded(five, per_minute, _FADING[1] ** beats),
                _faded(fifteen, per_minute, _FADING[2] ** beats),
            )
            if max(load) >= FADED:
                loads[ending] = load
            else:
                loads.pop(ending, None)
        self._loads = loads  # whole: the metrics thread may be reading the one before


def _faded(load: float, per_minute: float, factor: float) -> float:
    return load * factor + per_minute * (1.0 - factor)
