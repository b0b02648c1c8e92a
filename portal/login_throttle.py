"""How often somebody may try to log in. Pure: `now` comes in, seconds of any clock that does not go back.

Three counts of failures, each with a wait that doubles: of a name from one source, of a source over all names, of a
name over all sources. The last one would let anybody lock out anybody, so it does not hold where that person has
logged in from before. Unknown names are counted as known ones are.

An attempt counts as a failure from the moment it begins: a hundred at once are a hundred.
"""

from collections.abc import Hashable
from typing import Final

from msgspec import Struct

# Somebody who mistypes needs two or three.
FREE_OF_PAIR: Final = 5
# An office behind one address on a Monday morning.
FREE_OF_SOURCE: Final = 20
FREE_OF_NAME: Final = 20
FIRST_WAIT_S: Final = 15.0
WAIT_MAX_S: Final = 900.0
# A name's wait stays short: it also holds for its owner in a new place.
NAME_WAIT_MAX_S: Final = 120.0
FORGOTTEN_AFTER_S: Final = 3600.0
# Remembered of each kind: beyond it the one that failed longest ago is forgotten.
REMEMBERED_MAX: Final = 10_000


class _Rule(Struct, frozen=True):
    free: int
    wait_max_s: float

    def wait_s(self, failures: int) -> float:
        if failures < self.free:
            return 0.0
        return min(FIRST_WAIT_S * 2.0 ** min(failures - self.free, 10), self.wait_max_s)


_PAIR: Final = _Rule(FREE_OF_PAIR, WAIT_MAX_S)
_SOURCE: Final = _Rule(FREE_OF_SOURCE, WAIT_MAX_S)
_NAME: Final = _Rule(FREE_OF_NAME, NAME_WAIT_MAX_S)


class _Failures:
    __slots__ = ("count", "last", "until")

    def __init__(self) -> None:
        self.count = 0
        self.last = 0.0
        self.until = 0.0


class _Counts:
    """Failures by key, the one that failed longest ago first."""

    __slots__ = ("_of", "_rule")

    def __init__(self, rule: _Rule) -> None:
        self._rule = rule
        self._of: dict[Hashable, _Failures] = {}

    def wait_s(self, key: Hashable, now: float) -> float:
        failures = self._of.get(key)
        return 0.0 if failures is None else max(0.0, failures.until - now)

    def add(self, key: Hashable, now: float) -> None:
        failures = self._of.pop(key, None)
        if failures is None or now - failures.last >= FORGOTTEN_AFTER_S:
            failures = _Failures()
        if len(self._of) >= REMEMBERED_MAX:
            del self._of[next(iter(self._of))]
        self._of[key] = failures
        failures.count += 1
        failures.last = now
        failures.until = now + self._rule.wait_s(failures.count)

    def take_back(self, key: Hashable) -> None:
        """The last one was none."""
        failures = self._of.get(key)
        if failures is not None:
            failures.count -= 1
            failures.until = failures.last

    def forget(self, key: Hashable) -> None:
        self._of.pop(key, None)

    def __len__(self) -> int:
        return len(self._of)


class LoginThrottle:
    """`source` is an address, or the network of one (source_of)."""

    __slots__ = ("_names", "_pairs", "_sources")

    def __init__(self) -> None:
        self._pairs = _Counts(_PAIR)
        self._sources = _Counts(_SOURCE)
        self._names = _Counts(_NAME)

    def begin(self, name: str, source: str, *, is_known_there: bool, now: float) -> float:
        """0.0: he may try, and it is counted. Else the seconds until he may."""
        wait_s = max(self._pairs.wait_s((name, source), now), self._sources.wait_s(source, now))
        if not is_known_there:
            wait_s = max(wait_s, self._names.wait_s(name, now))
        if wait_s > 0.0:
            return wait_s
        self._pairs.add((name, source), now)
        self._sources.add(source, now)
        if not is_known_there:
            self._names.add(name, now)
        return 0.0

    def succeeded(self, name: str, source: str, *, is_known_there: bool) -> None:
        """What `begin` has counted was none."""
        self._pairs.forget((name, source))
        self._sources.take_back(source)
        if not is_known_there:
            self._names.take_back(name)

    @property
    def remembered(self) -> int:
        return len(self._pairs) + len(self._sources) + len(self._names)
