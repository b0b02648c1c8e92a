"""Whose money is held for a call before anybody is rung: the caller's, or the called number's owner's, and that of
everybody who sends it on. Each has a meter (meter.py).
"""

from typing import TYPE_CHECKING

from rating.engine import Shortage
from switch.calls import refusal
from switch.calls.attempt_fee import charge_attempt
from switch.calls.callee_leg import CalleeLeg, LegOutcome
from switch.calls.cdr import set_price
from switch.calls.concurrent_calls import count_leg_out
from switch.calls.incoming_charge import on_short_owner
from switch.calls.meter import CALLERS_ROW, Meter, open_meter

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.refusal import Refusal
    from switch.calls.terms import Admission


def hold_first(call: "Call", admission: "Admission", now: float) -> "Refusal | None":
    """What the call as it was dialled costs, with an attempt's fee; why it cannot be, where the money is short."""
    meter = open_meter(call, CALLERS_ROW, admission.price)
    refused: Refusal | None = None
    if isinstance(meter, Shortage):
        is_owners = bool(admission.price.origin)
        refused = on_short_owner(call, admission, meter) if is_owners else refusal.of_shortage(meter)
    set_price(call.rows[CALLERS_ROW], admission)
    if refused is None and admission.price.attempt is not None:
        short = charge_attempt(call, admission.price, now)
        if short is not None:
            call.board.engine.release(call.id)
            refused = refusal.of_shortage(short)
    if refused is None and isinstance(meter, Meter):
        call.meters.append(meter)
    return refused


def hold_onward(call: "Call", leg: CalleeLeg, onward: "Admission") -> LegOutcome | None:
    """The money of who sends the call to this leg, or why it cannot be rung."""
    meter = open_meter(call, leg.index, onward.price)
    if isinstance(meter, Shortage):
        refused = refusal.of_shortage(meter)
        return LegOutcome(refused.status, refused.q850_cause, refused.words, is_ours=True)
    if meter is not None:
        call.meters.append(meter)
    return None


def release_onward(call: "Call", leg: CalleeLeg, now: float) -> None:
    """The leg did not come about: it holds no money, and no room, any more."""
    count_leg_out(leg)
    meter = meter_of(call, leg)
    if meter is not None:
        meter.close(now)
        call.meters.remove(meter)


def meter_of(call: "Call", leg: CalleeLeg) -> Meter | None:
    """What somebody pays who sent the call on to this leg."""
    return next((meter for meter in call.meters if meter.row == leg.index), None)


def callers_meter(call: "Call") -> Meter | None:
    """What the caller pays for; None where that is nothing."""
    return call.meters[0] if call.meters and call.meters[0].row == CALLERS_ROW else None
