"""What is known of an attempt before any rule is asked: who calls, and what was dialled."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from provisioning.model import Line
from switch.calls.cli_policy import screen_claim
from switch.calls.diversions import times_diverted
from switch.calls.identity import (
    NOTHING_DECIDED,
    Caller,
    CallerId,
    CliDecision,
    LineCaller,
    TrunkCaller,
    trunk_claim,
)
from switch.calls.number_plan import (
    E164,
    Dialled,
    DialProblem,
    Emergency,
    PrivacyChoice,
    ServiceCode,
    Unrecognised,
    read_dialled,
    read_trunk_number,
)
from switch.calls.presentation import line_caller_id
from switch.calls.short_dialling import meant_by, read_meant
from switch.calls.sips_uri import is_sips
from switch.calls.switchboard import Switchboard
from switch.sip.message import Request
from switch.sip.uri import SipUri

if TYPE_CHECKING:
    from switch.calls.pressed import OnPressed

EMERGENCY_CALLBACK: Final = "psap-callback"  # Priority, RFC 7090; believed of carriers that take our emergency calls


class Attempt(msgspec.Struct):
    """What is known of an attempt before the ladder: it is on the CDR even when the call is refused."""

    caller: Caller
    caller_id: CallerId
    dialled: str
    plan_result: Dialled
    called_line: Line | None
    instance: str | None = None  # the one that a GRUU names, "" for one that is not there; None: any
    diversions: int = 0  # that a carrier names of its call
    wants_sips: bool = False
    cli: CliDecision | None = None  # what was decided of what the caller says of himself
    is_ours: bool = False  # the exchange itself rings the line (out_calls.py), and hears where that cannot be
    failed: Callable[[float], None] | None = None
    on_pressed: "OnPressed | None" = None  # what a REFER means of who rings the line for the exchange
    call_id: str = ""  # the caller's, as he sent it
    notes: list[str] | None = None  # of who wants to know what a journey decides; None: nobody asks
    not_sent_on: tuple[str, ...] = ()  # refusals for which a destination was passed over, by their labels


def read_attempt(request: Request, caller: Caller, board: Switchboard, now: float) -> Attempt:
    """Who calls and what was dialled. Never refuses."""
    attempt = _read(request, caller, board, now)
    attempt.wants_sips = is_sips(request.uri)
    attempt.call_id = request.call_id
    if isinstance(caller, TrunkCaller):
        attempt.diversions = times_diverted(request)
    return attempt


def _read(request: Request, caller: Caller, board: Switchboard, now: float) -> Attempt:
    text = dialled_text(request)
    plan = board.conf.routing.plan
    if isinstance(caller, TrunkCaller):
        text = board.trunks.called_of(request) or text
        number = read_trunk_number(text, caller.trunk.inbound_number_format, plan)
        plan_result = read_dialled(number or text, plan)
        caller_id, decided = _of_carrier(request, caller, plan_result, board)
        return Attempt(caller, caller_id, text, plan_result, None, cli=decided)
    plan_result = read_dialled(text, plan)
    if type(plan_result.destination) is ServiceCode:
        services = board.conf.services
        meant = meant_by(plan_result.destination, caller.line, services, board.services.last_dialled)
        if meant:
            text, plan_result = meant, read_meant(meant, plan_result, plan)
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
        return Attempt(caller, caller_id, text, plan_result, line, reached.instance, cli=decided)
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


def attempt_of(text: str, caller: LineCaller, caller_id: CallerId, board: Switchboard) -> Attempt:
    """A line asks for a number, a stored one or another line's name, for a call that is there already. `caller_id` is
    whom the one there is told: 141 withholds it, whoever it is, and nobody else can release it."""
    plan = board.conf.routing.plan
    plan_result = read_dialled(text, plan)
    if type(plan_result.destination) is ServiceCode:
        meant = meant_by(plan_result.destination, caller.line, board.conf.services, board.services.last_dialled)
        if meant:
            text, plan_result = meant, read_meant(meant, plan_result, plan)
    if plan_result.privacy is PrivacyChoice.WITHHOLD and not caller_id.is_withheld:
        caller_id = msgspec.structs.replace(caller_id, is_withheld=True)
    return Attempt(caller, caller_id, text, plan_result, board.books.lines.get(text))


def line_of_number(dialled: str, board: Switchboard) -> Line | None:
    """A line of this exchange, by its name or by a number as it is dialled."""
    line = board.books.lines.get(dialled)
    if line is not None:
        return line
    found = read_dialled(dialled, board.conf.routing.plan).destination
    number = board.books.numbers.get(found.number) if isinstance(found, E164) else None
    return board.books.lines.get(number.line) if number is not None else None


def dialled_text(request: Request) -> str:
    """What was dialled: the user part, or the whole of a tel: or urn: URI."""
    uri = request.request_uri
    return uri.unescaped_user if isinstance(uri, SipUri) else request.uri


def is_for_us(request: Request, board: Switchboard) -> bool:
    """Whether the Request-URI names a domain or an address of ours; tel: and urn: name none and are for us."""
    uri = request.request_uri
    return not isinstance(uri, SipUri) or board.is_here(uri.host)
