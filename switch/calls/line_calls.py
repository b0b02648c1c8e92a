"""Which legs each line has at this moment: what lamps and presence say is read from here when it is sent.

The table follows `Switchboard.legs`: a leg is in it from its INVITE until it is freed, so no event that somebody missed
can leave a lamp burning. Who watches a line is told of a change when the turn that made it is over; where nobody
does, a change costs one look into `watched`. What has just ended is remembered for a few seconds, for phones that
wait for the word "terminated".
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.sip.timers import TimerQueue

# Longer than the second that changes wait for each other (RFC 4235 3.10), for a watcher whose last NOTIFY was slow.
ENDED_KEPT_S: Final = 5.0
# Of one line: the phones that stop ringing together, up to the limit of its registrations. With more it is a PBX.
ENDED_MAX: Final = 10


class LineCalls:
    """One a process. `watched` counts, by line, those who want to know of its calls."""

    __slots__ = ("_due", "_ended", "_left", "_legs", "_timers", "on_changed", "watched")

    def __init__(self, timers: "TimerQueue") -> None:
        self._timers = timers
        self._legs: dict[str, dict[Leg, None]] = {}
        # Of watched lines: our tag of the leg -> until when it is remembered, and whether it was a caller's.
        self._ended: dict[str, dict[str, tuple[float, bool]]] = {}
        self._due: set[str] = set()  # lines whose watchers are told at the end of this turn
        self._left: set[str] = set()  # watched lines that a leg has left: asked once more at the next second
        self.watched: dict[str, int] = {}
        self.on_changed: Callable[[str, float], None] = _nobody

    def __len__(self) -> int:
        """How many lines have legs."""
        return len(self._legs)

    def of(self, user: str) -> "list[Leg]":
        """The line's legs in the order they began, with those that are about to end."""
        return list(self._legs.get(user, ()))

    def ended_of(self, user: str, now: float) -> dict[str, bool]:
        """Our tags of those that ended within the last seconds, and whether each was a caller's leg."""
        ended = self._ended.get(user, {})
        return {tag: is_caller for tag, (until, is_caller) in ended.items() if until > now}

    def watch(self, user: str) -> None:
        """One more wants to be told of this line."""
        self.watched[user] = self.watched.get(user, 0) + 1

    def unwatch(self, user: str) -> None:
        left = self.watched[user] - 1
        if left:
            self.watched[user] = left
        else:
            del self.watched[user]
            self._ended.pop(user, None)

    # What legs report

    def begins(self, leg: "Leg", now: float) -> None:
        """The leg has its INVITE."""
        user = leg.line_user
        if user:
            self._legs.setdefault(user, {})[leg] = None
            if user in self.watched:
                self._tell_soon(user, now)

    def changed(self, leg: "Leg", now: float) -> None:
        """It rings, is answered, or is on its way out."""
        user = leg.line_user
        if user in self.watched:
            if leg.is_over and leg.setup_at < now:
                self._remember(user, leg, now)
            self._tell_soon(user, now)

    def ends(self, leg: "Leg") -> None:
        """It leaves the table of legs."""
        user = leg.line_user
        legs = self._legs.get(user)
        if legs is None or leg not in legs:
            return
        del legs[leg]
        if not legs:
            del self._legs[user]
        if user in self.watched:
            self._left.add(user)

    def on_second(self, now: float) -> None:
        """Who has been told of everything sees no difference and is told nothing."""
        if self._left:
            left, self._left = self._left, set()
            for user in left:
                self._tell_soon(user, now)

    # In turn

    def _tell_soon(self, user: str, now: float) -> None:
        """After this turn: a call that is refused as it begins is no change."""
        if user not in self._due:
            self._due.add(user)
            self._timers.start(now, 0.0, lambda later: self._tell(user, later))

    def _tell(self, user: str, now: float) -> None:
        self._due.discard(user)
        self.on_changed(user, now)

    def _remember(self, user: str, leg: "Leg", now: float) -> None:
        ended = self._ended.get(user)
        if ended is None:
            ended = self._ended[user] = {}
            self._timers.start(now, ENDED_KEPT_S, lambda later: self._forget(user, later))
        if len(ended) < ENDED_MAX:
            ended.setdefault(leg.local_tag, (now + ENDED_KEPT_S, leg.index == 0))

    def _forget(self, user: str, now: float) -> None:
        """Those of a line whose time is over; the rest has its own turn."""
        ended = self._ended.get(user)
        if ended is None:
            return
        for tag in [tag for tag, (until, _) in ended.items() if until <= now]:
            del ended[tag]
        if ended:
            first = min(until for until, _ in ended.values())
            self._timers.start(now, first - now, lambda later: self._forget(user, later))
        else:
            del self._ended[user]


def _nobody(user: str, now: float) -> None:
    """Until somebody watches."""
