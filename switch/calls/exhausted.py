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


def ending_of_exhausted(call: "Call") -> Ending:
    """Asked before the reservation is settled. What is said to the phones is the same for all."""
    words, ended_by = _ENDINGS.get(call.board.engine.limit_of(call.id), ("the credit ran out", "credit"))
    return Ending("answered", 200, 16, words, ended_by)
