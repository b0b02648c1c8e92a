"""Refused logins, with their reasons: what support asks for when a phone "does not register".

A request is only put down here, whoever it claims to be from: what it was is worked out within a second, so that an
answer takes as long for a name that exists as for one that does not (see screening.py). The same refusal (line or
claimed name, source, reason) is one record a minute, with its count. Strangers' names, and the sources of one line,
are bounded together: a scanner with a thousand names is one record.

What a phone answers rightly in the end is none: an expired nonce (`stale`), a nonce count used before, a challenge
answered for another realm or algorithm, an interval that was too brief. Such a refusal is told when no good login
from that source has followed. Pure.
"""

from collections import Counter
from collections.abc import Callable, Container
from typing import Final

from switch.registrar.history import Evidence, History, evidence_of
from switch.sip.flow import Flow
from switch.sip.message import Request

WRONG_PASSWORD: Final = "wrong password"  # noqa: S105 - words
UNKNOWN_USER: Final = "unknown user"
BANNED: Final = "banned"
OTHER_DOMAIN: Final = "other domain"
MANY: Final = "(many)"

# The outcomes of digest.py, and what it may come to.
_REASONS: Final = {
    "wrong": WRONG_PASSWORD,
    "user_at_domain": "user at domain",
    "shut_out": BANNED,
    "malformed": "unreadable credentials",
}
# What a good login or a registration makes up for: the reason, and which of the two.
LOGIN: Final = "login"
REGISTRATION: Final = "registration"
_PASSING: Final = {
    "stale": ("expired nonce", LOGIN),
    "missing": ("credentials for another realm or algorithm", LOGIN),
    "replayed": ("repeated credentials", LOGIN),
    "Interval Too Brief": ("interval too brief", REGISTRATION),
}
# What answers of the registrar are called; others by their phrase.
_STATUSES: Final = {"Too Many Contacts": "too many bindings", "Not Found": OTHER_DOMAIN}

SAME_AGAIN_S: Final = 60.0
# A phone answers a challenge at once; Timer F is 32 s.
PASSING_S: Final = 40.0
# Put down within a second, each with its request. A flood above it is of nobody's phones; it is counted.
NOTED_MAX: Final = 500
# Of these, requests from banned sources: they come as fast as they like, and must not push out the others.
NOTED_BANNED_MAX: Final = 100
# Refusals that are told apart within a minute.
KEYS_MAX: Final = 4096
# Of them, names that no line has, and sources that one line is refused from.
STRANGERS_MAX: Final = 20
SOURCES_PER_LINE_MAX: Final = 5


class _Noted:
    __slots__ = ("at", "claimed", "evidence", "flow", "outcome", "request")

    def __init__(self, outcome: str, claimed: str, request: Request, flow: Flow, at: float) -> None:
        self.outcome = outcome
        self.claimed = claimed
        self.request = request
        self.flow = flow
        self.at = at


class _Refusal:
    """`count` is since `at`, when the last record was made."""

    __slots__ = ("at", "count", "noted")

    def __init__(self, at: float, noted: _Noted) -> None:
        self.at = at
        self.count = 0
        self.noted = noted


Key = tuple[str, str, str]  # name ("" for one of many strangers), source ("" for one of many), reason


