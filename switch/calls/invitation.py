"""What the INVITE to a target says: where to, from whom, with which of the caller's headers.

The caller's identity is written anew here for each kind of target: a line sees the presentation number or nothing, a
trunk gets both numbers in its own format, an emergency service gets the full network number whatever was asked.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.diversions import diversions_to_line, diversions_to_trunk
from switch.calls.identity import (
    Caller,
    LineCaller,
    TrunkCaller,
    emergency_identity,
    from_towards_line,
    identity_towards_trunk,
)
from switch.calls.line_targets import request_uri
from switch.calls.number_plan import NumberFormat, format_number
from switch.calls.own_diversions import hops_to_line, hops_to_trunk
from switch.calls.passing import Body, Fields, only_listed, passed_fields
from switch.calls.privacy import without_caller
from switch.calls.target import LineTarget, Target, TrunkTarget, VoicemailTarget
from switch.sip.host import host_port, uri_host
from switch.sip.message import Request
from switch.sip.uri import escape_user

if TYPE_CHECKING:
    from switch.calls.switchboard import Switchboard
    from switch.calls.terms import Admission

MAX_FORWARDS: Final = 70  # RFC 3261 8.1.1.6, for a request that came without one


class Invitation:
    """Decided by the call, formatted by the leg."""

    __slots__ = ("body", "fields", "from_", "max_forwards", "request_uri", "to")

    def __init__(
        self,
        request_uri: str,
        from_: str,
        to: str,
        fields: Fields,
        body: Body,
        max_forwards: int,
    ) -> None:
        self.request_uri = request_uri
        self.from_ = from_
        self.to = to
        self.fields = fields
        self.body = body
        self.max_forwards = max_forwards


def invitation_for(
    admission: "Admission", request: Request, body: Body, target: Target, caller: Caller, board: "Switchboard"
) -> Invitation:
    """The INVITE for one target. `request` is the caller's, `body` what is offered."""
    hops = request.max_forwards
    max_forwards = (MAX_FORWARDS if hops is None else hops) - 1
    passed = passed_fields(request)
    is_hidden = admission.caller_id.is_withheld and not admission.route.is_emergency
    if is_hidden:
        passed = without_caller(passed, admission.caller_id, caller)
    if isinstance(target, LineTarget):
        if isinstance(caller, TrunkCaller):
            passed = [*passed, *_diversions(request, admission, caller)]
        if admission.hops:
            passed = [*hops_to_line(admission, board), *passed]
        return _to_line(admission, target, caller, passed, body, max(max_forwards, 0), board)
    if isinstance(target, VoicemailTarget):
        fields = [*target.fields, *(_diversions(request, admission, caller) if isinstance(caller, TrunkCaller) else ())]
        return _to_voicemail(admission, target, caller, fields, body, max(max_forwards, 0), board)
    invitation = _to_trunk(admission, target, caller, passed, body, max(max_forwards, 0), board)
    before = diversions_to_trunk(request, target.trunk) if isinstance(caller, TrunkCaller) else []
    if before and is_hidden:
        before = without_caller(before, admission.caller_id, caller)
    if admission.hops:
        domain = uri_host(target.trunk.from_domain) if target.trunk.from_domain else board.domain
        before = hops_to_trunk(admission, target.trunk, domain, board, before)
    invitation.fields += before
    return invitation


def onward_invitation(
    admission: "Admission", body: Body, target: Target, caller: Caller, fields: Fields, board: "Switchboard"
) -> Invitation:
    """The INVITE to somebody whom a call that is up is sent on to. `caller` is who speaks there: the end that stays."""
    if isinstance(target, LineTarget):
        fields = [*fields, *hops_to_line(admission, board)]
        return _to_line(admission, target, caller, fields, body, MAX_FORWARDS, board)
    if isinstance(target, VoicemailTarget):
        fields = [*target.fields, *fields]
        return _to_voicemail(admission, target, caller, fields, body, MAX_FORWARDS, board)
    invitation = _to_trunk(admission, target, caller, fields, body, MAX_FORWARDS, board)
    domain = uri_host(target.trunk.from_domain) if target.trunk.from_domain else board.domain
    invitation.fields += hops_to_trunk(admission, target.trunk, domain, board, [])
    return invitation


