"""Lines whose password is tried from many sources: an alarm for the operator, never a lock.

A botnet guesses from everywhere, each address below every limit. To shut the line would be to do its work for it: the
real phone would be out. So it is counted and told, and what helps is a password that cannot be guessed.
"""

from typing import Final

from switch.door.failures import USER_CHARS_MAX

# A person mistypes at home, at work and on the phone between; ten networks within an hour are nobody's mistake.
SOURCES_ALARMING: Final = 10
WINDOW_S: Final = 3600.0
# Names that failed within the hour, real or not; each has at most SOURCES_ALARMING sources, some 2 kB.
USERS_MAX: Final = 4096


class _Tried:
    __slots__ = ("is_told", "sources", "started_at")

    def __init__(self, now: float) -> None:
        self.started_at = now
        self.sources: set[str] = set()
        self.is_told = False


class LineWatch:
    """From which sources each name failed within the hour."""

    __slots__ = ("_tried", "_users_max")

    def __init__(self, users_max: int = USERS_MAX) -> None:
        self._users_max = users_max
        self._tried: dict[str, _Tried] = {}

    def __len__(self) -> int:
        return len(self._tried)

    def failed(self, user: str, source: str, now: float) -> bool:
        """Whether the operator should be told now: once an hour for each name."""
        user = user[:USER_CHARS_MAX]
        tried = self._tried.get(user)
        if tried is None or now - tried.started_at >= WINDOW_S:
            if tried is None and len(self._tried) >= self._users_max:
                return False
            tried = self._tried[user] = _Tried(now)
        if tried.is_told:
            return False
        tried.sources.add(source)
        tried.is_told = len(tried.sources) >= SOURCES_ALARMING
        return tried.is_told

    def sweep(self, now: float) -> None:
        for user in [user for user, tried in self._tried.items() if now - tried.started_at >= WINDOW_S]:
            del self._tried[user]
