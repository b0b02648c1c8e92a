"""What a caller of a `sips:` address is promised: no hop without encryption (RFC 3261 26.2.2, RFC 5630).

The promise is for what we can see, the hop from the caller and the one to each target: both over TLS or a secure
WebSocket. Otherwise the answer is 480 with the warning of RFC 5630 6.2, upon which a phone may try `sip:`. An emergency
call is connected whatever was asked for. Beyond our own hops nothing is promised.
"""

from typing import Final

import msgspec

from switch.calls.refusal import Refusal
from switch.calls.sips_promise import keeps_promise
from switch.calls.sips_uri import is_sips
from switch.calls.terms import Admission
from switch.sip.flow import Flow
from switch.sip.message import Request

SIPS_NOT_ALLOWED: Final = Refusal(
    "sips_not_allowed",
    480,
    58,
    "sips was asked for, and not every hop would be encrypted",
    warning='380 offhook "SIPS Not Allowed"',
)


def keep_promise(request: Request, flow: Flow, admission: Admission | Refusal) -> Admission | Refusal:
    """The admission with only the targets that a sips: call may go to, or a refusal. Others pass unchanged."""
    if isinstance(admission, Refusal) or admission.route.is_emergency or not is_sips(request.uri):
        return admission
    if not flow.is_secure:
        return SIPS_NOT_ALLOWED
    stages = [[target for target in stage if keeps_promise(target)] for stage in admission.route.stages]
    stages = [stage for stage in stages if stage]
    if not stages and admission.route.code is None:  # a service code's target comes later, and is looked at then
        return SIPS_NOT_ALLOWED
    admission.route = msgspec.structs.replace(admission.route, stages=stages)
    return admission
