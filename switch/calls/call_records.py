"""What a call writes into the journal while it lives: the open record, the dialogs that need a BYE, an emergency."""

from typing import TYPE_CHECKING, Final

import msgspec

from provisioning.storable import storable
from rating.records import EmergencyCall
from switch.calls.buying import open_buying
from switch.calls.cdr import join_rows, stamp
from switch.calls.identity import LineCaller
from switch.calls.leg import LegState
from switch.calls.meter import CALLERS_ROW, JOINED, Meter
from switch.calls.open_bundles import covers_of
from switch.calls.open_call import OPEN_KEY, EarlyInvite, Hangup, OpenCall, OpenMeter, OpenPrice
from switch.calls.open_price import open_price
from switch.calls.payers import callers_meter
from switch.calls.switchboard import Put, WallClock
from switch.sip.dialog import Dialog
from switch.sip.dialog_state import DialogState
from switch.sip.host import host_port

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.leg import Leg

_encode: Final = msgspec.msgpack.Encoder().encode


def opened_state(call: "Call") -> Put:
    """The attempt, before its INVITEs are on the wire: what a crash leaves on record, and whom it leaves ringing."""
    invites = [call.caller_leg.early_invite()]
    for leg in call.callee_legs:
        invite = leg.early_invite()
        if invite is not None:
            invites.append(invite)
    return _put(call, None, invites)


def answered_state(call: "Call", now: float) -> Put:
    """All that a valid BYE and a fair settlement need. Written before the answer is passed on."""
    answered_at = call.caller_leg.answered_at
    return _put(call, now if answered_at is None else answered_at, [])


def dialogs_to_hang_up(call: "Call") -> bytes | None:
    """The dialogs whose BYE is on its way, or None when none is left."""
    legs = (call.caller_leg, *call.callee_legs)
    dialogs = [
        storable_state(leg.dialog) for leg in legs if leg.state is LegState.ENDING and leg.dialog is not None
    ]
    return _encode(Hangup(dialogs)) if dialogs else None


def _leaving(call: "Call") -> list["Leg"]:
    """Ends that are out of the conversation and whose BYE is not answered yet."""
    if not call.talkers:
        return []
    return [leg for leg in (call.caller_leg, *call.callee_legs) if leg.state is LegState.ENDING]


def emergency_note(call: "Call", now: float) -> EmergencyCall:
    """Who called the emergency service, from where: logged beside the CDR, as the call begins."""
    caller = call.attempt.caller
    flow = call.caller_leg.flow
    return EmergencyCall(
        call_id=call.id,
        line=caller.line.user if isinstance(caller, LineCaller) else "",
        network_number=call.attempt.caller_id.network_number,
        dialled=call.facts.dialled,
        at_ms=call.board.clock.ms(now),
        source_address=host_port(flow.remote_host, flow.remote_port),
    )


def _put(call: "Call", answered_mono: float | None, invites: list[EarlyInvite]) -> Put:
    answered = call.answered_leg
    dialogs = []
    clock = call.board.clock
    for end in (*call.talkers, *_leaving(call)):
        stamp(call.rows[end.index], end, clock)
        if end.dialog is not None:
            dialogs.append(storable_state(end.dialog))
    join_rows(call.rows, answered.index if answered is not None else None)
    meter = callers_meter(call)
    price = None if meter is None else _price(meter, answered_mono or 0.0, clock)
    onward = [] if answered_mono is None else _onward(call, answered_mono)
    return OPEN_KEY + call.id, _encode(
        OpenCall(
            call.id, answered_mono, price, call.rows, dialogs, invites, onward, covers_of(call.meters),
            open_buying(call.callee_legs),
        )
    )


def storable_state(dialog: Dialog) -> DialogState:
    """A dialog with bytes in it that are no UTF-8 (a display name, usually) is kept with them escaped.

    Without this one byte from the wire would stop the record of a call.
    """
    state = dialog.state()
    texts = (state.call_id, state.local, state.remote, state.remote_target, *state.route_set)
    if all(text.isascii() for text in texts):
        return state
    return msgspec.structs.replace(
        state,
        call_id=storable(state.call_id),
        local=storable(state.local),
        remote=storable(state.remote),
        remote_tag=None if state.remote_tag is None else storable(state.remote_tag),
        remote_target=storable(state.remote_target),
        route_set=[storable(route) for route in state.route_set],
    )


def _onward(call: "Call", answered_mono: float) -> list[OpenMeter]:
    """Those of legs that have been answered; one that rings has cost nobody anything."""
    answered, clock = call.answered_leg, call.board.clock
    return [
        OpenMeter(
            meter.row,
            answered_mono if meter.started_at is None else meter.started_at,
            _price(meter, answered_mono, clock),
        )
        for meter in call.meters
        if meter.row != CALLERS_ROW
        and (
            meter.started_at is not None
            or JOINED in meter.legs
            or (answered is not None and answered.index == meter.row)
        )
    ]


def _price(meter: Meter, since: float, clock: WallClock) -> OpenPrice:
    """`since` is when it counts from, where it has not been started yet."""
    rate, account_id = meter.reservation.rate, meter.price.account_id
    assert account_id is not None
    at_ms = 0
    if rate.special is not None:
        at_ms = clock.ms(since) if meter.started_at is None else meter.first_second_ms
    return open_price(rate, account_id, meter.granted_s, at_ms=at_ms)
