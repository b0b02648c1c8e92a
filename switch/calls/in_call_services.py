"""New calls that are for a call that is there already: in the place of an end, of a phone that rings, of music.

INVITE with Replaces, and the codes for pick-up, park, retrieve and conference. The ladder has let them through; here
they begin. They cost nothing: who pays for the call that they are for goes on paying.
"""

from typing import TYPE_CHECKING, Final

from switch.calls import refusal
from switch.calls.attempt import line_of_number
from switch.calls.callee_leg import CalleeLeg
from switch.calls.identity import LineCaller
from switch.calls.number_plan import ServiceCode
from switch.calls.pick_up import find_ringing, pick_up
from switch.calls.service_codes import Feature
from switch.calls.take_over import TakeOver

if TYPE_CHECKING:
    from provisioning.model import Line
    from switch.calls.call import Call
    from switch.calls.leg import Leg
    from switch.calls.service_codes import CodeRule
    from switch.calls.switchboard import Switchboard
    from switch.calls.target import VoicemailTarget
    from switch.calls.terms import Admission

IN_CALL: Final = frozenset({Feature.PICK_UP, Feature.PARK, Feature.RETRIEVE, Feature.CONFERENCE})
SLOT_DIGITS_MAX: Final = 2
ROOM_DIGITS_MAX: Final = 6  # a million of each account; what is longer is a number by mistake


def replace_end(call: "Call", admission: "Admission", replaced: "Leg", now: float) -> None:
    """INVITE with Replaces."""
    if not call.open(admission, now):
        return
    if isinstance(replaced, CalleeLeg) and not replaced.is_up:
        pick_up(call, replaced, now)
        return
    staying = replaced.other
    assert staying is not None, "the ladder has looked"
    call.rows[0].leg_reason = f"in the place of line {replaced.line_user}"
    TakeOver(call, staying, replaced, f"replaced by line {call.caller_leg.line_user}").begin(now)


def begin_code(call: "Call", admission: "Admission", rule: "CodeRule", now: float) -> None:
    """One of the codes of IN_CALL, dialled by a line."""
    caller, code = call.caller, call.attempt.plan_result.destination
    assert isinstance(caller, LineCaller)
    assert isinstance(code, ServiceCode)
    match rule.feature:
        case Feature.PICK_UP:
            _pick_up(call, admission, caller.line, argument_of(code, rule), now)
        case Feature.RETRIEVE:
            _retrieve(call, admission, caller.line, argument_of(code, rule), now)
        case Feature.PARK:
            _say_slot(call, admission, caller.line, argument_of(code, rule), now)
        case _:
            _enter_conference(call, admission, caller.line, argument_of(code, rule), now)


def argument_of(code: ServiceCode, rule: "CodeRule") -> str:
    """What stands behind a code: after a star, or directly (*695, **01632960001)."""
    if code.args:
        return code.args[0]
    return code.name.removeprefix(rule.code) if rule.code else ""


def slot_of(text: str) -> int | None:
    """0: any. None: there is no such slot."""
    if not text:
        return 0
    if len(text) > SLOT_DIGITS_MAX or not (text.isascii() and text.isdigit()):
        return None
    return int(text) or None


def conference_target(line: "Line", room: str, board: "Switchboard") -> "VoicemailTarget | None":
    """A room of the line's account."""
    if len(room) > ROOM_DIGITS_MAX:
        return None
    return board.voicemail.conference(f"{line.account_id}-{room or 0}")


def _pick_up(call: "Call", admission: "Admission", line: "Line", of_whom: str, now: float) -> None:
    board = call.board
    wanted = line_of_number(of_whom, board) if of_whom else None
    ringing = None if of_whom and wanted is None else find_ringing(line, wanted, board)
    if ringing is None:
        call.refuse(refusal.NOTHING_TO_PICK_UP, now)
    elif call.open(admission, now):
        pick_up(call, ringing, now)


def _retrieve(call: "Call", admission: "Admission", line: "Line", text: str, now: float) -> None:
    slot = slot_of(text)
    parked = None if slot is None else call.board.parked.find(line.account_id, slot)
    if parked is None:
        call.refuse(refusal.NOTHING_PARKED, now)
    elif isinstance(parked.call.retarget, TakeOver) or not parked.staying.is_up:
        call.refuse(refusal.REPLACED_IS_BUSY, now)
    elif not call.caller_leg.own_body:
        call.refuse(refusal.LATE_OFFER, now)
    elif call.open(admission, now):
        parked.take(now)
        call.rows[0].leg_reason = f"retrieves the call from slot {parked.slot}"
        words = f"retrieved by line {line.user}"
        TakeOver(call, parked.staying, parked.leaving, words, parked.taken).begin(now)


def _say_slot(call: "Call", admission: "Admission", line: "Line", text: str, now: float) -> None:
    """For who will transfer another call to this one: it is told where that will be."""
    board, wanted = call.board, slot_of(text)
    slot = 0 if wanted is None else board.parked.free_slot(line.account_id, wanted)
    target = board.voicemail.saying(("parked-at", f"count-{slot}")) if slot else None
    if target is None:
        call.refuse(refusal.NO_SLOT if not slot else refusal.VOICEMAIL_AWAY, now)
        return
    admission.route.slot = slot
    admission.route.stages = [[target]]
    call.begin(admission, now)


def _enter_conference(call: "Call", admission: "Admission", line: "Line", room: str, now: float) -> None:
    target = conference_target(line, room, call.board)
    if target is None:
        call.refuse(refusal.VOICEMAIL_AWAY, now)
        return
    admission.route.stages = [[target]]
    call.begin(admission, now)
