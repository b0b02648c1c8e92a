"""What happens next to an account that is overdue: one rung at a time, and no restriction without due warning.

Pure. `decide` is asked once a day, or as often as anybody likes: it says the one thing that is due now, None for
nothing.

- A rung is reached so many days after the oldest unpaid invoice was due, and never sooner after the rung before than
  the ladder has days between the two: who was not asked for a month, or was on hold, does not fall through several at
  once.
- Before each restriction its warning is sent (`Announce`), which names the day. It has to have left for `notice`
  days; a warning that waits in a queue, or could not be delivered, is none. One that was not followed within
  STALE_DAYS is given again.
- Less than `minimum` never restricts. What was restricted for more, and is less now, is lifted, down to the warning.
- What is paid ends it, whatever was announced. Only a service that has ceased stays so: its numbers may be gone.
"""

import datetime
import enum
from collections.abc import Callable
from typing import Final

import msgspec

from billing.conf_arrears import RUNG_NAMES, Ladder
from provisioning.settings import Restriction

STALE_DAYS: Final = 28


class Rung(enum.StrEnum):
    """Where an account stands."""

    NONE = ""
    REMINDER = "reminder"
    WARNING = "warning"
    PREMIUM_AND_INTERNATIONAL = "premium_and_international"
    OUTGOING = "outgoing"
    SUSPENDED = "suspended"
    CEASED = "ceased"

    @property
    def restriction(self) -> Restriction:
        """What the switch is told."""
        return Restriction(self.value) if self.restricts else Restriction.NONE

    @property
    def restricts(self) -> bool:
        return self not in (Rung.NONE, Rung.REMINDER, Rung.WARNING)


IN_ORDER: Final = tuple(Rung)


class State(msgspec.Struct, frozen=True):
    """`notice_for` is the restriction that was announced for `effective_on`; `notice_sent_on` when that left."""

    rung: Rung = Rung.NONE
    since: datetime.date | None = None
    notice_for: Rung = Rung.NONE
    effective_on: datetime.date | None = None
    notice_sent_on: datetime.date | None = None


class Debt(msgspec.Struct, frozen=True):
    """What is overdue: `held_micros` of it is on hold or in a plan, and nothing is done about that."""

    overdue_micros: int = 0
    held_micros: int = 0
    oldest_due_on: datetime.date | None = None


class Climb(msgspec.Struct, frozen=True):
    """The account comes to this rung today."""

    rung: Rung


class Announce(msgspec.Struct, frozen=True):
    """The account is warned of this restriction."""

    rung: Rung
    effective_on: datetime.date


class Relent(msgspec.Struct, frozen=True):
    """What is left does not restrict anybody."""


class Clear(msgspec.Struct, frozen=True):
    """Nothing is overdue any more."""


Action = Climb | Announce | Relent | Clear
IsOpen = Callable[[datetime.date], bool]


def decide(state: State, debt: Debt, ladder: Ladder, today: datetime.date, is_open: IsOpen) -> Action | None:
    """`is_open`: whether a restriction may begin on that day."""
    if state.rung is Rung.CEASED:
        return None
    if debt.overdue_micros <= 0 or debt.oldest_due_on is None:
        return _nothing_due(state, debt)
    if debt.overdue_micros < ladder.minimum and (state.rung.restricts or state.notice_for):
        return Relent()
    rung = next_rung(state.rung, ladder)
    if rung is None:
        return None
    earliest = _earliest(state, rung, debt.oldest_due_on, ladder)
    if not rung.restricts:
        return Climb(rung) if today >= earliest else None
    if debt.overdue_micros < ladder.minimum:
        return None
    return _restrict(state, rung, earliest, ladder, today, is_open)


def _nothing_due(state: State, debt: Debt) -> Action | None:
    if debt.held_micros > 0:
        return Relent() if state.rung.restricts or state.notice_for else None
    return Clear() if state != State() else None


def next_rung(rung: Rung, ladder: Ladder) -> Rung | None:
    """The next one that the ladder has; None at its end."""
    above = IN_ORDER[IN_ORDER.index(rung) + 1 :]
    return next((each for each in above if _days_of(each, ladder)), None)


def _days_of(rung: Rung, ladder: Ladder) -> int:
    assert rung is Rung.NONE or rung.value in RUNG_NAMES
    return getattr(ladder, rung.value) if rung else 0


def _earliest(state: State, rung: Rung, oldest_due_on: datetime.date, ladder: Ladder) -> datetime.date:
    by_debt = oldest_due_on + datetime.timedelta(_days_of(rung, ladder))
    if state.since is None:
        return by_debt
    apart = _days_of(rung, ladder) - _days_of(state.rung, ladder)
    return max(by_debt, state.since + datetime.timedelta(max(apart, 1)))


def _restrict(
    state: State, rung: Rung, earliest: datetime.date, ladder: Ladder, today: datetime.date, is_open: IsOpen
) -> Action | None:
    notice = datetime.timedelta(ladder.notice)
    effective_on = state.effective_on
    if state.notice_for is not rung or effective_on is None or _is_stale(effective_on, today):
        if today < earliest - notice:
            return None
        return Announce(rung, first_open(max(earliest, today + notice), is_open))
    if state.notice_sent_on is None:
        return None
    begins_on = max(effective_on, state.notice_sent_on + notice)
    return Climb(rung) if today >= begins_on and is_open(today) else None


def _is_stale(effective_on: datetime.date, today: datetime.date) -> bool:
    return (today - effective_on).days > STALE_DAYS


def first_open(day: datetime.date, is_open: IsOpen) -> datetime.date:
    """The day, or the first after it on which a restriction may begin. Between Christmas and New Year, that is days."""
    while not is_open(day):
        day += datetime.timedelta(1)
    return day
