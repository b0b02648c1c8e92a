"""What a mailbox is and its rules: messages and their states, quotas, the PIN and its lock-out, the counts.

Pure: `now` is UTC milliseconds and comes in, salts come in. The structs are the JSON files on the disk
(settings.json, ID.json); fields are appended with a default, never renamed, so that an older file is still read.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

MS_PER_S: Final = 1000
MS_PER_MINUTE: Final = 60_000
MS_PER_DAY: Final = 86_400_000

PIN_DIGITS_MIN: Final = 4
PIN_DIGITS_MAX: Final = 8
SALT_BYTES: Final = 16
# RFC 7914 2, as its author proposed for logins: 16 MiB and some 50 ms. With five attempts a lock-out nobody tries
# them at the phone; it is for the day when the files are stolen, and then four digits fall all the same, but each
# mailbox by itself.
SCRYPT_N: Final = 2**14
SCRYPT_R: Final = 8
SCRYPT_P: Final = 1

# The numbers that a mailbox has been called by lately. A line has a handful; a customer's trunk has a range, and is not
# retrieved from elsewhere by each of them.
NUMBERS_MAX: Final = 20
NUMBER_DIGITS_MAX: Final = 20

_PIN: Final = re.compile(rf"[0-9]{{{PIN_DIGITS_MIN},{PIN_DIGITS_MAX}}}")


class State(enum.Enum):
    """NEW until it was heard. SAVED is kept for the whole time of keeping from then on."""

    NEW = "new"
    HEARD = "heard"
    SAVED = "saved"


class Message(msgspec.Struct, frozen=True):
    """One message. `caller` is digits with a plus or as they came, "" for withheld; `name` what he calls himself.

    `reason` is why the call came here, as Diversion says it. `kept_from_ms` is what the days are counted from: when it
    was received, or saved. A transcription would be a field of its own, appended, and made by another program that
    watches this directory: nothing here waits for one.
    """

    id: str
    received_ms: int
    duration_ms: int
    caller: str = ""
    name: str = ""
    called: str = ""
    reason: str = ""
    state: State = State.NEW
    kept_from_ms: int = 0
    is_urgent: bool = False
    call_id: str = ""
    is_cut_short: bool = False  # by a crash: what was on the disk is the message


class PinHash(msgspec.Struct, frozen=True):
    """scrypt (RFC 7914). Hexadecimal. Its costs are kept, so that they can be raised one day."""

    salt: str
    digest: str
    n: int = SCRYPT_N
    r: int = SCRYPT_R
    p: int = SCRYPT_P


class Settings(msgspec.Struct, frozen=True):
    """settings.json. A quota of 0 is the house's, an empty `email` is none."""

    pin: PinHash | None = None
    asks_pin_at_home: bool = False
    has_own_greeting: bool = False
    email: str = ""
    is_notified: bool = True
    deletes_after_email: bool = False
    messages_max: int = 0
    seconds_max: int = 0
    days_max: int = 0
    wrong_pins: int = 0
    locked_until_ms: int = 0
    numbers: tuple[str, ...] = ()  # the latest first


class Quota(NamedTuple):
    """Of one mailbox, after the house's have been filled in."""

    messages: int
    seconds: int
    days: int


class LockOutRule(NamedTuple):
    """So many wrong PINs shut a mailbox to PINs for so many minutes."""

    attempts: int
    minutes: int


class Counts(NamedTuple):
    """The message summary of RFC 3842 3.5, for context class voice-message."""

    new: int = 0
    old: int = 0
    new_urgent: int = 0
    old_urgent: int = 0


def quota_of(settings: Settings, house: Quota) -> Quota:
    return Quota(
        settings.messages_max or house.messages,
        settings.seconds_max or house.seconds,
        settings.days_max or house.days,
    )


def is_full(messages: Sequence[Message], quota: Quota) -> bool:
    """Whether another message, however short, would be one too many."""
    return len(messages) >= quota.messages or seconds_left(messages, quota) < 1


def seconds_left(messages: Iterable[Message], quota: Quota) -> int:
    return quota.seconds - sum(message.duration_ms for message in messages) // MS_PER_S


