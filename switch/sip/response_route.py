"""Where a request really came from and where its responses go: RFC 3261 18.2.1, 18.2.2, RFC 3581.

On arrival the top Via gets `received` and the port asked for by `rport`. A response over a stream goes back
on its connection; over UDP to the address the request came from, at the port it came from if `rport` was
there and otherwise at the port of sent-by. `maddr` is ignored: it would let anyone point our responses at a
third party.
"""

from typing import Final

from switch.sip.fields import Via, format_via
from switch.sip.flow import Flow
from switch.sip.host import bare_host
from switch.sip.message import Request

SIP_PORT: Final = 5060
SIPS_PORT: Final = 5061


def stamp_source(request: Request, flow: Flow) -> None:
    """18.2.1 and RFC 3581 4: write down in the top Via where the request came from.

    What a sender claims in `received` is replaced or taken away. An IPv6 address stands there without brackets (RFC
    5118 4.5).
    """
    via = request.top_via
    params = via.params
    wants_port = "rport" in params
    is_elsewhere = via.host != flow.remote_host and bare_host(via.host) != flow.remote_host
    if not (wants_port or is_elsewhere or "received" in params):
        return
    if wants_port:
        params["rport"] = str(flow.remote_port)
    if wants_port or is_elsewhere:  # RFC 3581 4: with rport always, also when the address is the same
        params["received"] = flow.remote_host
    else:
        del params["received"]
    request.headers.set_first_value("via", format_via(via))


def response_flow(via: Via, flow: Flow) -> Flow:
    """18.2.2: where the responses to a request with this top Via, which came on this flow, go."""
    if flow.is_reliable or "rport" in via.params:
        return flow
    port = via.port or SIP_PORT
    if port == flow.remote_port:
        return flow
    return Flow(flow.transport, flow.remote_host, port, flow.local_host, flow.local_port, flow.connection)
