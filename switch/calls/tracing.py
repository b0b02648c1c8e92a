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
from switch.calls.conversation import caller_id_of, speaker_at
from switch.calls.identity import LineCaller, TrunkCaller
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

    A call that never reaches the line, for want of credit for instance, does not push out the one before, and neither
    does the exchange itself, with a reminder for instance.
    """
    route, caller = admission.route, call.caller
    if route.line is not None:
        if call.admission is admission and call.id in call.board.calls and not call.attempt.is_ours:
            note_called_line(call, route.line, call.caller_leg, now)
    elif route.is_emergency and isinstance(caller, LineCaller):
        call.board.callbacks.note(caller.line.user, now)


def note_rung(call: "Call", line: Line, origin: "Leg", now: float) -> None:
    """A plan, a divert or a transfer rings this line for the end `origin`: it is called like the line that was dialled,
    which is told of the call by itself."""
    caller = speaker_at(origin)
    if caller is None:
        return
    call.board.services.note_caller(line.user, caller, caller_id_of(origin), now)
    note_called_line(call, line, origin, now)


def note_called_line(call: "Call", line: Line, origin: "Leg", now: float) -> None:
    """The call is offered to this line: its last call from now on, and a trace where the line is watched."""
    board, caller = call.board, speaker_at(origin) or call.caller
    fields: list[tuple[str, str]] = []
    if isinstance(caller, TrunkCaller) and isinstance(origin, CallerLeg):
        fields = identity_fields(origin.request)
    last = LastCall(
        call_id=call.id,
        at=now,
        caller_id=caller_id_of(origin),
        caller_line="" if isinstance(caller, TrunkCaller) else caller.line.user,
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
