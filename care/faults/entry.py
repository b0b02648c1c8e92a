"""What may be written into a fault: one thing said, done or found, checked before it comes near the books."""

import msgspec

from care.faults.record import EventKind, FaultState, Place, Priority
from provisioning.problems import InvalidValue
from provisioning.typed_text import said, written


class Entry(msgspec.Struct, frozen=True):
    """An event to be: of one kind, with what that kind says of `value` and `words`; `about` is the check it answers."""

    event: EventKind
    value: str = ""
    words: str = ""
    about: int | None = None


def note(words: str, *, to_customer: bool = False) -> Entry:
    """For staff, or what the customer was told. Raises InvalidValue, as all of these for their words."""
    return Entry(EventKind.ANSWER if to_customer else EventKind.NOTE, words=said(words))


def check(words: str) -> Entry:
    """A simple check that the customer is asked for. Its id is the event's."""
    return Entry(EventKind.CHECK, words=said(words))


def checked(check_id: int, words: str) -> Entry:
    """What came of a check."""
    return Entry(EventKind.CHECKED, words=said(words), about=check_id)


def call(call_id: str, explanation: str = "") -> Entry:
    """A call that the fault is about, with the explanation that is given of it now."""
    return Entry(EventKind.CALL, call_id, written(explanation))


def state(after: FaultState, words: str = "") -> Entry:
    return Entry(EventKind.STATE, after.value, written(words))


def place(where: Place, words: str = "") -> Entry:
    """Where the fault lies, and what was found."""
    return Entry(EventKind.PLACE, where.value, written(words))


def priority(after: Priority, words: str = "") -> Entry:
    return Entry(EventKind.PRIORITY, after.value, written(words))


def closing(where: Place, words: str = "") -> tuple[Entry, Entry]:
    """Closed, with where it lay and what was found."""
    if where is Place.UNKNOWN:
        raise InvalidValue("where", "", "where the fault lay, not-found if nobody can say")
    return place(where, words), state(FaultState.CLOSED)
