"""By when a complaint is acknowledged, and by when its customer is told of the scheme he may go to. Pure.

Days are London's: a time limit of six weeks from a Monday ends on a Monday, whatever the clocks do in between.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from provisioning.complaints.record import Complaint, ComplaintDetails, ComplaintState, LetterReason
from provisioning.utc import ms_from_time, time_from_ms

LONDON = ZoneInfo("Europe/London")
ONE_DAY = datetime.timedelta(days=1)


class LetterLimit(msgspec.Struct, frozen=True):
    """From a day on, so many weeks after a complaint was received the letter is due."""

    since: datetime.date
    weeks: int


class ComplaintTerms(msgspec.Struct, frozen=True, kw_only=True):
    """`limits` in their order, one at least; complaints from before the first have the first. `acknowledge_h` are
    working hours: between `opens` and `closes` in London, on days that `is_working_day` says yes to."""

    limits: tuple[LetterLimit, ...]
    acknowledge_h: int
    opens: datetime.time
    closes: datetime.time
    is_working_day: Callable[[datetime.date], bool]


class ComplaintClock(msgspec.Struct, frozen=True):
    """`acknowledge_by_ms` and `letter_due_on` are None once that is done, or not owed (any more). `letter_reason` is
    set as soon as the letter has to go out. A letter that is due today is not late yet; one whose mail still waits on
    the day after has not gone out (`is_letter_waiting`)."""

    acknowledge_by_ms: int | None
    letter_due_on: datetime.date | None
    letter_reason: LetterReason | None
    was_acknowledged_late: bool
    is_acknowledgement_overdue: bool
    is_letter_overdue: bool
    is_letter_waiting: bool

    @property
    def is_overdue(self) -> bool:
        return self.is_acknowledgement_overdue or self.is_letter_overdue

    @property
    def next_due_ms(self) -> int | None:
        """The first of what is due: the letter by the end of its day."""
        due = [self.acknowledge_by_ms] if self.acknowledge_by_ms is not None else []
        if self.letter_due_on is not None:
            due.append(ms_from_time(midnight(self.letter_due_on + ONE_DAY)))
        return min(due, default=None)


def letter_due_on(received_on: datetime.date, limits: Sequence[LetterLimit]) -> datetime.date:
    """The day on which the time limit is reached.

    It is the limit of the day of receipt. How a complaint is treated that is open on the day on which a shorter limit
    comes has not been seen in writing, so the reading is taken that is safest for the customer without asking for what
    cannot be done: the shorter limit counts from the receipt, too, but is not over before the day on which it came.
    """
    held = [limit for limit in limits if limit.since <= received_on] or limits[:1]
    due = received_on + datetime.timedelta(weeks=held[-1].weeks)
    for later in limits:
        if later.since > received_on:
            due = min(due, max(received_on + datetime.timedelta(weeks=later.weeks), later.since))
    return due


def acknowledge_by(received_at: datetime.datetime, terms: ComplaintTerms) -> datetime.datetime:
    """When the working hours have run, in UTC."""
    left = datetime.timedelta(hours=terms.acknowledge_h)
    at = received_at.astimezone(datetime.UTC)
    day = at.astimezone(LONDON).date()
    while True:
        if terms.is_working_day(day):
            opens, closes = (_london(day, each) for each in (terms.opens, terms.closes))
            start = max(opens, at)
            if start < closes:
                if left <= closes - start:
                    return start + left
                left -= closes - start
        day += ONE_DAY


def clock_of(complaint: Complaint, terms: ComplaintTerms, now: datetime.datetime) -> ComplaintClock:
    """Where it stands at that instant."""
    received_at = time_from_ms(complaint.received_at_ms)
    by_ms = ms_from_time(acknowledge_by(received_at, terms))
    now_ms = ms_from_time(now)
    is_closed = complaint.state is ComplaintState.CLOSED
    awaits_acknowledgement = complaint.acknowledged_at_ms is None and not is_closed
    due_on, reason = None, None
    today = london_day(now)
    if complaint.has_adr and not complaint.has_letter and not is_closed:
        due_on = letter_due_on(london_day(received_at), terms.limits)
        if due_on <= today:
            reason = LetterReason.TIME_LIMIT
        if complaint.state is ComplaintState.DEADLOCK and complaint.deadlock_at_ms is not None:
            deadlock_on = london_day(time_from_ms(complaint.deadlock_at_ms))
            # Whichever came first is what the customer is told.
            if deadlock_on <= min(due_on, today):
                due_on, reason = deadlock_on, LetterReason.DEADLOCK
    is_waiting = (
        complaint.letter_on is not None
        and complaint.letter_on < today
        and complaint.mail_state == "waits"
        and not is_closed
    )
    return ComplaintClock(
        acknowledge_by_ms=by_ms if awaits_acknowledgement else None,
        letter_due_on=due_on,
        letter_reason=reason,
        was_acknowledged_late=complaint.acknowledged_at_ms is not None
        and complaint.acknowledged_at_ms > by_ms,
        is_acknowledgement_overdue=awaits_acknowledgement and now_ms > by_ms,
        is_letter_overdue=is_waiting or (due_on is not None and due_on < today),
        is_letter_waiting=is_waiting,
    )


def most_pressing_first(
    found: Iterable[ComplaintDetails], terms: ComplaintTerms, now: datetime.datetime
) -> list[tuple[ComplaintDetails, ComplaintClock]]:
    """What is due first comes first; what nothing is due of any more, last, the latest received first."""
    clocked = [(each, clock_of(each.complaint, terms, now)) for each in found]

    def pressing(one: tuple[ComplaintDetails, ComplaintClock]) -> tuple[bool, int]:
        details, clock = one
        if clock.next_due_ms is None:
            return (True, -details.complaint.received_at_ms)
        return (False, clock.next_due_ms)

    return sorted(clocked, key=pressing)


def london_day(at: datetime.datetime) -> datetime.date:
    return at.astimezone(LONDON).date()


def midnight(day: datetime.date) -> datetime.datetime:
    """With which the day begins in London, in UTC. London's clocks change at one o'clock, so it is one instant."""
    return _london(day, datetime.time())


def _london(day: datetime.date, at: datetime.time) -> datetime.datetime:
    return datetime.datetime.combine(day, at, LONDON).astimezone(datetime.UTC)
