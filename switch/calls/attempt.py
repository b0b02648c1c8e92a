"""What is known of an attempt before any rule is asked: who calls, and what was dialled."""

import msgspec

from provisioning.model import Line
from switch.calls.diversions import DIVERSION
from switch.calls.identity import Caller, CallerId, LineCaller, TrunkCaller, line_caller_id, trunk_caller_id
from switch.calls.number_plan import (
    Dialled,
    DialProblem,
    Emergency,
    PrivacyChoice,
    Unrecognised,
    read_dialled,
    read_trunk_number,
)
from switch.calls.sips_uri import is_sips
from switch.calls.switchboard import Switchboard
from switch.sip.message import Request
from switch.sip.uri import SipUri


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


def read_attempt(request: Request, caller: Caller, board: Switchboard, now: float) -> Attempt:
    """Who calls and what was dialled. Never refuses."""
    attempt = _read(request, caller, board, now)
    attempt.wants_sips = is_sips(request.uri)
    if isinstance(caller, TrunkCaller) and DIVERSION in request.headers:
        attempt.diversions = len(request.headers.values(DIVERSION))
    return attempt


def _read(request: Request, caller: Caller, board: Switchboard, now: float) -> Attempt:
    text = dialled_text(request)
    plan = board.conf.routing.plan
    if isinstance(caller, TrunkCaller):
        text = board.trunks.called_of(request) or text
        number = read_trunk_number(text, caller.trunk.inbound_number_format, plan)
        plan_result = read_dialled(number or text, plan)
        return Attempt(caller, trunk_caller_id(request, caller.trunk, plan), text, plan_result, None)
    plan_result = read_dialled(text, plan)
    withhold = None if plan_result.privacy is None else plan_result.privacy is PrivacyChoice.WITHHOLD
    caller_id = line_caller_id(request, caller.line, board.books, plan, withhold=withhold)
    if isinstance(plan_result.destination, Emergency):
        return Attempt(caller, caller_id, text, plan_result, None)
    uri = request.request_uri
    if isinstance(uri, SipUri) and "gr" in uri.params:
        reached = board.gruus.find(uri, board.bindings, now)
        line = board.books.lines.get(reached.user) if reached is not None else None
        if reached is None or line is None:
            return Attempt(caller, caller_id, text, Dialled(Unrecognised(DialProblem.NOT_IN_USE)), None)
        return Attempt(caller, caller_id, text, plan_result, line, reached.instance)
    return Attempt(caller, caller_id, text, plan_result, board.books.lines.get(text))


def attempt_of(text: str, caller: LineCaller, caller_id: CallerId, board: Switchboard) -> Attempt:
    """A line asks for a number or another line's name, for a call that is there already."""
    plan_result = read_dialled(text, board.conf.routing.plan)
    return Attempt(caller, caller_id, text, plan_result, board.books.lines.get(text))


def dialled_text(request: Request) -> str:
    """What was dialled: the user part, or the whole of a tel: or urn: URI."""
    uri = request.request_uri
    return uri.unescaped_user if isinstance(uri, SipUri) else request.uri


def is_for_us(request: Request, board: Switchboard) -> bool:
    """Whether the Request-URI names a domain or an address of ours; tel: and urn: name none and are for us."""
    uri = request.request_uri
    return not isinstance(uri, SipUri) or board.is_here(uri.host)
