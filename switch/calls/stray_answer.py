"""An answer that nobody waits for: a second fork, or a callee that answered while the exchange was restarting.

RFC 3261 13.2.2.4: acknowledge it and hang it up at once. Without this a phone would talk to nobody, and a carrier would
bill a ghost. Everything needed stands in the 200 itself.
"""

from typing import TYPE_CHECKING

from switch.calls.q850 import format_reason
from switch.sip.dialog import Dialog
from switch.sip.flow import Flow
from switch.sip.message import Response
from switch.sip.uri import NameAddr, format_name_addr

if TYPE_CHECKING:
    from switch.calls.switchboard import Switchboard
    from switch.sip.stack import ClientTransaction


def hang_up_stray(board: "Switchboard", response: Response, flow: Flow, now: float) -> None:
    """ACK and BYE for a 2xx to an INVITE of ours. Without a Contact there is nobody to send them to."""
    if response.contact is None or response.to_tag is None:
        return
    dialog = Dialog(
        call_id=response.call_id,
        local_tag=response.from_tag or "",
        remote_tag=response.to_tag,
        local=_without_tag(response.from_),
        remote=_without_tag(response.to),
        local_cseq=response.cseq.number,
        remote_cseq=None,
        route_set=response.headers.values("record-route")[::-1],
        remote_target=response.contact.uri,
        flow=flow,
        is_early=False,
    )
    trunk = board.trunks.trunk_at(flow.remote_host, flow.remote_port)
    if trunk is not None:
        flow = board.trunks.next_flow(dialog, flow, trunk, None, now)
    board.stack.send_ack(dialog.create_ack(response.cseq.number), flow)
    bye = dialog.create_request("BYE", contact=None)
    bye.headers.add("reason", format_reason(26, "nobody waits for this answer"))
    board.stack.send_request(bye, flow, IgnoreOutcome(), now)
    board.counts.stray_answers += 1


def _without_tag(address: NameAddr) -> str:
    params = {name: value for name, value in address.params.items() if name != "tag"}
    return format_name_addr(NameAddr(address.display, address.uri, params))


class IgnoreOutcome:
    """For requests whose answer changes nothing."""

    __slots__ = ()

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None: ...

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None: ...

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None: ...
