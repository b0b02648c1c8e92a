"""Which pairs of ports of one address are free, granted, in use or resting. Pure: somebody else opens them.

Pairs are taken in random order, so that nobody who saw one call's ports can guess the next one's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from media.relay.limits import PORT_REST_S


class PortPool:
    """Even ports of one address. `shuffle` mixes a list in place."""

    __slots__ = ("_free", "_resting", "_shuffle", "_taken", "ports_max")

    def __init__(self, first_port: int, last_port: int, *, shuffle: Callable[[list[int]], None]) -> None:
        """Both inclusive; a pair needs both its ports in the range."""
        even = first_port + first_port % 2
        self._free = list(range(even, last_port, 2))
        self._shuffle = shuffle
        shuffle(self._free)
        self._taken: set[int] = set()
        self._resting: deque[tuple[float, int]] = deque()
        self.ports_max = len(self._free)

    @property
    def free(self) -> int:
        """Pairs that are not taken, the resting ones included: they come back by themselves."""
        return self.ports_max - len(self._taken)

    def is_taken(self, port: int) -> bool:
        return port in self._taken

    def take(self, now: float) -> int | None:
        """A pair's even port, or None when there is none left."""
        self._wake(now)
        while self._free:
            port = self._free.pop()
            if port not in self._taken:
                self._taken.add(port)
                return port
        return None

    def take_this(self, port: int) -> None:
        """A pair that somebody names, resting or free. It must not be taken."""
        assert port not in self._taken, "looked up before"
        self._taken.add(port)

    def give_back(self, port: int, now: float) -> None:
        """It rests before it is taken again."""
        self._taken.discard(port)
        self._resting.append((now + PORT_REST_S, port))

    def _wake(self, now: float) -> None:
        """Ports whose rest is over come last, in a random order of their own."""
        rested: list[int] = []
        while self._resting and self._resting[0][0] <= now:
            rested.append(self._resting.popleft()[1])
        if rested:
            self._shuffle(rested)
            self._free[:0] = rested


def ports_of(text: str) -> tuple[int, int]:
    """ "20000-29999" -> (20000, 29999). Raises ValueError, which says what is expected."""
    first_text, dash, last_text = text.partition("-")
    if dash and _is_port(first_text) and _is_port(last_text):
        first, last = int(first_text), int(last_text)
        if first + first % 2 < last:
            return first, last
    raise ValueError(
        f'{text!r} is no range of ports from 1024 to 65535 with a pair in it, like "20000-29999"'
    )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 1024 <= int(text) <= 65_535
