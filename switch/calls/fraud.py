"""Fraud velocity: what one account does within a short time that its owner would not. Pure; times are UTC in ms.

Three rules (conf/safety.toml has the thresholds and their reasons). `new_high_cost`: calls a minute to dear
destinations that are new for the account, by the tariff's prefixes; one is new for a day from the first call to it, so
that twenty calls to one number count as much as one call to twenty. `short_calls`: many answered calls that end at
once. `countries_at_once`: calls to different countries at the same moment. What needs a history of weeks (usual hours,
usual destinations) is left out.

An account is looked at from its first call that matters to a rule and forgotten when nothing has happened for a day;
after a restart all prefixes are new again, which errs towards an alarm.
"""

from collections import Counter, OrderedDict, deque
from typing import Final

from switch.conf_safety import FraudRule, FraudSettings

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
# An account that is watched takes some kilobytes. Beyond so many the one that was quiet longest is forgotten.
ACCOUNTS_MAX: Final = 10_000
# Of one account; the world has some 250 countries, a price list some thousands of prefixes. The oldest is forgotten: it
# is then new again.
PREFIXES_MAX: Final = 64
SWEEP_MS: Final = 60_000


class _Watch:
    """One account. The queues are one longer than their thresholds: what is older cannot count."""

    __slots__ = ("countries", "known", "new_calls", "seen_ms", "short_calls")

    def __init__(self) -> None:
        self.known: OrderedDict[str, int] = OrderedDict()  # prefix -> when it was first called
        self.new_calls: deque[int] = deque()
        self.short_calls: deque[int] = deque()
        self.countries: Counter[str] = Counter()  # calls that are up or ring, by country
        self.seen_ms = 0


class Velocity:
    """All accounts. Each method says which rule has just been broken, or None."""

    __slots__ = ("_swept_ms", "_watches", "forgotten")

    def __init__(self) -> None:
        self._watches: OrderedDict[int, _Watch] = OrderedDict()  # quiet longest first
        self._swept_ms = 0
        self.forgotten = 0  # for want of room

    def __len__(self) -> int:
        return len(self._watches)

    def dear_call(self, account_id: int, prefix: str, at_ms: int, limits: FraudSettings) -> FraudRule | None:
        """A call to a dear destination begins."""
        watch = self._watch(account_id, at_ms)
        first_ms = watch.known.setdefault(prefix, at_ms)
        while len(watch.known) > PREFIXES_MAX:
            watch.known.popitem(last=False)
        if at_ms - first_ms >= DAY_MS:
            return None
        is_many = _is_many(watch.new_calls, at_ms, limits.new_high_cost_per_minute, MINUTE_MS)
        return FraudRule.NEW_HIGH_COST if is_many else None

    def short_call(self, account_id: int, at_ms: int, limits: FraudSettings) -> FraudRule | None:
        """An answered call has ended at once."""
        watch = self._watch(account_id, at_ms)
        is_many = _is_many(watch.short_calls, at_ms, limits.short_calls, limits.short_calls_window_s * 1000)
        return FraudRule.SHORT_CALLS if is_many else None

    def foreign_call(
        self, account_id: int, country: str, at_ms: int, limits: FraudSettings
    ) -> FraudRule | None:
        """A call to a country begins; `foreign_call_over` ends it."""
        watch = self._watch(account_id, at_ms)
        watch.countries[country] += 1
        is_many = 0 < limits.countries_at_once <= len(watch.countries)
        return FraudRule.COUNTRIES_AT_ONCE if is_many and len(watch.countries) > 1 else None

    def foreign_call_over(self, account_id: int, country: str) -> None:
        watch = self._watches.get(account_id)
        if watch is None:
            return
        watch.countries[country] -= 1
        if watch.countries[country] <= 0:
            del watch.countries[country]

    def forget(self, account_id: int) -> None:
        """An operator has looked at it: counting starts anew, and what was called is known from now on."""
        watch = self._watches.get(account_id)
        if watch is not None:
            watch.new_calls.clear()
            watch.short_calls.clear()
            watch.known = OrderedDict((prefix, at_ms - DAY_MS) for prefix, at_ms in watch.known.items())

    def sweep(self, at_ms: int) -> None:
        """To be called about once a second."""
        if 0 <= at_ms - self._swept_ms < SWEEP_MS:
            return
        self._swept_ms = at_ms
        while self._watches:
            account_id, watch = next(iter(self._watches.items()))
            # One with prefixes is kept as long as they may be new; a call that is up keeps its account.
            if at_ms - watch.seen_ms < DAY_MS or watch.countries:
                return
            del self._watches[account_id]

    def _watch(self, account_id: int, at_ms: int) -> _Watch:
        watch = self._watches.get(account_id)
        if watch is None:
            if len(self._watches) >= ACCOUNTS_MAX:
                self._watches.popitem(last=False)
                self.forgotten += 1
            watch = self._watches[account_id] = _Watch()
        else:
            self._watches.move_to_end(account_id)
        watch.seen_ms = at_ms
        return watch


def _is_many(times: deque[int], at_ms: int, threshold: int, window_ms: int) -> bool:
    """One more at `at_ms`; whether that makes more than the threshold within the window."""
    if not threshold:
        return False
    times.append(at_ms)
    while len(times) > threshold + 1:
        times.popleft()
    return len(times) > threshold and at_ms - times[0] < window_ms
