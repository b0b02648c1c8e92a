"""What is known of names: the addresses behind them, how old that is, and what is to be looked up again.

The owner of every answer of the DNS. A call reads and never waits: the names of trunks are looked up before they are
needed and again before they expire; one that a dialog names (a Contact, a Record-Route) is looked up when the dialog is
made. When name servers fail, the last good answer is used until they are back. Pure: somebody else asks
(switch/transport/resolver.py), `due` says what.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import structlog

from switch.trunks.locate import Endpoint, Located, Wanted, in_order

# A TTL of zero would be a look-up a second for each name; a TTL of a week would outlive a carrier's move.
TTL_MIN_S: Final = 10.0
TTL_MAX_S: Final = 3600.0
# "There is no such name" is believed no longer than this (RFC 2308 5 has hours): somebody is mending it now.
NEGATIVE_TTL_MAX_S: Final = 60.0
REFRESH_AT: Final = 0.8  # of the TTL, so that the answer is fresh when the old one ends
# Name servers that fail are asked again after these; the last one goes on.
RETRIES_S: Final[tuple[float, ...]] = (2.0, 5.0, 10.0, 30.0)
# A look-up that the asker forgot to report on (it never should) is asked again after this.
LOST_AFTER_S: Final = 60.0
# Names from the dialogs of carriers. A carrier has some dozen hosts; one that names others in each call gets no more.
HEARD_MAX: Final = 1000
HEARD_KEPT_S: Final = 3600.0
LOOKUPS_AT_ONCE: Final = 32

log = structlog.get_logger(__name__)


class KnownName:
    """One name. `located` is what holds now; `last_good` the last that had addresses."""

    __slots__ = (
        "answered_at",
        "asked_at",
        "failures",
        "is_watched",
        "last_good",
        "located",
        "problem",
        "refresh_at",
        "used_at",
        "wanted",
    )

    def __init__(self, wanted: Wanted, now: float, *, is_watched: bool) -> None:
        self.wanted = wanted
        self.is_watched = is_watched
        self.located: Located | None = None
        self.last_good: Located | None = None
        self.problem = "not looked up yet"
        self.failures = 0
        self.refresh_at = now
        self.used_at = now
        self.asked_at: float | None = None
        self.answered_at = now


class Names:
    """All of them. `changed(wanted)` is called when what holds of a name has become another."""

    __slots__ = ("_changed", "_known", "_random", "failed", "looked_up", "refused")

    def __init__(self, random: Callable[[], float], changed: Callable[[Wanted, float], None]) -> None:
        self._random = random
        self._changed = changed
        self._known: dict[Wanted, KnownName] = {}
        self.looked_up = 0
        self.failed = 0
        self.refused = 0  # names that dialogs brought beyond HEARD_MAX

    def __iter__(self) -> Iterator[KnownName]:
        return iter(list(self._known.values()))

    @property
    def count(self) -> int:
        return len(self._known)

    @property
    def failing(self) -> int:
        return sum(known.failures > 0 for known in self)

    def watch(self, wanted: Iterable[Wanted], now: float) -> None:
        """The names of the configuration; those of an earlier one are forgotten."""
        watched = dict.fromkeys(wanted)
        for name in [n for n, known in self._known.items() if known.is_watched and n not in watched]:
            del self._known[name]
        for name in watched:
            self._entry(name, now).is_watched = True

    def ask(self, wanted: Wanted, now: float) -> bool:
        """Somebody needs this name, which has no address yet. Whether its first answer is still to come."""
        known = self._known.get(wanted)
        if known is None:
            if not self._make_room(now):
                self.refused += 1
                return False
            known = self._entry(wanted, now)
        known.used_at = now
        if known.failures:
            # It was asked for in vain, but now a call needs it: not before the shortest pause, though.
            known.refresh_at = min(known.refresh_at, known.answered_at + RETRIES_S[0])
        return known.located is None and known.failures == 0

    def endpoints(self, wanted: Wanted) -> tuple[Endpoint, ...]:
        """In the order of this draw; none where nothing is known."""
        known = self._known.get(wanted)
        return () if known is None or known.located is None else in_order(known.located, self._random)

    def located(self, wanted: Wanted, *, even_if_gone: bool = False) -> Located | None:
        """What holds now; `even_if_gone` takes the last good answer where the name has none any more."""
        known = self._known.get(wanted)
        if known is None:
            return None
        if known.located is not None and known.located.groups:
            return known.located
        return known.last_good if even_if_gone else None

    def problem(self, wanted: Wanted) -> str:
        known = self._known.get(wanted)
        return known.problem if known is not None else ""

    def due(self, now: float) -> list[Wanted]:
        """What is to be looked up now. Each is reported back by `found`."""
        if not self._known:
            return []
        names = []
        for known in self._known.values():
            if known.asked_at is not None and now < known.asked_at + LOST_AFTER_S:
                continue
            if known.refresh_at <= now and (known.is_watched or known.used_at > now - HEARD_KEPT_S):
                known.asked_at = now
                names.append(known.wanted)
                if len(names) >= LOOKUPS_AT_ONCE:
                    break
        return names

    def found(self, wanted: Wanted, located: Located, now: float) -> None:
        """A look-up has ended, well or not."""
        known = self._known.get(wanted)
        if known is None:
            return  # the configuration has forgotten it meanwhile
        known.asked_at = None
        known.answered_at = now
        self.looked_up += 1
        if located.problem:
            self._on_failure(known, located.problem, now)
            return
        if known.failures:
            log.info("name_found_again", host=wanted.host)
        known.failures = 0
        ttl_max_s = TTL_MAX_S if located.groups else NEGATIVE_TTL_MAX_S
        ttl_s = min(max(located.ttl_s, TTL_MIN_S), ttl_max_s)
        known.refresh_at = now + REFRESH_AT * ttl_s
        is_new = known.located is None or known.located.groups != located.groups
        if not located.groups and known.problem != NO_ADDRESS:
            log.error("name_has_no_address", host=wanted.host, transport=wanted.transport or "any")
        known.problem = "" if located.groups else NO_ADDRESS
        known.located = located
        if located.groups:
            known.last_good = located
        if is_new:
            self._changed(wanted, now)

    def _on_failure(self, known: KnownName, problem: str, now: float) -> None:
        self.failed += 1
        known.refresh_at = now + RETRIES_S[min(known.failures, len(RETRIES_S) - 1)]
        known.failures += 1
        if known.failures == 1:
            log.error("name_not_looked_up", host=known.wanted.host, problem=problem)
        known.problem = problem
        if known.failures == 1:
            self._changed(known.wanted, now)

    def _entry(self, wanted: Wanted, now: float) -> KnownName:
        known = self._known.get(wanted)
        if known is None:
            known = self._known[wanted] = KnownName(wanted, now, is_watched=False)
        return known

    def _make_room(self, now: float) -> bool:
        """Whether one more name of a dialog may be kept; those that nobody used for an hour go first."""
        if len(self._known) < HEARD_MAX:
            return True
        for name in [
            n for n, k in self._known.items() if not k.is_watched and k.used_at < now - HEARD_KEPT_S
        ]:
            del self._known[name]
        return len(self._known) < HEARD_MAX


NO_ADDRESS: Final = "the name has no address that we can send to"