def _diversions(request: "Request", admission: "Admission", caller: TrunkCaller) -> Fields:
    """What a line is told; a caller who withheld the number may have been called back by his own divert."""
    diversions = diversions_to_line(request)
    if admission.caller_id.is_withheld:
        return without_caller(diversions, admission.caller_id, caller)
    return diversions


def _to_line(
    admission: "Admission",
    target: LineTarget,
    caller: Caller,
    passed: Fields,
    body: Body,
    max_forwards: int,
    board: "Switchboard",
) -> Invitation:
    domain = board.domain
    calling_user = caller.line.user if isinstance(caller, LineCaller) else ""
    same_account = isinstance(caller, LineCaller) and caller.line.account_id == target.line.account_id
    sender = from_towards_line(admission.caller_id, user=calling_user, domain=domain, shows_name=same_account)
    called = admission.route.number or target.line.user
    uri = request_uri(target, admission.route.number)
    if target.binding is not None and target.binding.path:
        passed = [*(("Route", hop) for hop in target.binding.path), *passed]
    return Invitation(uri, sender, f"<sip:{called}@{domain}>", passed, body, max_forwards)


def _to_voicemail(
    admission: "Admission",
    target: VoicemailTarget,
    caller: Caller,
    fields: Fields,
    body: Body,
    max_forwards: int,
    board: "Switchboard",
) -> Invitation:
    """Who calls as the owner of the mailbox may know it, and what was called."""
    domain, owner = board.domain, target.line
    calling = caller.line if isinstance(caller, LineCaller) else None
    same_account = calling is not None and owner is not None and calling.account_id == owner.account_id
    user = calling.user if calling is not None else ""
    sender = from_towards_line(admission.caller_id, user=user, domain=domain, shows_name=same_account)
    called = admission.route.number or (escape_user(owner.user) if owner is not None else target.name)
    return Invitation(target.uri, sender, f"<sip:{called}@{domain}>", fields, body, max_forwards)


def _to_trunk(
    admission: "Admission",
    target: TrunkTarget,
    caller: Caller,
    passed: Fields,
    body: Body,
    max_forwards: int,
    board: "Switchboard",
) -> Invitation:
    trunk = target.trunk
    domain = uri_host(trunk.from_domain) if trunk.from_domain else board.domain
    if admission.route.is_emergency:
        sender, identity = emergency_identity(_emergency_number(caller, admission), trunk, domain)
        user = admission.route.number
    else:
        sender, identity = identity_towards_trunk(admission.caller_id, trunk, domain)
        user = _dialled_towards_trunk(admission, trunk.number_format)
    host = target.host or host_port(target.flow.remote_host, target.flow.remote_port)
    suffix = "" if target.flow.transport == "UDP" else f";transport={target.flow.transport.lower()}"
    fields = [*identity, *only_listed(passed, trunk.pass_headers)]
    if target.routes:
        fields = [*(("Route", route) for route in target.routes), *fields]
    return Invitation(
        f"sip:{user}@{host}{suffix}", sender, f"<sip:{user}@{host}>", fields, body, max_forwards
    )


def _dialled_towards_trunk(admission: "Admission", number_format: NumberFormat) -> str:
    if admission.route.relay_prefix:
        return admission.route.relay_prefix + format_number(admission.route.number, NumberFormat.NATIONAL)
    return format_number(admission.route.number, number_format)


def _emergency_number(caller: Caller, admission: "Admission") -> str:
    """The number that the emergency service shall call back: the line's registered one, else its network number."""
    if isinstance(caller, LineCaller) and caller.line.emergency_number:
        return caller.line.emergency_number
    return admission.caller_id.network_number
