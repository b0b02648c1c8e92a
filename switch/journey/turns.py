"""Whose turn it is in a group, and how long a line has rested: what hunt groups remember from call to call.

In memory only: after a restart a round begins with the first again, which nobody minds. Pure.
"""

from typing import Final

# Every group of every customer's plans, for more customers than one switch has. What was used longest ago is forgotten,
# and its round begins anew.
TURNS_MAX: Final = 20_000
# Lines that have had a call; one that is forgotten counts as rested the longest.
RESTS_MAX: Final = 200_000


class Turns:
    """One per process."""

    __slots__ = ("_rests", "_turns")

    def __init__(self) -> None:
        self._turns: dict[tuple[int, str], int] = {}
        self._rests: dict[str, int] = {}

    def __len__(self) -> int:
        """How many groups are in a round."""
        return len(self._turns)

    def next(self, account_id: int, group: str) -> int:
        """How many calls have come to this group before; this one is counted."""
        key = account_id, group
        turn = self._turns.pop(key, 0)
        self._turns[key] = turn + 1
        if len(self._turns) > TURNS_MAX:
            del self._turns[next(iter(self._turns))]
        return turn

    def copy(self) -> "Turns":
        """The same, and what is counted there is not counted here."""
        turns = Turns()
        turns._turns, turns._rests = self._turns.copy(), self._rests.copy()
        return turns

    def call_ended(self, user: str, at_ms: int) -> None:
        """The line rests from now on."""
        self._rests.pop(user, None)
        self._rests[user] = at_ms
        if len(self._rests) > RESTS_MAX:
            del self._rests[next(iter(self._rests))]

    def rested_since(self, user: str) -> int:
        """UTC milliseconds of the end of the line's last call; 0 for none that is known."""
        return self._rests.get(user, 0)
