"""Who talks with whom in a call that is up, and how one end of it leaves while the call goes on.

A call has two ends that talk (`Call.talkers`), the caller's leg and the one that answered, until one of them is
replaced: by a transfer, by who picks the call up, by what a menu leads to. After an attended transfer or a pick-up one
of the two is a leg of another call (`Call.joined`): the calls keep their records and their payers, and end together.
"""

from typing import TYPE_CHECKING

from provisioning.model import Line
from rating.records import OutboxRecord
from switch.calls.call_records import answered_state
from switch.calls.callee_leg import CalleeLeg, LegOutcome
from switch.calls.cdr import Ending, complete
from switch.calls.concurrent_calls import count_leg_out, leave_line
from switch.calls.end_record import charge_records
from switch.calls.identity import Caller, CallerId, LineCaller, TrunkCaller
from switch.calls.meter import JOINED
from switch.calls.presentation import network_number
from switch.calls.q850 import NORMAL_CLEARING
from switch.calls.target import LineTarget, TrunkTarget, VoicemailTarget

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.leg import Leg


def line_of(leg: "Leg") -> Line | None:
    """Whose phone is at this end; None for a carrier and for what is the exchange's own."""
    if isinstance(leg, CalleeLeg):
        return leg.target.line if isinstance(leg.target, LineTarget) else None
    return None if is_service(leg) else _calling_line(leg.call)


def _calling_line(call: "Call") -> Line | None:
    return call.caller.line if isinstance(call.caller, LineCaller) else None


def speaker_at(leg: "Leg") -> Caller | None:
    """This end as somebody who calls; None for a voice of the exchange."""
    if not isinstance(leg, CalleeLeg):
        return None if is_service(leg) else leg.call.caller
    board, target = leg.board, leg.target
    if isinstance(target, LineTarget):
        return LineCaller(target.line, board.books.account_of(target.line))
    return TrunkCaller(target.trunk) if isinstance(target, TrunkTarget) else None


def caller_id_of(leg: "Leg") -> CallerId:
    """Whom somebody new at the other end is told that he talks with."""
    if not isinstance(leg, CalleeLeg):
        return leg.call.attempt.caller_id
    target, route = leg.target, leg.terms.route
    if isinstance(target, LineTarget):
        number = network_number(target.line, leg.board.books)
        return CallerId(number, number, is_withheld=target.line.withholds_cli)
    return CallerId(route.number, route.number, is_withheld=False)


def is_service(leg: "Leg") -> bool:
    """Whether a voice of the exchange is at this end: it was called, or calls a line for the exchange."""
    if isinstance(leg, CalleeLeg):
        return isinstance(leg.target, VoicemailTarget)
    return leg.call.attempt.is_ours


def depart(leg: "Leg", words: str, now: float) -> None:
    """This end is out of the conversation, and the call goes on: its record is complete, whoever paid for it alone pays
    no more. It gets its BYE where it has not sent one."""
    call = leg.call
    leg.outcome = LegOutcome(200, NORMAL_CLEARING, words)
    if leg in call.talkers:
        call.talkers = [end for end in call.talkers if end is not leg]
    line = line_of(leg) if leg.index else _calling_line(call)
    if line is not None:
        leave_line(call, line, now)
    if isinstance(leg, CalleeLeg):
        count_leg_out(leg)
    leg.hang_up(now, cause=NORMAL_CLEARING, words=words)
    leg.close_media()
    ending = Ending("answered", 200, NORMAL_CLEARING, words, "exchange")
    complete(call.rows[leg.index], leg, ending, call.board.clock, now)


def leave(leg: "Leg", words: str, now: float) -> None:
    """This end is out of it for good. Where nobody of its call talks any more, that is over, and so is who pays it."""
    call = leg.call
    depart(leg, words, now)
    if call.talkers:
        settle_departed(call, now)
    else:
        call.hang_up(now, words=words, ended_by="exchange")


def settle_departed(call: "Call", now: float) -> None:
    """What nobody who talks is the reason for is charged now; the open record says who talks. Money that is held for a
    phone which still rings stays held: without that, who transfers a call and hangs up would pay for nothing."""
    ends = {end.index for end in call.talkers}
    if call.joined is not None:
        ends.add(JOINED)
    over = [
        meter for meter in call.meters if meter.started_at is not None and ends.isdisjoint(meter.legs)
    ]
    call.meters = [meter for meter in call.meters if meter not in over]
    records: list[OutboxRecord] = charge_records(call, [(meter, meter.close(now)) for meter in over], now)
    call.board.record([answered_state(call, now)], records, is_urgent=bool(records))


def join(first: "Leg", second: "Leg") -> None:
    """Two ends of different calls talk with each other from now on."""
    first.call.joined, second.call.joined = second, first
    tracer = first.board.tracer
    if tracer is not None:
        tracer.join(first.call.id, second.call.id)


def separate(call: "Call") -> "Call | None":
    """The call is over, and with it the one that its end talked with, which is returned."""
    other = call.joined
    if other is None:
        return None
    call.joined = None
    other.call.joined = None
    return other.call
