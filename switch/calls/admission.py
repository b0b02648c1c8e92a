"""The ladder that an INVITE climbs before anybody's phone rings: who pays, where to, at what price, may it?

`admit` holds all the branches and reads like the policy; the first broken rule is the answer. Emergency calls are
recognised before any rule and meet none. Nothing here sends, reserves or records: the call does, from the Admission.
Only the attempt itself is counted, where a line may begin no more than so many a second.
"""

from typing import Final, assert_never

from provisioning.model import Line, Number
from switch.calls import refusal
from switch.calls.attempt import Attempt, is_for_us
from switch.calls.identity import Caller, LineCaller, TrunkCaller
from switch.calls.incoming_charge import incoming_price
from switch.calls.incoming_screen import outgoing_block
from switch.calls.journey import Journey
from switch.calls.leg import Leg
from switch.calls.line_targets import line_refusal, line_targets
from switch.calls.number_plan import E164, DialProblem, Emergency, ServiceCode, Short, Unrecognised
from switch.calls.outbound import price_of, route_outside
from switch.calls.refusal import Refusal
from switch.calls.replaces import leg_to_replace, replacing_refusal
from switch.calls.restrictions import restricted, services_refusal
from switch.calls.service_codes import NEEDS_NO_VOICE, Service, service_of
from switch.calls.session_timer import is_too_brief
from switch.calls.switchboard import Switchboard
from switch.calls.terms import Admission, Price, Route
from switch.sdp.door import is_broken_offer
from switch.sip.message import Request

# No further digit would change that: 404. To anything else that is no number the answer is 484, at which a phone may
# ask for more.
LEADS_NOWHERE: Final = frozenset(
    {DialProblem.TOO_LONG, DialProblem.NOT_IN_USE, DialProblem.INDIRECT_ACCESS, DialProblem.FOREIGN_CONTEXT}
)



def admit(request: Request, attempt: Attempt, board: Switchboard, now: float) -> Admission | Refusal:
    """The ladder. Its order is refusal.IN_ORDER."""
    destination = attempt.plan_result.destination
    if isinstance(destination, Emergency) and isinstance(attempt.caller, LineCaller):
        return _emergency(destination, attempt, board, now)
    if board.is_draining:
        return refusal.DRAINING
    if len(board.calls) >= board.conf.calls.calls_max:
        return refusal.TOO_MANY_CALLS
    if not is_for_us(request, board):
        return refusal.NOT_HERE
    if request.max_forwards == 0:
        return refusal.TOO_MANY_HOPS
    if _came_back(request, attempt, board):
        return refusal.LOOP
    if is_too_brief(request):
        return refusal.SESSION_TOO_BRIEF
    if is_broken_offer(request.headers.get("content-type"), request.body):
        return refusal.BROKEN_OFFER
    replaced = leg_to_replace(request, board)
    if replaced is not None:
        return _in_place_of(replaced, request, attempt, board, now)
    route = _route(attempt, board, now)
    if isinstance(route, Refusal):
        return route
    price = _price(request, attempt, route, board, now)
    if isinstance(price, Refusal):
        return price
    return Admission(attempt.caller_id, attempt.dialled, route, price)


def _price(
    request: Request, attempt: Attempt, route: Route, board: Switchboard, now: float
) -> Price | Refusal:
    """The caller pays; of a carrier's call it is who is called, if anybody."""
    if isinstance(attempt.caller, TrunkCaller):
        return incoming_price(request, attempt, route, board, now)
    return price_of(attempt.caller, route, board, now)


def _in_place_of(
    replaced: Leg | Refusal, request: Request, attempt: Attempt, board: Switchboard, now: float
) -> Admission | Refusal:
    """An end of a call that is there, or a phone that rings for one: that call is paid for as it was."""
    if isinstance(replaced, Refusal):
        return replaced
    refused = replacing_refusal(replaced, attempt.caller, request)
    if refused is None and isinstance(attempt.caller, LineCaller):
        refused = _caller_refusal(attempt.caller, board, now)
    if refused is not None:
        return refused
    route = Route("", "", None, (), is_service=True, replaces=replaced)
    return Admission(attempt.caller_id, attempt.dialled, route, Price())


