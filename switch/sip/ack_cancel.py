"""The two requests copied from an INVITE: the ACK of a non-2xx and the CANCEL (RFC 3261 17.1.1.3, 9.1).

Both carry the INVITE's top Via, branch and all, because by it the peer finds the transaction. The ACK of a
2xx is a request of the dialog (`dialog.py`).
"""

from collections.abc import Iterable
from typing import Final

from switch.sip.headers import Headers
from switch.sip.message import Request, Response

MAX_FORWARDS: Final = "70"


def make_ack(invite: Request, response: Response) -> Request:
    """17.1.1.3: To is the response's, all else the INVITE's."""
    return _copy(invite, "ACK", to=response.headers.get("to") or "", extra=())


def make_cancel(invite: Request, headers: Iterable[tuple[str, str]] = ()) -> Request:
    """9.1: To is the INVITE's, without a tag if that had none. `headers` may add a Reason (RFC 3326)."""
    return _copy(invite, "CANCEL", to=invite.headers.get("to") or "", extra=headers)


def _copy(invite: Request, method: str, *, to: str, extra: Iterable[tuple[str, str]]) -> Request:
    source = invite.headers
    headers = Headers()
    headers.add("via", source.first_value("via") or "")
    for route in source.get_all("route"):
        headers.add("route", route)
    headers.add("max-forwards", MAX_FORWARDS)
    headers.add("from", source.get("from") or "")
    headers.add("to", to)
    headers.add("call-id", invite.call_id)
    headers.add("cseq", f"{invite.cseq.number} {method}")
    for name, value in extra:
        headers.add(name, value)
    return Request(method, invite.uri, headers)
