"""The history of registrations of one exchange: from what happens to bindings and logins to records in the journal.

The parts are pure (switch/registrar/): history.py makes the records, refused_logins.py those of logins, and
line_presence.py says which lines are offline. Here they meet. Records leave once a second, so many at a time; with each
goes what the journal keeps of the line, so that a process started anew knows what had been told.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

import structlog

from rating.records import Alarm
from switch.registrar.bindings import Binding
from switch.registrar.changes import BACK, EXPIRED, LEFT, LOST, REMOVED, SILENT, Change
from switch.registrar.history import EVENTS_PER_SECOND_MAX, History
from switch.registrar.line_presence import OFFLINE, LinePresence, PresenceLimits, Told
from switch.registrar.refused_logins import REGISTRATION, RefusedLogins

if TYPE_CHECKING:
    from switch.calls.switchboard import Put, Switchboard
    from switch.config import Conf
    from switch.registrar.registrar import RegisterResult
    from switch.sip.flow import Flow
    from switch.sip.message import Request

OFFLINE_KEY: Final = "o/"
OUTAGE_RULE: Final = "registrations_lost"
# Lost at once is what was lost within this; the slots are seconds.
AT_ONCE_S: Final = 60
# Bindings whose mark goes to the journal in one second, as with the records.
MARKS_PER_SECOND_MAX: Final = EVENTS_PER_SECOND_MAX
_LOSSES: Final = frozenset({EXPIRED, LOST, SILENT})

log = structlog.get_logger("switch.registrations")


class RegistrationEvents:
    """One an exchange. `binding_put` is what the journal keeps of a line's bindings now."""

    __slots__ = (
        "_binding_put",
        "_board",
        "_lost_lately",
        "_unmarked",
        "history",
        "lost",
        "presence",
        "refused",
    )

    def __init__(self, board: "Switchboard", binding_put: Callable[[str, float], "Put"]) -> None:
        self._board = board
        self._binding_put = binding_put
        self.history = History(ms=board.clock.ms, mint=board.tokens.tag, account_of=self._account_of)
        self.refused = RefusedLogins(self.history, lambda: board.books.lines)
        self.presence = LinePresence(_limits(board.conf))
        self.lost: Counter[str] = Counter()
        self._lost_lately: deque[tuple[int, int]] = deque()
        self._unmarked: dict[str, None] = {}  # lines whose bindings the journal has without their marks

    def take_over(self, conf: "Conf") -> None:
        self.presence.limits = _limits(conf)

    def restore(self, state: Mapping[str, bytes], gone: Iterable[Binding], now: float) -> None:
        """After a start: what had been told stays told. `gone` are bindings that expired while nobody was here."""
        offset_ms = self._board.clock.ms(0.0)
        offline = [
            (key[len(OFFLINE_KEY) :], (int.from_bytes(value) - offset_ms) / 1000)
            for key, value in state.items()
            if key.startswith(OFFLINE_KEY)
        ]
        self.presence.restore(offline)
        puts = []
        for binding in gone:
            puts.append(self._binding_put(binding.user, now))
            if not binding.is_missed:
                self._lose(EXPIRED, binding, now, at=min(binding.expires_at, now))
                if not self._is_reached(binding.user, now):
                    self._went(binding.user, now)
        if puts:
            self._board.record(puts)

    @property
    def waiting_count(self) -> int:
        return self.history.waiting_count

    @property
    def lost_at_once(self) -> int:
        """Registrations lost within the last minute."""
        return sum(count for _, count in list(self._lost_lately))

    # What happens

    def registered(
        self, result: "RegisterResult", user: str, request: "Request", flow: "Flow", now: float
    ) -> None:
        """A REGISTER of a line that has logged in was answered."""
        if result.status != 200:
            self.refused.note(result.reason, user, request, flow, now)
            return
        self.refused.succeeded(user, flow, REGISTRATION)
        if not result.changes:
            return
        self.take_gone(now)
        for change in result.changes:
            self.history.changed(change, now, flow, request)
        if self._is_reached(user, now):
            self._came(user, now)
        elif any(change.event in (LEFT, REMOVED) for change in result.changes):
            self._went(user, now)

    def silent(self, binding: Binding, now: float) -> None:
        """Nothing came back, several times."""
        if binding.expires_at > now and not binding.is_missed:
            self.take_gone(now)
            binding.is_missed = True
            self._unmarked[binding.user] = None
            self._lose(SILENT, binding, now)
            if not self._is_reached(binding.user, now):
                self._went(binding.user, now)

    def back(self, binding: Binding, now: float) -> None:
        """An answer, of one that had been told as gone."""
        if binding.expires_at > now:
            self.take_gone(now)
            binding.is_missed = False
            self._unmarked[binding.user] = None
            self.history.changed(Change(BACK, binding), now)
            self._came(binding.user, now)

    def line_removed(self, user: str, now: float) -> None:
        self.take_gone(now)
        if user in self.presence.offline:
            self._board.record([(OFFLINE_KEY + user, None)])
        self.presence.forget(user)

    def on_second(self, now: float) -> None:
        self.take_gone(now)
        self.refused.on_second(now)
        self.history.on_second(now)
        was_outage = self.presence.lines_in_outage
        puts: list[Put] = []
        for told in self.presence.on_second(now, self._board.bindings.aors_count):
            self._tell(told, now)
            at_ms = max(0, self._board.clock.ms(told.since))
            puts.append((OFFLINE_KEY + told.line, at_ms.to_bytes(8)))
        if self.presence.lines_in_outage and not was_outage:
            self._raise_outage(now)
        lately = self._lost_lately
        while lately and lately[0][0] <= now - AT_ONCE_S:
            lately.popleft()
        self._record(puts, now, EVENTS_PER_SECOND_MAX)

    def drain(self, now: float) -> None:
        """The exchange closes down: everything that waits goes to the journal."""
        self.take_gone(now)
        self.refused.on_second(now)
        self.history.tell_all_moves()
        while self.history.waiting_count or self._unmarked:
            self._record([], now, EVENTS_PER_SECOND_MAX)

    def take_gone(self, now: float) -> None:
        """What the bindings have lost by themselves since they were asked last. Before anything else is told."""
        bindings = self._board.bindings
        if not bindings.gone:
            return
        gone, bindings.gone = bindings.gone, []
        for event, binding in gone:
            if binding.is_missed:
                continue
            binding.is_missed = True
            if event == LOST:
                self._unmarked[binding.user] = None
            if event == REMOVED:
                self.history.changed(Change(REMOVED, binding, reason="the line was removed"), now)
            else:
                self._lose(event, binding, now)
        for _, binding in gone:
            if not self._is_reached(binding.user, now):
                self._went(binding.user, now)

    # How it is told

    def _lose(self, event: str, binding: Binding, now: float, *, at: float | None = None) -> None:
        """`at` is when it was, if that is past: it is lost for us from now on."""
        self.history.changed(Change(event, binding), now if at is None else at)
        self.lost[event] += 1
        second = int(now)
        if self._lost_lately and self._lost_lately[-1][0] == second:
            self._lost_lately[-1] = second, self._lost_lately[-1][1] + 1
        else:
            self._lost_lately.append((second, 1))

    def _is_reached(self, user: str, now: float) -> bool:
        return any(not binding.is_dead for binding in self._board.bindings.of(user, now))

    def _went(self, user: str, now: float) -> None:
        told = self.presence.went(user, now)
        if told is not None:
            self._tell(told, now)

    def _came(self, user: str, now: float) -> None:
        told = self.presence.came(user)
        if told is not None:
            self._tell(told, now)
            self._board.record([(OFFLINE_KEY + user, None)])

    def _tell(self, told: Told, now: float) -> None:
        self.history.add(told.event, now, line=told.line, reason=self._words(told), count=told.times)

    def _words(self, told: Told) -> str:
        minutes = max(1, round(self.presence.limits.offline_after_s / 60))
        if told.event == OFFLINE:
            return f"no phone could be reached for {minutes} minute{'s' if minutes > 1 else ''}"
        return ""

    def _raise_outage(self, now: float) -> None:
        count = self.presence.lines_in_outage
        words = f"{count} lines have lost their registration and are away at once: the network, no phone of theirs"
        log.warning("registrations_lost", lines=count)
        alarm = Alarm(self._board.tokens.tag(), 0, OUTAGE_RULE, self._board.clock.ms(now), words, None)
        self._board.record([], [alarm])

    def _record(self, puts: "list[Put]", now: float, count_max: int) -> None:
        for user in list(self._unmarked)[:MARKS_PER_SECOND_MAX] if self._unmarked else ():
            del self._unmarked[user]
            puts.append(self._binding_put(user, now))
        events = self.history.take(count_max)
        if puts or events:
            self._board.record(puts, events)

    def _account_of(self, user: str) -> int | None:
        line = self._board.books.lines.get(user)
        return None if line is None else line.account_id


def _limits(conf: "Conf") -> PresenceLimits:
    settings = conf.registrar
    return PresenceLimits(settings.offline_after_s, settings.drops_per_hour_max, settings.outage_percent)
