"""Lines that drop off, and lines that come and go: what a customer may want a mail about.

A line is away while no binding of it can be reached. Away for longer than `offline_after_s` it is offline: told
once, and once more when it is back; more than `drops_per_hour_max` drops within an hour are told as flapping, once an
hour. When a good part of all lines is away at once it is the network's fault: then nobody is told but the operator, and
each line's time begins anew when the outage is over. Pure; times are monotonic seconds.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

OFFLINE: Final = "offline"
ONLINE: Final = "online"
FLAPPING: Final = "flapping"

# Fewer lines at once are somebody's office; `outage_percent` alone would call two of six phones an outage.
OUTAGE_LINES_MIN: Final = 20
# It is over when so much of the threshold is left: a number that wavers must not raise an alarm each time.
OUTAGE_OVER_PART: Final = 0.5
# Lines told offline in one second; the others wait for the next.
TOLD_PER_SECOND_MAX: Final = 200
HOUR_S: Final = 3600.0
# Lines whose drops are counted, some 150 bytes each: as many as an exchange may have.
COUNTED_MAX: Final = 200_000
SWEEP_S: Final = 60.0


class PresenceLimits(msgspec.Struct, frozen=True):
    """As in [registrar] of offhook.toml."""

    offline_after_s: int = 300
    drops_per_hour_max: int = 6
    outage_percent: int = 25


class Told(NamedTuple):
    """Something about a line. `since` is when it was last reached, `times` how often it dropped off."""

    event: str
    line: str
    since: float
    times: int = 1


class LinePresence:
    """One an exchange. `outages` counts since the start; `lines_in_outage` is what the present one began with, or 0."""

    __slots__ = (
        "_away",
        "_drops",
        "_swept_at",
        "flapping",
        "limits",
        "lines_in_outage",
        "offline",
        "outages",
    )

    def __init__(self, limits: PresenceLimits) -> None:
        self.limits = limits
        self._away: dict[str, float] = {}  # not told yet; the longest away first
        self._drops: dict[str, list[float]] = {}  # within the hour
        self._swept_at = 0.0
        self.flapping: dict[str, float] = {}  # told within the hour
        self.offline: dict[str, float] = {}  # told, and away since
        self.lines_in_outage = 0
        self.outages = 0

    @property
    def away_count(self) -> int:
        return len(self._away)

    @property
    def counted_count(self) -> int:
        return len(self._drops)

    def restore(self, offline: Iterable[tuple[str, float]]) -> None:
        """What had been told before the process was started anew."""
        self.offline.update(offline)

    def forget(self, line: str) -> None:
        """It does not exist any more."""
        self._away.pop(line, None)
        self.offline.pop(line, None)
        self._drops.pop(line, None)
        self.flapping.pop(line, None)

    def went(self, line: str, now: float) -> Told | None:
        """No binding of it can be reached any more; FLAPPING if that is once too often."""
        if line in self._away or line in self.offline:
            return None
        self._away[line] = now
        return self._dropped(line, now)

    def came(self, line: str) -> Told | None:
        """It can be reached; ONLINE if it had been told offline."""
        self._away.pop(line, None)
        since = self.offline.pop(line, None)
        return None if since is None else Told(ONLINE, line, since)

    def on_second(self, now: float, lines_reached: int) -> list[Told]:
        """`lines_reached` has bindings now, those that are dead among them."""
        self._sweep(now)
        was_outage = self.lines_in_outage
        self._judge_outage(lines_reached)
        if self.lines_in_outage:
            return []
        if was_outage:
            self._away = dict.fromkeys(self._away, now)
        told: list[Told] = []
        for line, since in self._away.items():
            if now - since < self.limits.offline_after_s or len(told) >= TOLD_PER_SECOND_MAX:
                break
            told.append(Told(OFFLINE, line, since))
        for each in told:
            self.offline[each.line] = self._away.pop(each.line)
        return told

    def _judge_outage(self, lines_reached: int) -> None:
        away = len(self._away)
        # Who is away may still have a dead binding, or none: either way all of them are not more than this.
        all_lines = lines_reached + away
        threshold = max(OUTAGE_LINES_MIN, all_lines * self.limits.outage_percent / 100)
        if not self.lines_in_outage and away >= threshold:
            self.lines_in_outage = away
            self.outages += 1
        elif self.lines_in_outage and away < threshold * OUTAGE_OVER_PART:
            self.lines_in_outage = 0

    def _dropped(self, line: str, now: float) -> Told | None:
        if self.lines_in_outage:
            return None
        if line in self.flapping:
            return None  # told within this hour
        drops = self._drops.get(line)
        if drops is None:
            if len(self._drops) < COUNTED_MAX:
                self._drops[line] = [now]
            return None
        drops[:] = [*(at for at in drops if now - at < HOUR_S), now]
        if len(drops) <= self.limits.drops_per_hour_max:
            return None
        del self._drops[line]
        self.flapping[line] = now
        return Told(FLAPPING, line, drops[0], len(drops))

    def _sweep(self, now: float) -> None:
        if now - self._swept_at < SWEEP_S:
            return
        self._swept_at = now
        for line in [line for line, drops in self._drops.items() if now - drops[-1] >= HOUR_S]:
            del self._drops[line]
        for line in [line for line, at in self.flapping.items() if now - at >= HOUR_S]:
            del self.flapping[line]
