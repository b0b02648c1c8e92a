"""Malicious call tracing (PECR 2003 reg. 15): who really called is put where only authorised staff may read it.

The called line marks its last call by a code, the operator does it by command, and a watched line
(`LineSettings.traces_until`) has every call marked as it comes. The record goes through the journal to the books'
table traced_calls; from there each reading is itself on record (provisioning/traced_calls.py).
"""

from typing import TYPE_CHECKING

from provisioning.model import Line
from rating.calendar import day_in_london
from rating.records import TracedCall
from switch.calls.caller_leg import CallerLeg
from switch.calls.conversation import speaker_at
from switch.calls.identity import Caller, CallerId, LineCaller, TrunkCaller
from switch.calls.last_calls import LastCall, identity_fields, shown_fields
from switch.sip.host import host_port
from switch.tracing.reasons import WATCHED

if TYPE_CHECKING:
    from switch.calls.attempt import Attempt
    from switch.calls.call import Call
    from switch.calls.leg import Leg
    from switch.calls.switchboard import Switchboard
    from switch.calls.terms import Admission

BY_CODE = "code"
BY_OPERATOR = "operator"
BY_WATCH = "watch"


def note_attempt(attempt: "Attempt", board: "Switchboard") -> None:
    """What was decided about the caller's numbers, counted."""
    decided = attempt.cli
    if decided is not None and decided.rule:
        caller = attempt.caller
        trunk = caller.trunk.name if isinstance(caller, TrunkCaller) else ""
        board.counts.cli_decisions[trunk, decided.rule, decided.action] += 1


def note_begun(call: "Call", admission: "Admission", now: float) -> None:
    """What is to be remembered of a call for the line that it is for, or that made it.

    A call that never reaches the line, for want of credit for instance, does not push out the one before; nor does one
    that the exchange makes by itself, a reminder.
    """
    route, caller = admission.route, call.caller
    if call.attempt.is_ours:
        return
    if route.line is not None:
        if call.admission is admission and call.id in call.board.calls:
            _note(call.caller_leg, call.attempt.caller_id, caller, route.line, now)
    elif route.is_emergency and isinstance(caller, LineCaller):
        call.board.callbacks.note(caller.line.user, now)


def note_rung(origin: "Leg", caller_id: CallerId, line: Line, now: float) -> None:
    """The line's phones ring for this end because somebody sent it there: a divert, a plan, a transfer. It has been
    called as much as the line that was dialled: 1471, 14258 and the trace are about this call from now on."""
    caller = speaker_at(origin)
    if caller is None:
        return
    origin.board.services.note_caller(line.user, caller, caller_id, now)
    _note(origin, caller_id, caller, line, now)


def _note(origin: "Leg", caller_id: CallerId, caller: Caller, line: Line, now: float) -> None:
    """The call is offered to this line: its last call from now on, and a trace where the line is watched."""
    board = origin.board
    fields: list[tuple[str, str]] = []
    if isinstance(caller, TrunkCaller) and isinstance(origin, CallerLeg):
        fields = identity_fields(origin.request)
    last = LastCall(
        call_id=origin.call.id,
        at=now,
        caller_id=caller_id,
        caller_line=caller.line.user if isinstance(caller, LineCaller) else "",
        trunk=caller.trunk.name if isinstance(caller, TrunkCaller) else "",
        flow=origin.flow,
        fields=fields,
    )
    board.last_calls.note(line.user, last)
    until = line.settings.traces_until
    if until and day_in_london(board.clock.ms(now)) <= until:
        _mark(last, line.user, board, now, BY_WATCH)


def mark_last_call(
    line: Line, board: "Switchboard", now: float, *, marked_by: str = BY_CODE
) -> LastCall | None:
    """Put the line's last call on record for tracing; once only. None: none is known, after a restart for instance."""
    last = board.last_calls.of(line.user)
    if last is not None and not last.is_marked:
        _mark(last, line.user, board, now, marked_by)
    return last


def _mark(last: LastCall, user: str, board: "Switchboard", now: float, marked_by: str) -> None:
    last.is_marked = True
    flow, caller_id = last.flow, last.caller_id
    record = TracedCall(
        call_id=last.call_id,
        line=user,
        marked_at_ms=board.clock.ms(now),
        marked_by=marked_by,
        called_at_ms=board.clock.ms(last.at),
        network_number=caller_id.network_number,
        presentation_number=caller_id.presentation_number,
        is_withheld=caller_id.is_withheld,
        caller_line=last.caller_line,
        trunk=last.trunk,
        source_address=f"{flow.transport.lower()}:{host_port(flow.remote_host, flow.remote_port)}",
        identity_headers=shown_fields(last.fields),
    )
    board.counts.calls_traced += 1
    if board.tracer is not None:
        board.tracer.ask(last.call_id, WATCHED)
    board.record([], [record], is_urgent=True)
