"""Retrieval from elsewhere: a number and a PIN to a mailbox, without telling who has one.

A number that is nobody's is answered as a wrong PIN, after the same time, and is locked after as many attempts.
Blocks; one of them for all calls, called from threads.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from voicemail.actions import Opened, PinResult
from voicemail.mailbox import LockOutRule, Settings, attempt_begun, hash_pin, is_locked, is_pin, plain_number
from voicemail.store import Store

# Numbers without a mailbox that somebody tries; the oldest are forgotten first.
UNKNOWN_MAX: Final = 10_000


class FrontDoor:
    """`enter(number, pin)`."""

    __slots__ = ("_lock", "_numbers", "_rule", "_store", "_stranger", "_unknown")

    def __init__(self, store: Store, rule: LockOutRule) -> None:
        self._store = store
        self._rule = rule
        self._stranger = hash_pin("0000", b"nobody's mailbox")
        self._unknown: OrderedDict[str, Settings] = OrderedDict()
        self._numbers: dict[
            str, tuple[int, tuple[str, ...]]
        ] = {}  # of each mailbox, when it had changed last
        self._lock = Lock()

    def enter(self, number: str, pin: str) -> tuple[PinResult, Opened | None]:
        """Raises StoreProblem, OSError."""
        user = self._user_of(plain_number(number) or number)
        if user is None:
            return self._turn_away(number, pin), None
        result = self._store.check_pin(user, pin)
        return result, self._store.open(user) if result is PinResult.RIGHT else None

    def _user_of(self, number: str) -> str | None:
        """Whose mailbox was called by this number last. A line that is named like its number needs no call before.

        The numbers of a mailbox are read again when it has changed; of the others only the time is looked at.
        """
        store, known = self._store, self._numbers
        best: tuple[int, int, str] | None = None
        for user in store.users():
            changed_at = store.changed_at_ns(user)
            with self._lock:
                seen = known.get(user)
            if seen is None or seen[0] != changed_at:
                seen = (changed_at, store.settings(user).numbers)
                with self._lock:
                    known[user] = seen
            if number in seen[1]:
                place = (seen[1].index(number), -changed_at, user)
                best = place if best is None else min(best, place)
        if best is not None:
            return best[2]
        return number if store.has(number) else None

    def _turn_away(self, number: str, pin: str) -> PinResult:
        now_ms = self._store.now_ms()
        with self._lock:
            attempts = self._unknown.pop(number, Settings())
            was_locked = is_locked(attempts, now_ms)
            if not was_locked:
                attempts = attempt_begun(attempts, self._rule, now_ms)
            self._unknown[number] = attempts
            if len(self._unknown) > UNKNOWN_MAX:
                self._unknown.popitem(last=False)
        if was_locked:
            return PinResult.LOCKED
        is_pin(pin, self._stranger)  # for the time that it takes
        return PinResult.LOCKED if is_locked(attempts, now_ms) else PinResult.WRONG
