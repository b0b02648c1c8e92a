"""What may be written into a complaint: one thing said or done, checked before it comes near the books."""

import datetime

import msgspec

from provisioning.complaints.record import Ending, EventKind, LetterWay
from provisioning.typed_text import said, written


class Entry(msgspec.Struct, frozen=True):
    """An event to be. `done_at` is when it was done, None for now; `letter_on` is the day of a letter."""

    event: EventKind
    value: str = ""
    words: str = ""
    done_at: datetime.datetime | None = None
    letter_on: datetime.date | None = None


def note(words: str, *, to_customer: bool = False) -> Entry:
    """For staff, or what the customer was told. Raises InvalidValue, as all of these for their words."""
    return Entry(EventKind.TOLD if to_customer else EventKind.NOTE, words=said(words))


def acknowledged(words: str = "", done_at: datetime.datetime | None = None) -> Entry:
    return Entry(EventKind.ACKNOWLEDGED, words=written(words), done_at=done_at)


def outcome(words: str, done_at: datetime.datetime | None = None) -> Entry:
    """What the customer was told of it. Who has been told that has been answered, too."""
    return Entry(EventKind.OUTCOME, words=said(words), done_at=done_at)


def deadlock(words: str = "", done_at: datetime.datetime | None = None) -> Entry:
    return Entry(EventKind.DEADLOCK, words=written(words), done_at=done_at)


def letter(way: LetterWay, text: str, on: datetime.date, done_at: datetime.datetime | None = None) -> Entry:
    """`text` is the letter as it went, `on` the day that it bears."""
    return Entry(EventKind.LETTER, way.value, text, done_at, on)


def closed(ending: Ending, words: str = "") -> Entry:
    return Entry(EventKind.CLOSED, ending.value, written(words))


def reopened(words: str) -> Entry:
    """The customer is not content after all. Its time runs from the receipt, as before."""
    return Entry(EventKind.REOPENED, words=said(words))
