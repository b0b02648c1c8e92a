"""Who may not log in for a while: sources that guessed, and single lines for one source.

Two limits, both over a sliding window. Of a source (sources.py): enough wrong logins that a whole office behind one
address with a few wrong phones stays below, and few enough that guessing is hopeless. Of one line from one source: a
slower guesser, who stays below the first limit; only that line is shut, and only to that source. A line is never shut
to everybody, whatever comes from elsewhere: anybody who knows a name could otherwise take its phone off the network.

A ban's time doubles each time it comes again, up to a ceiling, and is forgotten after as long as the ceiling without a
new one. Whom a ban spares is not decided here (door.py).
"""

import enum
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from switch.door.failures import USER_CHARS_MAX, FailureTable, FailureWindow

if TYPE_CHECKING:
    from switch.conf_security import Security

# A window takes some 400 bytes: 25 MB when 65,536 addresses guess at once, each with answers to challenges of its own,
# and as much again for the lines they try. More addresses than that are not counted singly; `untracked` says how many
# failures.
SOURCES_MAX: Final = 65_536
# Present and remembered bans. Each took a source of its own and enough wrong logins from it.
BANS_MAX: Final = 65_536
# An IPv6 site has 65,536 networks to guess from; so many times a source's limit is its own.
SITE_FACTOR: Final = 8
LINE_WINDOW_S: Final = 3600.0
SWEEP_S: Final = 10.0

Key = tuple[str, str]  # source, and the user that is shut to it or "" for all


class BanReason(enum.Enum):
    GUESSING = "wrong logins"
    GUESSING_ONE_LINE = "wrong logins of one line"
    OPERATOR = "the operator"


class Ban:
    """A source shut out until `until`; with a `user`, only from that line. `times` counts those in a row."""

    __slots__ = ("failures", "reason", "since", "source", "times", "until", "user", "users")

    def __init__(
        self,
        source: str,
        user: str,
        reason: BanReason,
        *,
        failures: int,
        users: tuple[str, ...],
        since: float,
        until: float,
        times: int,
    ) -> None:
        self.source = source
        self.user = user
        self.reason = reason
        self.failures = failures
        self.users = users
        self.since = since
        self.until = until
        self.times = times

    @property
    def key(self) -> Key:
        return (self.source, self.user)


