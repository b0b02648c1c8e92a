"""The traces of all calls: when one begins, which legs it gets, when it ends, and whether it is worth keeping.

A call that has ended waits for its last messages and for what the relay counted, and is judged then. What is worth
keeping waits for the process that stores it; the rest makes room when room is needed.
"""

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from rating.records import MediaFigures
from switch.calls.switchboard import WallClock
from switch.conf_trace import Keep, Trace
from switch.tracing.call_log import FIGURES_MAX, PARTNERS_MAX, CallLog
from switch.tracing.reasons import (
    ALL,
    ASKED,
    BAD_SOUND,
    REPEATED,
    is_kept,
    reasons_of,
    sounded_bad,
    was_repeated,
)
from switch.tracing.ring import Ring
from switch.tracing.tap import Tap

if TYPE_CHECKING:
    from switch.calls.call import Call

# After the last message of a call that has ended: repeats come every 4 s (T2), figures of the sound within a second.
LINGER_S: Final = 5.0
# A peer that is gone is asked until Timer B or F, 32 s; who goes on after that is not heard any more.
LINGER_MAX_S: Final = 40.0
# Traces that are kept in a minute for one line, and for one trunk: somebody who lets calls fail on purpose fills
# neither the process nor the disk. A line has a handful of faults a day; a carrier that is down is understood from
# these.
KEPT_PER_LINE_MAX: Final = 60
KEPT_PER_TRUNK_MAX: Final = 600
BUDGET_S: Final = 60.0
OCTETS_PER_MB: Final = 1024 * 1024


class Tracer:
    """All traces of one exchange. `settings` may be replaced at any time (take_over)."""

    __slots__ = (
        "_clock", "_ended", "_kept_in_minute", "_minute_at", "kept", "lost_link", "not_stored",
        "over_budget", "ring", "settings", "stored", "tap",
    )  # fmt: skip

    def __init__(self, settings: Trace, clock: WallClock) -> None:
        self._clock = clock
        self.settings = settings
        self.ring = Ring(settings.ring_mb * OCTETS_PER_MB)
        self.tap = Tap(self.ring, clock)
        self._ended: deque[CallLog] = deque()
        self._kept_in_minute: Counter[str] = Counter()
        self._minute_at = 0.0
        self.kept: Counter[str] = Counter()  # since the start, by each reason
        self.over_budget = 0
        self.stored = 0
        self.not_stored = 0
        self.lost_link = 0  # times that the process was away
        self.take_over(settings)

    @property
    def is_on(self) -> bool:
        return self.settings.ring_mb > 0

    def take_over(self, settings: Trace) -> None:
        """A smaller ring makes room with the next message."""
        self.settings = settings
        self.ring.octets_max = settings.ring_mb * OCTETS_PER_MB
        if settings.homer is None:
            self.tap.mirrored = None
        elif self.tap.mirrored is None:
            self.tap.mirrored = []

    # Calls

    def begin(self, call_id: str, sip_call_id: str, payer: str, now: float) -> None:
        log = self.ring.begin(call_id, sip_call_id, now, self._clock.offset_s)
        if log is not None:
            log.payer = payer

    def add_leg(self, call_id: str, sip_call_id: str, leg: int) -> None:
        log = self.ring.live.get(call_id)
        if log is not None:
            self.ring.add_leg(log, sip_call_id, leg)

    def join(self, one: str, other: str) -> None:
        """Two calls have become one conversation: each names the other."""
        for call_id, partner in ((one, other), (other, one)):
            log = self.ring.live.get(call_id)
            if log is not None and partner not in log.partners and len(log.partners) < PARTNERS_MAX:
                log.partners.append(partner)

    def end(self, call: "Call", now: float) -> None:
        """Its records are complete; some messages are still to come."""
        log = self.ring.live.get(call.id)
        if log is None or log.ended_at is not None:
            return
        log.ended_at = now
        log.rows = call.rows
        for word in reasons_of(call, self.settings):
            log.add_why(word)
        log.due_at = now + LINGER_S
        self._ended.append(log)

    def hear(self, figures: MediaFigures) -> None:
        """What the relay counted for an end of a call, which comes a moment after its record."""
        log = self.ring.live.get(figures.call_id)
        if log is not None and len(log.figures) < FIGURES_MAX:
            log.figures.append(figures)

    def ask(self, call_id: str, why: str = ASKED) -> bool:
        """Somebody wants this one kept, up or ended; False where it is not there, or cannot be."""
        ring = self.ring
        log = ring.live.get(call_id) or ring.waiting.get(call_id) or ring.good.get(call_id)
        if log is None:
            return False
        log.add_why(why)
        if call_id in ring.good:
            if not is_kept(log.why, self.settings.keep) or not ring.keep(log):
                return False
            self.kept[why] += 1
        elif call_id in ring.waiting:
            log.is_sent = False
        return True

    def find(self, call_id: str) -> CallLog | None:
        return self.ring.find(call_id)

    # Time

    def on_second(self, now: float) -> None:
        ended = self._ended
        while ended and ended[0].due_at <= now:
            log = ended.popleft()
            assert log.ended_at is not None
            if log.last_at > now - LINGER_S and now < log.ended_at + LINGER_MAX_S:
                log.due_at = now + LINGER_S
                ended.append(log)
            else:
                self._judge(log)
        self.ring.age_strangers(now)
        if now - self._minute_at >= BUDGET_S:
            self._minute_at = now
            self._kept_in_minute.clear()

    def _judge(self, log: CallLog) -> None:
        if sounded_bad(log.rows, log.figures):
            log.add_why(BAD_SOUND)
        if was_repeated(log.octets_of_messages):
            log.add_why(REPEATED)
        log.rows = []
        log.figures = []
        if not log.why and self.settings.keep is Keep.ALL:
            log.why.append(ALL)
        kept = self._is_kept(log)
        lost = self.ring.lost
        self.ring.settle(log, is_kept=kept)
        if kept and self.ring.lost == lost:
            for word in log.why:
                self.kept[word] += 1

    def _is_kept(self, log: CallLog) -> bool:
        if not is_kept(log.why, self.settings.keep):
            return False
        if ASKED in log.why or self.settings.keep is Keep.ALL:
            return True
        limit = KEPT_PER_TRUNK_MAX if log.payer.startswith(TRUNK) else KEPT_PER_LINE_MAX
        if self._kept_in_minute[log.payer] >= limit:
            self.over_budget += 1
            return False
        self._kept_in_minute[log.payer] += 1
        return True

    # The process that stores them

    def take_kept(self, traces_max: int, octets_max: int) -> list[CallLog]:
        """What has not been given away yet, some of it: the longest ended first."""
        taken: list[CallLog] = []
        octets = 0
        for log in self.ring.waiting.values():
            if not log.is_sent:
                if len(taken) >= traces_max or (taken and octets + log.octets > octets_max):
                    break
                octets += log.octets
                log.is_sent = True
                taken.append(log)
        return taken

    def note_stored(self, call_id: str) -> None:
        if self.ring.stored(call_id):
            self.stored += 1

    def note_not_stored(self, call_id: str) -> None:
        """The disk would not have it: it is here as long as nobody needs its room."""
        if self.ring.stored(call_id):
            self.not_stored += 1

    def link_lost(self) -> None:
        """What it had not said to be stored is given again."""
        self.lost_link += 1
        for log in self.ring.waiting.values():
            log.is_sent = False


TRUNK: Final = "trunk "


def payer_of(call: "Call") -> str:
    """Whose calls these are: a line's, or a trunk's."""
    row = call.rows[0]
    return row.line or TRUNK + row.trunk