class RefusedLogins:
    """One an exchange. `lines` are the names that exist."""

    __slots__ = (
        "_history",
        "_keys_of",
        "_lines",
        "_noted",
        "_noted_banned",
        "_passing",
        "_table",
        "counts",
        "untracked",
    )

    def __init__(self, history: History, lines: Callable[[], Container[str]]) -> None:
        self._history = history
        self._lines = lines
        self._noted: list[_Noted] = []
        self._noted_banned = 0
        self._table: dict[Key, _Refusal] = {}
        self._keys_of: Counter[str] = Counter()
        # By name, source and what would end it: the first of what may still come to a good one, and how often it came.
        self._passing: dict[Key, _Refusal] = {}
        self.counts: Counter[str] = Counter()
        self.untracked = 0

    @property
    def tracked_count(self) -> int:
        return len(self._table) + len(self._passing)

    def note(self, outcome: str, claimed: str, request: Request, flow: Flow, now: float) -> None:
        """A login failed. The same few steps for every name."""
        if len(self._noted) < NOTED_MAX:
            self._noted.append(_Noted(outcome, claimed, request, flow, now))
        else:
            self.untracked += 1

    def takes_banned(self) -> bool:
        """Whether one more request that was not even answered is to be noted: asked before anything is read of it."""
        self._noted_banned += 1
        if self._noted_banned <= NOTED_BANNED_MAX:
            return True
        self.untracked += 1
        return False

    def succeeded(self, line: str, flow: Flow, end: str = LOGIN) -> None:
        """A good login, or a registration: what came before it was passing. Nearly always there is nothing to do."""
        if self._noted:
            self._noted = [
                noted
                for noted in self._noted
                if noted.claimed != line
                or _PASSING.get(noted.outcome, ("", ""))[1] != end
                or noted.flow.remote_host != flow.remote_host
            ]
        if self._passing:
            self._passing.pop((line, flow.remote_host, end), None)

    def on_second(self, now: float) -> None:
        noted, self._noted, self._noted_banned = self._noted, [], 0
        for each in noted:
            if each.outcome in _PASSING:
                self._pass(each)
            else:
                self._refuse(each, 1)
        while self._passing:
            key, passing = next(iter(self._passing.items()))
            if now - passing.at < PASSING_S:
                break
            del self._passing[key]
            self._refuse(passing.noted, passing.count)
        while self._table:
            name, refusal = next(iter(self._table.items()))
            if now - refusal.at < SAME_AGAIN_S:
                break
            self._forget(name)
            if refusal.count:
                self._tell(name, refusal, refusal.count)
                refusal.at, refusal.count = now, 0
                self._keep(name, refusal)

    def _pass(self, noted: _Noted) -> None:
        key = noted.claimed, noted.flow.remote_host, _PASSING[noted.outcome][1]
        passing = self._passing.get(key)
        if passing is None:
            if len(self._passing) >= KEYS_MAX:
                self.untracked += 1
                return
            passing = self._passing[key] = _Refusal(noted.at, noted)
        passing.count += 1

    def _refuse(self, noted: _Noted, count: int) -> None:
        is_line = noted.claimed in self._lines()
        reason = _reason_of(noted.outcome)
        if not is_line and noted.outcome in ("wrong", "user_at_domain"):
            reason = UNKNOWN_USER
        self.counts[reason if reason in _KNOWN else "other"] += count
        key = self._key(noted.claimed, is_line, noted.flow.remote_host, reason)
        known = self._table.get(key)
        if known is not None:
            known.count += count
            known.noted = noted
            return
        if len(self._table) >= KEYS_MAX:
            self.untracked += count
            return
        refusal = _Refusal(noted.at, noted)
        self._keep(key, refusal)
        self._tell(key, refusal, count)

    def _key(self, claimed: str, is_line: bool, host: str, reason: str) -> Key:
        if is_line:
            is_full = self._keys_of[claimed] >= SOURCES_PER_LINE_MAX
            key = claimed, host, reason
            return key if not is_full or key in self._table else (claimed, "", reason)
        # Behind a space: no line has that in its name.
        key = f" {claimed[:64]}", host, reason
        is_full = self._keys_of[" "] >= STRANGERS_MAX
        return key if not is_full or key in self._table else ("", "", reason)

    def _keep(self, key: Key, refusal: _Refusal) -> None:
        self._table[key] = refusal
        self._keys_of[_counted(key)] += 1

    def _forget(self, key: Key) -> None:
        del self._table[key]
        name = _counted(key)
        self._keys_of[name] -= 1
        if not self._keys_of[name]:
            del self._keys_of[name]

    def _tell(self, key: Key, refusal: _Refusal, count: int) -> None:
        noted = refusal.noted
        name, host, reason = key
        is_stranger = not name or name.startswith(" ")
        evidence = evidence_of(noted.request) if host else Evidence()
        self._history.add(
            "refused",
            noted.at,
            line="" if is_stranger else name,
            reason=reason,
            flow=noted.flow if host else None,
            evidence=evidence,
            claimed="" if not is_stranger else (noted.claimed if name else MANY),
            count=count,
        )


_KNOWN: Final = frozenset(
    {
        *_REASONS.values(),
        *_STATUSES.values(),
        *(reason for reason, _ in _PASSING.values()),
        UNKNOWN_USER,
        OTHER_DOMAIN,
    }
)


def _counted(key: Key) -> str:
    return " " if not key[0] or key[0].startswith(" ") else key[0]


def _reason_of(outcome: str) -> str:
    """Of a digest outcome, or of the phrase of a registrar's answer."""
    if outcome in _PASSING:
        return _PASSING[outcome][0]
    return _REASONS.get(outcome) or _STATUSES.get(outcome) or outcome.lower()