def _route(attempt: Attempt, board: Switchboard, now: float) -> Route | Refusal:
    if attempt.cli is not None and attempt.cli.refused is not None:
        return attempt.cli.refused
    destination = attempt.plan_result.destination
    if attempt.called_line is None:
        service = service_of(destination, board.conf)
        if service is not None:
            return _to_service(service, attempt.caller, board, now)
        if type(destination) is ServiceCode:
            return _to_code(destination, attempt.caller, board, now)
    elif attempt.is_ours:
        targets = line_targets(attempt.called_line, board, now, None)
        # For who asked for it, or for nobody: no divert applies.
        line = attempt.called_line
        route = Route("", "", line, [targets], lines=(line,), is_service=True)
        return route if targets else refusal.NOT_REGISTERED
    number = _destination_number(attempt)
    if isinstance(number, Refusal):
        return number
    match attempt.caller:
        case TrunkCaller():
            return _route_inbound(number, attempt, board, now)
        case LineCaller() as caller:
            refused = _caller_refusal(caller, board, now) or _safety_refusal(caller, attempt, board, now)
            if refused is not None:
                return refused
            return _route_outbound(number, attempt, board, now)
        case _:
            assert_never(attempt.caller)


def _destination_number(attempt: Attempt) -> str | Refusal:
    """The number that was dialled, "" where a line was called by its name."""
    if attempt.called_line is not None:
        return ""
    match attempt.plan_result.destination:
        case E164(number=number) | Short(number=number):
            return number
        case Emergency(service=service):
            return service  # from a trunk: it meets the ladder like any number that is not assigned here
        case ServiceCode():
            return refusal.SERVICE_UNKNOWN
        case Unrecognised(reason=reason) if reason in LEADS_NOWHERE:
            return refusal.NOT_IN_USE
        case Unrecognised():
            return refusal.UNRECOGNISED
        case unknown:
            assert_never(unknown)


def _route_inbound(number: str, attempt: Attempt, board: Switchboard, now: float) -> Route | Refusal:
    """A carrier reaches only numbers assigned here."""
    assigned = board.books.numbers.get(number)
    line = board.books.lines.get(assigned.line) if assigned is not None else None
    if assigned is None or line is None:
        known = board.conf.routing.targets(number)
        return refusal.TRUNK_TO_TRUNK if known else refusal.NOT_ASSIGNED
    return _to_number(assigned, line, attempt, board, now)


def _route_outbound(number: str, attempt: Attempt, board: Switchboard, now: float) -> Route | Refusal:
    caller = attempt.caller
    if isinstance(caller, LineCaller):
        blocked = outgoing_block(caller.line, caller.account, number)
        if blocked is not None:
            return blocked
    line = attempt.called_line
    if line is not None:
        return _to_line(line, number, "", attempt, board, now)
    assigned = board.books.numbers.get(number)
    if assigned is not None and (line := board.books.lines.get(assigned.line)) is not None:
        return _to_number(assigned, line, attempt, board, now)
    return route_outside(number, attempt, board, now)


def _caller_refusal(caller: LineCaller, board: Switchboard, now: float) -> Refusal | None:
    account, limits = caller.account, board.conf.calls
    if account is None:
        return refusal.ACCOUNT_MISSING
    if account.is_suspended:
        return refusal.SUSPENDED
    if board.of_line[caller.line.user] >= (caller.line.calls_max or limits.calls_per_line_max):
        return refusal.LINE_FULL
    if board.of_account[account.id] >= (account.calls_max or limits.calls_per_account_max):
        return refusal.ACCOUNT_FULL
    per_second = caller.line.calls_per_second_max
    if per_second and not board.call_rates.take(caller.line.user, per_second, now):
        return refusal.LINE_TOO_FAST
    return None


