"""The ladder that an INVITE climbs before anybody's phone rings: who pays, where to, at what price, may it?

`admit` holds all the branches and reads like the policy; the first broken rule is the answer. Emergency calls are
recognised before any rule and meet none. Nothing here sends, reserves or records: the call does, from the Admission.
Only the attempt itself is counted, where a line may begin no more than so many a second.
"""

from collections.abc import Sequence
from typing import Final, assert_never

import msgspec

from provisioning.model import Line
from rating.tariff import ON_NET, Rate, Tariff
from switch.calls import divert, refusal
from switch.calls.cli_policy import screen_claim
from switch.calls.identity import (
    NOTHING_DECIDED,
    Caller,
    CallerId,
    CliDecision,
    LineCaller,
    TrunkCaller,
    trunk_claim,
)
from switch.calls.incoming_screen import incoming_refusal, outgoing_block
from switch.calls.line_targets import line_targets
from switch.calls.number_plan import (
    E164,
    Dialled,
    DialProblem,
    Emergency,
    PrivacyChoice,
    ServiceCode,
    Short,
    Unrecognised,
    read_dialled,
    read_trunk_number,
)
from switch.calls.presentation import line_caller_id
from switch.calls.refusal import Refusal
from switch.calls.replaces import leg_to_replace
from switch.calls.service_codes import Service, service_of
from switch.calls.session_timer import is_too_brief
from switch.calls.switchboard import Switchboard
from switch.calls.target import Target
from switch.sdp.door import is_broken_offer
from switch.sip.message import Request
from switch.sip.uri import SipUri
from switch.trunks.carrier import FULL, TOO_FAST
from switch.trunks.trunks import Skipped

# No further digit would change that: 404. To anything else that is no number the answer is 484, at which a phone may
# ask for more.
LEADS_NOWHERE: Final = frozenset(
    {DialProblem.TOO_LONG, DialProblem.NOT_IN_USE, DialProblem.INDIRECT_ACCESS, DialProblem.FOREIGN_CONTEXT}
)

EMERGENCY_CALLBACK: Final = "psap-callback"  # Priority, RFC 7090; believed of carriers that take our emergency calls


class Route(msgspec.Struct):
    """Where a call goes. `number` is E.164, a short code, or "" when a line was called by its user name.

    `refused` is what the caller is told where voicemail, the one target then, does not take the call. `holds_line`: the
    call is one of those that the line may have at once.
    """

    number: str
    ddi: str
    line: Line | None
    stages: Sequence[Sequence[Target]]
    is_emergency: bool = False
    relay_prefix: str = ""
    skipped: Sequence[Skipped] = ()
    refused: Refusal | None = None
    holds_line: bool = True
    is_announcement: bool = False
    is_service: bool = False


class Price(msgspec.Struct):
    """What the caller's account pays. `rate` None is free: emergency, on-net, or a carrier calling in."""

    account_id: int | None = None
    rate: Rate | None = None
    tariff: str = ""
    tariff_version: str = ""


class Admission(msgspec.Struct):
    """Everything that the call needs to begin."""

    caller_id: CallerId
    dialled: str
    route: Route
    price: Price


class Attempt(msgspec.Struct):
    """What is known of an attempt before the ladder: it is on the CDR even when the call is refused."""

    caller: Caller
    caller_id: CallerId
    dialled: str
    plan_result: Dialled
    called_line: Line | None
    instance: str | None = None  # the one that a GRUU names, "" for one that is not there; None: any
    cli: CliDecision | None = None


