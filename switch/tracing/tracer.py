"""The traces of all calls: when one begins, which legs it gets, when it ends, and whether it is worth keeping.

A call that has ended waits for its last messages and for what the relay counted, and is judged then. What is worth
keeping waits for the process that stores it; the rest makes room when room is needed.

What happens to calls is jotted down like their messages, and entered with them in the same order: before anybody asks,
every second, and when there is much of it.
"""

from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from rating.records import Cdr, MediaFigures
from switch.calls.switchboard import WallClock
from switch.conf_trace import Keep, Trace
from switch.sip.flow import Flow
from switch.tracing.call_log import FIGURES_MAX, PARTNERS_MAX, CallLog
from switch.tracing.messages import Messages
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
from switch.tracing.tap import ANSWERED, BEGUN, ENDED, JOT_STRIDE, LEG_ADDED, MEASURED, SENT, Tap

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
        "_clock", "_ended", "_kept_in_minute", "_minute_at", "kept", "lost_link", "messages", "not_stored",
        "over_budget", "ring", "settings", "stored", "tap",
    )  # fmt: skip

    def __init__(self, settings: Trace, clock: WallClock) -> None:
        self._clock = clock
        self.settings = settings
        self.ring = Ring(settings.ring_mb * OCTETS_PER_MB)
        self.messages = Messages(self.ring, clock)
        self.tap = Tap(self.enter)
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
        self.enter()
        self.settings = settings
        self.ring.octets_max = settings.ring_mb * OCTETS_PER_MB
        if settings.homer is None:
            self.messages.mirrored = None
        elif self.messages.mirrored is None:
            self.messages.mirrored = []

    # Calls

    def begin(self, call_id: str, sip_call_id: str, payer: str, now: float) -> None:
        """The INVITE that came last is this call's."""
        self.tap.jot(BEGUN, now, call_id, sip_call_id, payer)

    def add_leg(self, call_id: str, sip_call_id: str, leg: int) -> None:
        self.tap.jot(LEG_ADDED, 0.0, call_id, sip_call_id, leg)

    def end(self, call: "Call", now: float) -> None:
        """Its records are complete; some messages are still to come."""
        self.tap.jot(ENDED, now, call.id, call.rows, None)

    def hear(self, figures: MediaFigures) -> None:
        """What the relay counted for an end of a call, which comes a moment after its record."""
        self.tap.jot(MEASURED, 0.0, figures.call_id, figures, None)

    def join(self, one: str, other: str) -> None:
        """Two calls have become one conversation: each names the other."""
        self.enter()
        for call_id, partner in ((one, other), (other, one)):
            log = self.ring.live.get(call_id)
            if log is not None and partner not in log.partners and len(log.partners) < PARTNERS_MAX:
                log.partners += (partner,)

    # What was jotted down

    def enter(self) -> None:
        """All of it, in its order."""
        jots = self.tap.jots
        if not jots:
            return
        self.tap.jots = []
        messages = self.messages
        for place in range(0, len(jots), JOT_STRIDE):
            what, now = jots[place], cast(float, jots[place + 1])
            one, other, third = jots[place + 2], jots[place + 3], jots[place + 4]
            if what == SENT:
                messages.sent(now, cast(Flow, other), cast(bytes, third))
            elif isinstance(what, str):
                messages.requested(what, now, cast(str, one), cast(Flow, other), cast(bytes, third))
            elif what == ANSWERED:
                messages.answered(now, cast(str, one), cast(Flow, other), cast(bytes, third))
            else:
                self._enter_event(cast(int, what), now, cast(str, one), other, third)

    def _enter_event(self, what: int, now: float, call_id: str, other: object, third: object) -> None:
        if what == BEGUN:
            begun = self.ring.begin(call_id, cast(str, other), now, self._clock.offset_s)
            if begun is not None:
                begun.payer = cast(str, third)
            return
        log = self.ring.live.get(call_id)
        if log is None:
            return
        if what == LEG_ADDED:
            self.ring.add_leg(log, cast(str, other), cast(int, third))
        elif what == ENDED:
            self._enter_end(log, cast(list[Cdr], other), now)
        elif what == MEASURED and len(log.figures) < FIGURES_MAX:
            log.figures += (cast(MediaFigures, other),)

    def _enter_end(self, log: CallLog, rows: Sequence[Cdr], now: float) -> None:
        if log.ended_at is not None:
            return
        log.ended_at = now
        log.rows = rows
        for word in reasons_of(log.call_id, rows, self.settings):
            log.add_why(word)
        log.due_at = now + LINGER_S
        self._ended.append(log)

    # Judging

    def ask(self, call_id: str, why: str = ASKED) -> bool:
        """Somebody wants this one kept, up or ended; False where it is not there, or cannot be."""
        self.enter()
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
        self.enter()
        return self.ring.find(call_id)

    # Time

    def on_second(self, now: float) -> None:
        self.enter()
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
        log.rows = log.figures = ()
        if not log.why and self.settings.keep is Keep.ALL:
            log.add_why(ALL)
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
