"""A fault: what a customer has reported, what was said and done since, and its clock. Pure.

The clock runs from the report until the service is restored, but not while the customer has to do something
(a check, a date for the engineer). It counts around the clock, as faults are reported around the clock; by when who is
answered and repaired is the operator's (conf/faults.toml).
"""

import enum
from collections.abc import Sequence
from typing import Final

import msgspec


class FaultState(enum.StrEnum):
    OPEN = "open"
    WAITING = "waiting"  # for the customer: the clock stands
    CARRIER = "with-carrier"
    ENGINEER = "with-engineer"
    FIXED = "fixed"
    CLOSED = "closed"


class Place(enum.StrEnum):
    """Where a fault lies: what a provider's code of practice asks first."""

    UNKNOWN = ""
    OUR_NETWORK = "our-network"
    OTHER_OPERATOR = "other-operator"
    EQUIPMENT = "customer-equipment"
    USE = "customer-use"
    NOT_FOUND = "not-found"


class Priority(enum.StrEnum):
    """In the order in which faults are repaired. NEEDS: a customer with needs on record (GC C5)."""

    NEEDS = "needs"
    URGENT = "urgent"
    NORMAL = "normal"


class FaultKind(enum.StrEnum):
    NO_SERVICE = "no-service"
    CALLS_OUT = "calls-out"
    CALLS_IN = "calls-in"
    CUT_OFF = "cut-off"
    ONE_WAY = "one-way"
    BAD_SOUND = "bad-sound"
    NUMBER_SHOWN = "number-shown"
    VOICEMAIL = "voicemail"
    OTHER = "other"


class EventKind(enum.StrEnum):
    NOTE = "note"  # for staff
    ANSWER = "answer"  # what the customer was told
    STATE = "state"  # `value` is the new state, `words` why
    PLACE = "place"
    PRIORITY = "priority"
    CHECK = "check"  # a simple check that the customer is asked for
    CHECKED = "checked"  # what came of the check `about`
    CALL = "call"  # `value` is the call's id, `words` its explanation at that time


class FaultEvent(msgspec.Struct, frozen=True):
    """`about` is 0 or, of an answer, the id of its check."""

    id: int
    at_ms: int
    staff: str
    event: EventKind
    value: str
    words: str
    about: int = 0


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `offhook fault list`. `account` "" where the customer is not known; times None: not yet."""

    reference: str
    opened_at_ms: int
    opened_by: str
    account: str
    account_id: int | None
    reporter: str
    contact: str
    line: str
    time_code: str
    cli: str
    ddi: str
    kind: FaultKind
    words: str
    priority: Priority
    state: FaultState
    place: Place
    answered_at_ms: int | None
    restored_at_ms: int | None
    closed_at_ms: int | None


class Check(msgspec.Struct, frozen=True):
    """A check asked for; `answer` None until it came."""

    id: int
    asked_at_ms: int
    words: str
    answer: str | None
    answered_at_ms: int | None


class FaultDetails(msgspec.Struct, frozen=True):
    """All of a fault: its events in order. What they come to is computed, never kept."""

    fault: Fault
    events: list[FaultEvent]

    @property
    def checks(self) -> list[Check]:
        answers = {each.about: each for each in self.events if each.event is EventKind.CHECKED}
        return [
            Check(
                each.id,
                each.at_ms,
                each.words,
                answers[each.id].words if each.id in answers else None,
                answers[each.id].at_ms if each.id in answers else None,
            )
            for each in self.events
            if each.event is EventKind.CHECK
        ]

    @property
    def calls(self) -> list[FaultEvent]:
        return [each for each in self.events if each.event is EventKind.CALL]


class Deadlines(msgspec.Struct, frozen=True):
    """Of one priority; hours of the clock."""

    answer_h: int
    restore_h: int


class FaultClock(msgspec.Struct, frozen=True):
    """`open_ms` from the report until it was restored or now, `paused_ms` of it waiting for the customer. The two
    deadlines are moved by the pauses; None while the clock stands, and once the thing is done."""

    open_ms: int
    paused_ms: int
    answer_due_at_ms: int | None
    restore_due_at_ms: int | None
    is_answered_late: bool
    is_restored_late: bool

    @property
    def is_late(self) -> bool:
        return self.is_answered_late or self.is_restored_late


RESTORED: Final = frozenset((FaultState.FIXED, FaultState.CLOSED))
# Whoever got one of these has been answered.
ANSWERS: Final = frozenset((EventKind.ANSWER, EventKind.CHECK))
HOUR_MS: Final = 3_600_000


def allowed(before: FaultState, after: FaultState) -> bool:
    """From every state to every other: a fault that was closed may turn out not to be; only standing still is none."""
    return before is not after


def clock_of(fault: Fault, events: Sequence[FaultEvent], deadlines: Deadlines, now_ms: int) -> FaultClock:
    """`events` in their order."""
    state, since = FaultState.OPEN, fault.opened_at_ms
    open_ms = paused_ms = 0
    paused_to_answer = 0
    answered_at: int | None = None
    for each in events:
        if answered_at is None and is_answer(each):
            answered_at = each.at_ms
            paused_to_answer = paused_ms + (each.at_ms - since if state is FaultState.WAITING else 0)
        if each.event is not EventKind.STATE:
            continue
        spent = each.at_ms - since
        open_ms += 0 if state in RESTORED else spent
        paused_ms += spent if state is FaultState.WAITING else 0
        state, since = FaultState(each.value), each.at_ms
    spent = now_ms - since
    open_ms += 0 if state in RESTORED else spent
    paused_ms += spent if state is FaultState.WAITING else 0
    running_ms = open_ms - paused_ms
    answer_ms, restore_ms = deadlines.answer_h * HOUR_MS, deadlines.restore_h * HOUR_MS
    is_running = state not in RESTORED and state is not FaultState.WAITING
    answer_ran = running_ms if answered_at is None else answered_at - fault.opened_at_ms - paused_to_answer
    return FaultClock(
        open_ms=open_ms,
        paused_ms=paused_ms,
        answer_due_at_ms=now_ms + answer_ms - running_ms if is_running and answered_at is None else None,
        restore_due_at_ms=now_ms + restore_ms - running_ms if is_running else None,
        is_answered_late=answer_ran > answer_ms,
        is_restored_late=running_ms > restore_ms,
    )


def is_answer(event: FaultEvent) -> bool:
    """Whether the customer has heard from somebody by it."""
    return event.event in ANSWERS or (event.event is EventKind.STATE and event.value == FaultState.WAITING)