def read_attempt(request: Request, caller: Caller, board: Switchboard, now: float) -> Attempt:
    """Who calls and what was dialled. Never refuses."""
    text = dialled_text(request)
    plan = board.conf.routing.plan
    if isinstance(caller, TrunkCaller):
        text = board.trunks.called_of(request) or text
        number = read_trunk_number(text, caller.trunk.inbound_number_format, plan)
        plan_result = read_dialled(number or text, plan)
        caller_id, decided = _of_carrier(request, caller, plan_result, board)
        return Attempt(caller, caller_id, text, plan_result, None, cli=decided)
    plan_result = read_dialled(text, plan)
    withhold = None if plan_result.privacy is None else plan_result.privacy is PrivacyChoice.WITHHOLD
    is_emergency = isinstance(plan_result.destination, Emergency)
    caller_id, decided = line_caller_id(
        request,
        caller.line,
        board.books,
        plan,
        board.conf.cli,
        withhold=withhold,
        is_emergency=is_emergency,
        clock=board.clock,
        now=now,
    )
    if is_emergency:
        return Attempt(caller, caller_id, text, plan_result, None, cli=decided)
    uri = request.request_uri
    if isinstance(uri, SipUri) and "gr" in uri.params:
        reached = board.gruus.find(uri, board.bindings, now)
        line = board.books.lines.get(reached.user) if reached is not None else None
        if reached is None or line is None:
            return Attempt(caller, caller_id, text, Dialled(Unrecognised(DialProblem.NOT_IN_USE)), None)
        return Attempt(caller, caller_id, text, plan_result, line, reached.instance, decided)
    return Attempt(caller, caller_id, text, plan_result, board.books.lines.get(text), cli=decided)


def _of_carrier(
    request: Request, caller: TrunkCaller, plan_result: Dialled, board: Switchboard
) -> tuple[CallerId, CliDecision]:
    """Who a carrier says is calling, and what of that goes on. A call to an emergency service is not screened."""
    conf, trunk = board.conf, caller.trunk
    claim = trunk_claim(request, trunk, conf.routing.plan)
    if isinstance(plan_result.destination, Emergency):
        return CallerId(claim.network, claim.presentation, claim.is_withheld), NOTHING_DECIDED
    priority = request.headers.get("priority")
    is_callback = (
        priority is not None
        and priority.strip().lower() == EMERGENCY_CALLBACK
        and trunk.name in conf.routing.emergency_trunks
    )
    return screen_claim(claim, trunk, conf.cli, conf.routing.plan, is_emergency_callback=is_callback)


def dialled_text(request: Request) -> str:
    """What was dialled: the user part, or the whole of a tel: or urn: URI."""
    uri = request.request_uri
    return uri.unescaped_user if isinstance(uri, SipUri) else request.uri


def is_for_us(request: Request, board: Switchboard) -> bool:
    """Whether the Request-URI names a domain or an address of ours; tel: and urn: name none and are for us."""
    uri = request.request_uri
    return not isinstance(uri, SipUri) or board.is_here(uri.host)


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
        # Pick-up and attended transfer will take the leg from here; until then it stays where it is.
        return replaced if isinstance(replaced, Refusal) else refusal.REPLACES_DECLINED
    route = _route(attempt, board, now)
    if isinstance(route, Refusal):
        return route
    price = _price(attempt.caller, route, board, now)
    if isinstance(price, Refusal):
        return price
    return Admission(attempt.caller_id, attempt.dialled, route, price)


def _route(attempt: Attempt, board: Switchboard, now: float) -> Route | Refusal:
    if attempt.cli is not None and attempt.cli.refused is not None:
        return attempt.cli.refused
    if attempt.called_line is None:
        service = service_of(attempt.plan_result.destination, board.conf)
        if service is not None:
            return _to_service(service, attempt.caller, board, now)
    number = _destination_number(attempt)
    if isinstance(number, Refusal):
        return number
    match attempt.caller:
        case TrunkCaller():
            return _route_inbound(number, attempt, board, now)
        case LineCaller() as caller:
            refused = _caller_refusal(caller, board, now)
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
    if line is None:
        known = board.conf.routing.targets(number)
        return refusal.TRUNK_TO_TRUNK if known else refusal.NOT_ASSIGNED
    return _to_line(line, number, number, attempt.caller_id, board, now)


def _route_outbound(number: str, attempt: Attempt, board: Switchboard, now: float) -> Route | Refusal:
    caller = attempt.caller
    if isinstance(caller, LineCaller):
        blocked = outgoing_block(caller.line, caller.account, number)
        if blocked is not None:
            return blocked
    line = attempt.called_line
    if line is not None:
        return _to_line(line, number, "", attempt.caller_id, board, now, attempt.instance)
    assigned = board.books.numbers.get(number)
    if assigned is not None and (line := board.books.lines.get(assigned.line)) is not None:
        return _to_line(line, number, number, attempt.caller_id, board, now)
    names = board.conf.routing.targets(number)
    if not names:
        return refusal.NOT_IN_USE
    stages, skipped = board.trunks.ways(names, board.of_trunk, now, is_emergency=False)
    if not stages:
        return _no_trunk(skipped)
    return Route(
        number, "", None, stages, relay_prefix=attempt.plan_result.relay_prefix, skipped=skipped
    )


