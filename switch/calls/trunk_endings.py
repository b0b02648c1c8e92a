"""Where a call tells what became of it by its trunks (switch/trunks/endings.py); without any it has nothing to tell."""

from typing import TYPE_CHECKING

from rating.records import Cdr

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.callee_leg import CalleeLeg


def count_seizure(leg: "CalleeLeg", trunk: str) -> None:
    leg.endings = leg.board.trunks.endings.of(trunk)
    leg.endings.seizures += 1


def count_answer(leg: "CalleeLeg", now: float) -> None:
    if leg.endings is not None:
        first_sign = leg.ringing_at if leg.ringing_at is not None else now
        leg.endings.answered(first_sign - leg.setup_at)


def count_failure(leg: "CalleeLeg", cause: int) -> None:
    """At once: a call that goes on by another trunk may last for hours."""
    if leg.endings is not None:
        endings, leg.endings = leg.endings, None
        if leg.ringing_at is not None and leg.answered_at is None:
            endings.delay.observe(leg.ringing_at - leg.setup_at)
        endings.ended(cause)


def count_end(call: "Call", rows: list[Cdr]) -> None:
    """What has not been counted when the call is over."""
    for leg in call.callee_legs:
        if leg.endings is not None:
            count_failure(leg, rows[leg.index].q850_cause)
    if call.caller_leg.trunk is not None:
        call.board.trunks.endings.of(call.caller_leg.trunk.name).came_to_end(rows[0].q850_cause)
