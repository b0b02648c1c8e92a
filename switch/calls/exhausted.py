"""How a call ends at its last paid second: the credit ran out, or a spending cap was reached."""

from typing import TYPE_CHECKING, Final

from rating.engine import ShortageReason
from switch.calls.cdr import Ending

if TYPE_CHECKING:
    from switch.calls.call import Call

_ENDINGS: Final = {
    ShortageReason.DAILY_CAP: ("the daily spending cap was reached", "cap"),
    ShortageReason.MONTHLY_CAP: ("the monthly spending cap was reached", "cap"),
}
_NO_CREDIT: Final = ("the credit ran out", "credit")


def ending_of_exhausted(call: "Call", now: float) -> Ending:
    """Asked before anything is settled. Of several who pay it is the one whose time is over."""
    words, ended_by = _NO_CREDIT
    for meter in call.meters:
        if meter.started_at is not None and meter.started_at + meter.granted_s <= now:
            words, ended_by = _ENDINGS.get(call.board.engine.limit_of(meter.key), _NO_CREDIT)
            break
    return Ending("answered", 200, 16, words, ended_by)
