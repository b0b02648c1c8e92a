"""Lines that called an emergency service a short while ago: whoever calls them may be that service calling back.

It calls with a withheld number, and most carriers say nothing of who it is (RFC 7090 is for those that do). So for half
an hour nobody is refused for what the line has set: a sales call gets through, rather than the one that matters not.
Kept in memory: after a restart of the exchange only the carrier's word is left.
"""

from typing import Final

AWAITED_S: Final = 1800.0
# Lines in their half hour. An exchange with this many has other troubles; the one that called first is forgotten.
LINES_MAX: Final = 10_000


class EmergencyCallbacks:
    """By line, in the order of their emergency calls."""

    __slots__ = ("_called_at",)

    def __init__(self) -> None:
        self._called_at: dict[str, float] = {}

    @property
    def count(self) -> int:
        return len(self._called_at)

    def note(self, user: str, now: float) -> None:
        """The line calls an emergency service."""
        self._called_at.pop(user, None)
        while self._called_at:
            first = next(iter(self._called_at))
            if len(self._called_at) < LINES_MAX and now - self._called_at[first] <= AWAITED_S:
                break
            del self._called_at[first]
        self._called_at[user] = now

    def is_awaited(self, user: str, now: float) -> bool:
        called_at = self._called_at.get(user)
        return called_at is not None and now - called_at <= AWAITED_S