def _no_trunk(skipped: Sequence[Skipped]) -> Refusal:
    """Every trunk of the route was passed over: for want of room, or because one cannot be reached."""
    if all(trunk.why in (FULL, TOO_FAST) for trunk in skipped):
        return refusal.TRUNK_FULL
    return msgspec.structs.replace(
        refusal.TRUNK_UNAVAILABLE, words=f"no trunk: {', '.join(str(trunk) for trunk in skipped)}"
    )


def _caller_refusal(caller: LineCaller, board: Switchboard, now: float) -> Refusal | None:
    account = caller.account
    if account is None:
        return refusal.ACCOUNT_MISSING
    if account.is_suspended:
        return refusal.SUSPENDED
    limits = board.conf.calls
    if board.of_line[caller.line.user] >= (caller.line.calls_max or limits.calls_per_line_max):
        return refusal.LINE_FULL
    if board.of_account[account.id] >= (account.calls_max or limits.calls_per_account_max):
        return refusal.ACCOUNT_FULL
    per_second = caller.line.calls_per_second_max
    if per_second and not board.call_rates.take(caller.line.user, per_second, now):
        return refusal.LINE_TOO_FAST
    return None


def _to_service(service: Service, caller: Caller, board: Switchboard, now: float) -> Route | Refusal:
    """Messages are listened to with an empty account, too, and where outgoing calls are barred: it costs nothing, and
    they are the customer's. A suspended account has no service but emergency calls; its messages wait for it."""
    own: Line | None = None
    if isinstance(caller, LineCaller):
        refused = _caller_refusal(caller, board, now)
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


def _to_line(
    line: Line,
    number: str,
    ddi: str,
    caller_id: CallerId,
    board: Switchboard,
    now: float,
    instance: str | None = None,
) -> Route | Refusal:
    unwanted = incoming_refusal(line, board.books.account_of(line), caller_id, board, now)
    if unwanted is not None and unwanted is not refusal.DO_NOT_DISTURB:
        return unwanted
    targets = line_targets(line, board, now, instance)
    refused = unwanted  # who is not to be disturbed may still have a divert
    if refused is None and not targets:
        refused = refusal.NOT_REGISTERED
    elif refused is None and board.of_line[line.user] >= (
        line.calls_max or board.conf.calls.calls_per_line_max
    ):
        refused = refusal.CALLEE_FULL
    if line.diverts and instance is None:
        diverted = divert.before_ringing(line, refused)
        if diverted is not None:
            target = divert.target_of(diverted, line, board)
            refused = refused or divert.NOWHERE
            if target is not None:
                return Route(number, ddi, line, [[target]], refused=refused, holds_line=False)
    return refused if refused is not None else Route(number, ddi, line, [targets])


def _price(caller: Caller, route: Route, board: Switchboard, now: float) -> Price | Refusal:
    """The rate of the caller's tariff. Without one the call is refused, never free; on-net is free by default."""
    if isinstance(caller, TrunkCaller) or caller.account is None or route.is_service:
        return Price()
    account = caller.account
    tariff = board.conf.tariffs.get(account.tariff)
    if tariff is None:
        return refusal.NO_TARIFF
    if tariff.vat is not account.vat:
        return refusal.VAT_MISMATCH
    rate = _rate(tariff, route, board.clock.ms(now))
    if rate is None and route.line is None:
        return refusal.NO_RATE
    if rate is not None and not rate.is_free and board.journal.is_failed:
        return refusal.JOURNAL_FAILED
    return Price(account.id, rate, tariff.name, tariff.version)


def _rate(tariff: Tariff, route: Route, at_ms: int) -> Rate | None:
    return tariff.rate_for(ON_NET if route.line is not None else route.number, at_ms)


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