def expired(messages: Iterable[Message], quota: Quota, now_ms: int) -> list[Message]:
    """Those that have been kept for longer than the quota's days."""
    return [message for message in messages if now_ms - kept_from_ms(message) > quota.days * MS_PER_DAY]


def kept_from_ms(message: Message) -> int:
    return message.kept_from_ms or message.received_ms


def in_state(message: Message, state: State, now_ms: int) -> Message:
    """A message after it was heard or saved. Only a new one becomes heard: who saved it has said more."""
    if state is State.SAVED:
        return msgspec.structs.replace(message, state=state, kept_from_ms=now_ms)
    if message.state is State.NEW and state is State.HEARD:
        return msgspec.structs.replace(message, state=state)
    return message


def counts_of(messages: Iterable[Message]) -> Counts:
    new = old = new_urgent = old_urgent = 0
    for message in messages:
        if message.state is State.NEW:
            new += 1
            new_urgent += message.is_urgent
        else:
            old += 1
            old_urgent += message.is_urgent
    return Counts(new, old, new_urgent, old_urgent)


def in_order(messages: Iterable[Message]) -> tuple[Message, ...]:
    """As they are played: new ones first, each kind as it came in."""
    return tuple(
        sorted(
            messages, key=lambda message: (message.state is not State.NEW, message.received_ms, message.id)
        )
    )


# The PIN


def pin_problem(pin: str, numbers: Iterable[str] = ()) -> str:
    """What is wrong with a new PIN, or "": a word for a prompt and for a command."""
    if _PIN.fullmatch(pin) is None:
        return "length"
    steps = {(int(later) - int(earlier)) % 10 for earlier, later in pairwise(pin)}
    if steps in ({0}, {1}, {9}):  # 1111, 2345, 9876
        return "simple"
    if any(number.endswith(pin) for number in numbers):
        return "simple"
    return ""


def hash_pin(pin: str, salt: bytes) -> PinHash:
    return PinHash(salt.hex(), _digest(pin, salt, SCRYPT_N, SCRYPT_R, SCRYPT_P).hex())


def is_pin(pin: str, hashed: PinHash) -> bool:
    """Takes some 50 ms of a thread."""
    digest = _digest(pin, bytes.fromhex(hashed.salt), hashed.n, hashed.r, hashed.p)
    return hmac.compare_digest(digest.hex(), hashed.digest)


def _digest(pin: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # OpenSSL wants to be told that it may use the 16 MiB; twice that leaves room for its own.
    return hashlib.scrypt(pin.encode(), salt=salt, n=n, r=r, p=p, maxmem=2 * 128 * n * r, dklen=32)


def is_locked(settings: Settings, now_ms: int) -> bool:
    return now_ms < settings.locked_until_ms


def attempt_begun(settings: Settings, rule: LockOutRule, now_ms: int) -> Settings:
    """To be on the disk before the PIN is looked at, so that parallel calls cannot have more attempts together.

    The attempt that reaches the limit locks; `attempt_succeeded` unlocks again if it was right after all.
    """
    wrong = (0 if settings.locked_until_ms and not is_locked(settings, now_ms) else settings.wrong_pins) + 1
    locked_until_ms = now_ms + rule.minutes * MS_PER_MINUTE if wrong >= rule.attempts else 0
    return msgspec.structs.replace(settings, wrong_pins=wrong, locked_until_ms=locked_until_ms)


def attempt_succeeded(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, wrong_pins=0, locked_until_ms=0)


# Numbers


def plain_number(text: str) -> str:
    """A number as somebody would key it in: +44 and 0044 are 0. "" for what is no number."""
    number = text
    for prefix in ("+44", "0044"):
        if number.startswith(prefix):
            number = "0" + number[len(prefix) :]
            break
    else:
        if number.startswith("+"):
            number = "00" + number[1:]
    is_number = number.isascii() and number.isdigit() and len(number) <= NUMBER_DIGITS_MAX
    return number if is_number else ""


def with_number(settings: Settings, number: str) -> Settings:
    """The same object when the number is known as the latest."""
    if not number or settings.numbers[:1] == (number,):
        return settings
    others = tuple(known for known in settings.numbers if known != number)
    return msgspec.structs.replace(settings, numbers=(number, *others)[:NUMBERS_MAX])