class Bans:
    """All of them. `now` is monotonic seconds."""

    __slots__ = (
        "_active",
        "_bans_max",
        "_of_lines",
        "_of_sources",
        "_past",
        "_swept_at",
        "begun",
        "not_taken",
        "settings",
    )

    def __init__(
        self, settings: "Security", *, keys_max: int = SOURCES_MAX, bans_max: int = BANS_MAX
    ) -> None:
        self.settings = settings
        self.begun: dict[str, int] = {reason.value: 0 for reason in BanReason}  # since the start, by reason
        self.not_taken = 0  # for lack of room
        self._active: dict[Key, Ban] = {}
        self._past: dict[Key, Ban] = {}  # over, but remembered for the length of the next one
        self._bans_max = bans_max
        self._of_sources = FailureTable(keys_max)
        self._of_lines = FailureTable(keys_max)
        self._swept_at = 0.0

    @property
    def count(self) -> int:
        """Bans in force; those that ended within the last seconds may still be counted."""
        return len(self._active)

    @property
    def sources_count(self) -> int:
        """Sources with wrong logins in the window."""
        return len(self._of_sources)

    @property
    def untracked(self) -> int:
        return self._of_sources.untracked + self._of_lines.untracked

    def __iter__(self) -> Iterator[Ban]:
        return iter(self._active.values())

    def is_banned(self, source: str, now: float) -> bool:
        """From everything."""
        ban = self._active.get((source, ""))
        return ban is not None and ban.until > now

    def is_shut(self, source: str, user: str, now: float) -> bool:
        """From this line."""
        ban = self._active.get((source, user[:USER_CHARS_MAX]))
        return ban is not None and ban.until > now

    def failed(self, sources: tuple[str, ...], user: str, now: float) -> list[Ban]:
        """A wrong login for `user` from a source and the sites around it; the bans that this begins."""
        begun = []
        settings = self.settings
        user = user[:USER_CHARS_MAX]
        limit = settings.login_failures_max
        for source in sources:
            window = self._of_sources.add((source, ""), user, now, settings.login_window_s, limit)
            if window is not None:
                begun += self._begin((source, ""), BanReason.GUESSING, window, now)
            limit *= SITE_FACTOR
        line_limit = settings.login_failures_per_line_max
        window = self._of_lines.add((sources[0], user), user, now, LINE_WINDOW_S, line_limit)
        if window is not None:
            begun += self._begin((sources[0], user), BanReason.GUESSING_ONE_LINE, window, now)
        return begun

    def add(self, source: str, for_s: float, now: float) -> Ban | None:
        """By hand; None when the table is full."""
        ban = Ban(source, "", BanReason.OPERATOR, failures=0, users=(), since=now, until=now + for_s, times=1)
        return self._count(ban) if self._put(ban) else None

    def lift(self, source: str) -> list[Ban]:
        """All that is held against a source, "" for every one; the bans, remembered ones too, that are gone."""
        gone = [
            ban
            for table in (self._active, self._past)
            for ban in table.values()
            if source in ("", ban.source)
        ]
        for ban in gone:
            self._active.pop(ban.key, None)
            self._past.pop(ban.key, None)
        self._of_sources.forget(source)
        self._of_lines.forget(source)
        return gone

    def restore(self, bans: Iterable[Ban], now: float) -> list[Ban]:
        """From the journal; those that are forgotten by now. A wall clock that was set back makes none eternal."""
        forgotten = []
        for ban in bans:
            ban.until = min(ban.until, now + max(self.settings.ban_max_s, ban.until - ban.since))
            if ban.until > now:
                self._put(ban)
            elif self._is_remembered(ban, now):
                self._past[ban.key] = ban
            else:
                forgotten.append(ban)
        return forgotten

    def sweep(self, now: float) -> list[Ban]:
        """To be called about once a second; the bans that are forgotten for good."""
        if now - self._swept_at < SWEEP_S:
            return []
        self._swept_at = now
        self._of_sources.sweep(now, self.settings.login_window_s)
        self._of_lines.sweep(now, LINE_WINDOW_S)
        for ban in [ban for ban in self._active.values() if ban.until <= now]:
            self._past[ban.key] = self._active.pop(ban.key)
        forgotten = [ban for ban in self._past.values() if not self._is_remembered(ban, now)]
        for ban in forgotten:
            del self._past[ban.key]
        return forgotten

    def _begin(self, key: Key, reason: BanReason, window: FailureWindow, now: float) -> list[Ban]:
        source, user = key
        before = self._past.get(key) or self._active.get(key)
        times = before.times + 1 if before is not None and self._is_remembered(before, now) else 1
        # Doubled no further than to the ceiling: 2**64 would be a number, but no time.
        for_s = min(self.settings.ban_s << min(times - 1, 24), self.settings.ban_max_s)
        ban = Ban(
            source,
            user,
            reason,
            failures=window.total,
            users=window.users,
            since=now,
            until=now + for_s,
            times=times,
        )
        return [self._count(ban)] if self._put(ban) else []

    def _count(self, ban: Ban) -> Ban:
        self.begun[ban.reason.value] += 1
        return ban

    def _put(self, ban: Ban) -> bool:
        """A full table loses remembered bans, the oldest first, but never one that is in force."""
        key = ban.key
        self._past.pop(key, None)
        if key not in self._active and len(self._active) + len(self._past) >= self._bans_max:
            if not self._past:
                self.not_taken += 1
                return False
            del self._past[next(iter(self._past))]
        self._active[key] = ban
        return True

    def _is_remembered(self, ban: Ban, now: float) -> bool:
        return ban.reason is not BanReason.OPERATOR and now < ban.until + self.settings.ban_max_s
