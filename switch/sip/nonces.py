"""The nonces of our digest challenges, and the nonce counts already used: RFC 7616 3.3, 3.4 and 5.5.

A nonce is its time of issue, a serial number and a keyed hash over both and over the source that it was made
for, so that making one stores nothing: a flood of requests without credentials costs no memory. Without the
source anybody could fetch a nonce and answer it wrongly under another's address, until that address is banned.
Only a nonce that has been answered rightly is remembered, with a window of the counts used, until it expires.
What is forgotten early for lack of room is refused as stale: a forgotten nonce is never taken for an unused one.

The secret must be new at each start of the process, because the counts used are not kept over a restart.
"""

import hashlib
import hmac
from typing import Final

# How far below the highest count a fresh one may still come: UDP overtakes by a few messages, never by many.
NONCE_COUNT_WINDOW: Final = 32
# Nonces remembered with their counts, about 16 MiB: 400 challenged calls a second over a lifetime of 300 s.
USED_NONCES_MAX: Final = 131_072
# Used nonces are dropped in portions of the lifetime: no timer for each, and no long pause for all.
SLOTS_PER_LIFETIME: Final = 16

_TIME_DIGITS: Final = 10
_SERIAL_DIGITS: Final = 6
_STAMP_DIGITS: Final = _TIME_DIGITS + _SERIAL_DIGITS
_TIME_MODULUS: Final = 16**_TIME_DIGITS
_SERIAL_MODULUS: Final = 16**_SERIAL_DIGITS
_SEAL_BYTES: Final = 12
_NONCE_LENGTH: Final = _STAMP_DIGITS + 2 * _SEAL_BYTES
_WINDOW_MASK: Final = (1 << NONCE_COUNT_WINDOW) - 1


class Nonces:
    """Makes nonces, knows its own, and takes each nonce count of a user once. `now` is monotonic seconds."""

    __slots__ = ("_floor_ms", "_keyed", "_lifetime_ms", "_serial", "_slot_ms", "_slots", "_used", "_used_max")

    def __init__(self, secret: bytes, *, lifetime_s: float, used_max: int = USED_NONCES_MAX) -> None:
        if len(secret) < 16:
            raise ValueError(f"the nonce secret has {len(secret)} bytes, expected at least 16")
        if lifetime_s <= 0:
            raise ValueError(f"nonce lifetime is {lifetime_s} s, expected more than 0")
        self._keyed = hashlib.blake2b(key=hashlib.sha256(secret).digest(), digest_size=_SEAL_BYTES)
        self._lifetime_ms = int(lifetime_s * 1000)
        self._slot_ms = max(1, self._lifetime_ms // SLOTS_PER_LIFETIME)
        self._serial = 0
        self._floor_ms = 0
        self._used_max = used_max
        self._used = 0
        # By time of issue: slot number -> (stamp and user -> highest count and the window below it).
        self._slots: dict[int, dict[str, int]] = {}

    def __len__(self) -> int:
        """How many used nonces are remembered."""
        return self._used

    def mint(self, now: float, source: str = "") -> str:
        """A nonce nobody had before, for this source alone. Hexadecimal only: some phones trip over `=`, `+` or `/`."""
        self._serial = (self._serial + 1) % _SERIAL_MODULUS
        stamp = f"{int(now * 1000) % _TIME_MODULUS:010x}{self._serial:06x}"
        return stamp + self._seal(stamp, source)

    def is_current(self, nonce: str, now: float, source: str = "") -> bool:
        """Whether it is one of ours, made for this source, not expired and not forgotten."""
        if len(nonce) != _NONCE_LENGTH or not nonce.isascii():
            return False
        stamp = nonce[:_STAMP_DIGITS]
        if not hmac.compare_digest(self._seal(stamp, source), nonce[_STAMP_DIGITS:]):
            return False
        issued_ms = int(stamp[:_TIME_DIGITS], 16)
        return self._floor_ms <= issued_ms and 0 <= int(now * 1000) - issued_ms <= self._lifetime_ms

    def take(self, nonce: str, user: str, count: int, now: float) -> bool:
        """Use up one count of a current nonce; False if it was used, or is too far below the highest to know.

        Call it only for a right answer. Counts are kept per user, since phones with two lines of one realm
        have been known to share a nonce between them, and one user's answer is worthless to another.
        """
        slot = int(nonce[:_TIME_DIGITS], 16) // self._slot_ms
        counts = self._slots.get(slot)
        if counts is None:
            self._drop_expired(now)
            counts = self._slots[slot] = {}
        key = nonce[:_STAMP_DIGITS] + user
        state = counts.get(key)
        if state is None:
            counts[key] = (count << NONCE_COUNT_WINDOW) | 1
            self._used += 1
            if self._used > self._used_max:
                self._drop_oldest(now)
            return True
        highest = state >> NONCE_COUNT_WINDOW
        seen = state & _WINDOW_MASK  # bit n: the count `highest - n` was used
        if count > highest:
            ahead = count - highest
            seen = (seen << ahead | 1) & _WINDOW_MASK if ahead < NONCE_COUNT_WINDOW else 1
            counts[key] = (count << NONCE_COUNT_WINDOW) | seen
            return True
        behind = highest - count
        if behind >= NONCE_COUNT_WINDOW or seen >> behind & 1:
            return False
        counts[key] = state | 1 << behind
        return True

    def _seal(self, stamp: str, source: str) -> str:
        keyed = self._keyed.copy()
        keyed.update((stamp + source).encode())
        return keyed.hexdigest()

    def _drop_expired(self, now: float) -> None:
        oldest_valid = (int(now * 1000) - self._lifetime_ms) // self._slot_ms
        for slot in [slot for slot in self._slots if slot < oldest_valid]:
            self._used -= len(self._slots.pop(slot))

    def _drop_oldest(self, now: float) -> None:
        slot = min(self._slots)
        self._used -= len(self._slots.pop(slot))
        # Nonces of this slot issued until now are refused from here on. Without the second bound, those still
        # to be issued in a slot that is not over would be refused as well, and every caller would be sent
        # round in circles.
        self._floor_ms = max(self._floor_ms, min((slot + 1) * self._slot_ms, int(now * 1000) + 1))