def _safety_refusal(
    caller: LineCaller, attempt: Attempt, board: Switchboard, now: float
) -> Refusal | None:
    destination = attempt.plan_result.destination if attempt.called_line is None else None
    assert destination is None or isinstance(destination, (E164, Short))
    refused = restricted(caller.account, destination, attempt.called_line, board)
    return refused or board.safety.refusal_for(caller.line, caller.account, destination, now)


def _to_service(service: Service, caller: Caller, board: Switchboard, now: float) -> Route | Refusal:
    """Messages are listened to with an empty account, too, and where outgoing calls are barred: it costs nothing, and
    they are the customer's. A suspended account has no service but emergency calls; its messages wait for it."""
    own: Line | None = None
    if isinstance(caller, LineCaller):
        refused = _caller_refusal(caller, board, now) or services_refusal(caller.account)
        if refused is not None:
            return refused
        if service is Service.OWN_MAILBOX and caller.line.has_mailbox:
            own = caller.line
    elif service is Service.OWN_MAILBOX:
        return refusal.SERVICE_UNKNOWN
    target = board.voicemail.retrieval(own)
    if target is None:
        return refusal.VOICEMAIL_AWAY
    return Route("", "", None, [[target]], is_service=True)


def _to_code(code: ServiceCode, caller: Caller, board: Switchboard, now: float) -> Route | Refusal:
    """Free, and for every line that may call at all. What it comes to is decided when the call begins."""
    rule = board.conf.services.find(code)
    if rule is None or not isinstance(caller, LineCaller):
        return refusal.SERVICE_UNKNOWN
    if rule.feature in NEEDS_NO_VOICE:
        refused = _caller_refusal(caller, board, now) or services_refusal(caller.account)
        return refused or Route("", "", None, [], is_service=True, code=rule)
    if board.voicemail.flow is None:
        return refusal.SERVICE_UNKNOWN
    refused = _caller_refusal(caller, board, now) or services_refusal(caller.account)
    if refused is None and not board.voicemail.is_there:
        refused = refusal.VOICEMAIL_AWAY
    return refused if refused is not None else Route("", "", None, [], is_service=True, code=rule)


def _to_number(
    number: Number, line: Line, attempt: Attempt, board: Switchboard, now: float
) -> Route | Refusal:
    if number.plan:
        return Journey(board, attempt).begin_plan(number, line, now)
    return _to_line(line, number.e164, number.e164, attempt, board, now)


def _to_line(
    line: Line, number: str, ddi: str, attempt: Attempt, board: Switchboard, now: float
) -> Route | Refusal:
    if attempt.instance is None and line.diverts:
        return Journey(board, attempt).begin(line, number, ddi, now)
    targets = line_targets(line, board, now, attempt.instance)
    refused = line_refusal(line, targets, attempt.caller_id, board, now)
    return refused if refused is not None else Route(number, ddi, line, [targets], lines=(line,))


def _emergency(destination: Emergency, attempt: Attempt, board: Switchboard, now: float) -> Admission:
    """Never blocked, free, with the full network number and no Privacy (uk.md c)."""
    names = board.conf.routing.emergency_trunks
    stages, skipped = board.trunks.ways(names, board.of_trunk, now, is_emergency=True)
    route = Route(destination.service, "", None, stages, is_emergency=True, skipped=skipped)
    return Admission(attempt.caller_id, attempt.dialled, route, Price())


def _came_back(request: Request, attempt: Attempt, board: Switchboard) -> bool:
    """Whether a trunk returned our own INVITE for the same number: with the Call-ID and From tag of a leg of ours."""
    leg = board.legs.get((request.call_id, request.from_tag or ""))
    return leg is not None and leg.call.destination == _destination_number(attempt)
