"""What services keep in the journal: `l/<user>` who called a line last, `w/<user>/<utc ms>` a reminder.

Times are UTC milliseconds. New fields go to the end, with a default.
"""

from typing import Final

import msgspec

LAST_CALLER_KEY: Final = "l/"
REMINDER_KEY: Final = "w/"


class LastCaller(msgspec.Struct, array_like=True, frozen=True):
    """`number` is E.164, "" where it was withheld or there was none. `hidden` is the keyed hash of a withheld one, or
    of a network number that is not the one that was shown."""

    at_ms: int
    number: str
    is_withheld: bool = False
    hidden: str = ""


class Reminder(msgspec.Struct, array_like=True, frozen=True):
    """A call that a line has asked for. `tries` are those that did not reach it. `every` is of one that comes again:
    the time and the days of the week, Monday the first, "0730:12345"."""

    user: str
    at_ms: int
    tries: int = 0
    every: str = ""


encode: Final = msgspec.msgpack.Encoder().encode
_last_callers: Final = msgspec.msgpack.Decoder(LastCaller)
_reminders: Final = msgspec.msgpack.Decoder(Reminder)


def decode_last_caller(data: bytes) -> LastCaller | None:
    """None for what cannot be read: it is not worth a start that fails."""
    try:
        return _last_callers.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def decode_reminder(data: bytes) -> Reminder | None:
    """The same."""
    try:
        return _reminders.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
