"""Wrong logins counted in a sliding window: how many, and for which names.

Each window is two counts, one for the present piece of time and one for the piece before: the part of the older one
that still lies in the window is taken to be spread evenly. So it costs the same at a million failures as at three.
"""

from typing import Final

# Shown to the operator: enough to see whether somebody guesses names or one line's password.
USERS_SHOWN_MAX: Final = 5
# provisioning's rules allow a line 64 characters; a longer name is no line, and need not be kept whole.
USER_CHARS_MAX: Final = 64


class FailureWindow:
    """One key's failures. `users` are the first names tried, cut, as they came from the wire."""

    __slots__ = ("_before", "_count", "_started_at", "total", "users")

    def __init__(self, now: float) -> None:
        self._started_at = now
        self._count = 0
        self._before = 0
        self.total = 0
        self.users: tuple[str, ...] = ()

    def add(self, user: str, now: float, window_s: float) -> float:
        """One more; how many there are in the window."""
        self._move_to(now, window_s)
        self._count += 1
        self.total += 1
        if len(self.users) < USERS_SHOWN_MAX and user not in self.users:
            self.users += (user,)
        still_in = 1.0 - (now - self._started_at) / window_s
        return self._count + self._before * still_in

    def is_over(self, now: float, window_s: float) -> bool:
        """Whether nothing of it counts any more."""
        return now - self._started_at >= 2 * window_s

    def _move_to(self, now: float, window_s: float) -> None:
        passed = now - self._started_at
        if passed >= 2 * window_s:
            self._before, self._count, self._started_at = 0, 0, now
            self.total, self.users = 0, ()
        elif passed >= window_s:
            self._before, self._count = self._count, 0
            self._started_at += window_s


class FailureTable:
    """The windows of one kind of key, a bounded number of them.

    A full table takes no new key until one is over: nobody's count can be pushed out by failing from elsewhere.
    """

    __slots__ = ("_keys_max", "_windows", "untracked")

    def __init__(self, keys_max: int) -> None:
        self._keys_max = keys_max
        self._windows: dict[tuple[str, str], FailureWindow] = {}
        self.untracked = 0  # failures that were not counted for lack of room

    def __len__(self) -> int:
        return len(self._windows)

    def add(
        self, key: tuple[str, str], user: str, now: float, window_s: float, limit: int
    ) -> FailureWindow | None:
        """Count one failure; the window, taken out of the table, when that reaches the limit."""
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= self._keys_max:
                self.untracked += 1
                return None
            window = self._windows[key] = FailureWindow(now)
        if window.add(user, now, window_s) < limit:
            return None
        return self._windows.pop(key)

    def sweep(self, now: float, window_s: float) -> None:
        for key in [key for key, window in self._windows.items() if window.is_over(now, window_s)]:
            del self._windows[key]

    def forget(self, source: str) -> None:
        """What this source did is forgiven; "" is every source."""
        if not source:
            self._windows.clear()
        for key in [key for key in self._windows if key[0] == source]:
            del self._windows[key]
