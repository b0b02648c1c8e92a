"""A dialog: what two user agents must remember to send each other requests (RFC 3261 12).

Tags, CSeq, route set and remote target, made from the request and the response that began it, on either side.
A dialog can be written down whole (`state`) and made again after a restart, BYE and all. Left out: what the
dialog is for (the leg's business), and finding it: its `key` is what a table of dialogs is keyed by.
"""

from typing import Final

from switch.sip.dialog_state import DialogState
from switch.sip.errors import SipParseError
from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.message import Request, Response
from switch.sip.uri import NameAddr, SipUri, format_name_addr, format_uri, parse_name_addr

DialogKey = tuple[str, str, str | None]  # Call-ID, local tag, remote tag (None: an RFC 2543 peer without one)

MAX_FORWARDS: Final = 70  # 8.1.1.6; a B2BUA that passes a request on gives the smaller one it received


class Dialog:
    """One side's view.

    `local` and `remote` are name-addrs without tag, `route_set` holds name-addrs, next hop first, and `flow`
    is where its requests go. `fallback_flow` is where they went before the next hop was another (8.1.2), if it is.
    """

    __slots__ = (
        "call_id",
        "fallback_flow",
        "flow",
        "is_early",
        "local",
        "local_cseq",
        "local_tag",
        "remote",
        "remote_cseq",
        "remote_tag",
        "remote_target",
        "route_set",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local_tag: str,
        remote_tag: str | None,
        local: str,
        remote: str,
        local_cseq: int,
        remote_cseq: int | None,
        route_set: list[str],
        remote_target: str,
        flow: Flow,
        is_early: bool,
        fallback_flow: Flow | None = None,
    ) -> None:
        self.call_id = call_id
        self.local_tag = local_tag
        self.remote_tag = remote_tag
        self.local = local
        self.remote = remote
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.route_set = route_set
        self.remote_target = remote_target
        self.flow = flow
        self.is_early = is_early
        self.fallback_flow = fallback_flow

    @classmethod
    def from_request(cls, request: Request, local_tag: str, flow: Flow) -> "Dialog":
        """The UAS's side (12.1.1), early until its owner says it is not.

        Raises SipParseError (400) for a request without Contact.
        """
        contact = request.contact
        if contact is None:
            raise SipParseError(400, "Missing Contact", request)
        return cls(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=request.from_tag,
            local=_without_tag(request.to),
            remote=_without_tag(request.from_),
            local_cseq=0,
            remote_cseq=request.cseq.number,
            route_set=_record_routes(request),
            remote_target=contact.uri,
            flow=flow,
            is_early=True,
        )

    @classmethod
    def from_response(cls, request: Request, response: Response, flow: Flow) -> "Dialog":
        """The UAC's side (12.1.2), from a response to our request, early when that is provisional.

        A peer that leaves Contact out of its response is reached where the request went. Its name is the one that we
        called it by: a response must repeat that, and what another says may be no URI at all.
        """
        contact = response.contact
        local_tag = request.from_tag
        assert local_tag is not None  # we wrote it
        return cls(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=response.to_tag,
            local=_without_tag(request.from_),
            remote=_without_tag(request.to),
            local_cseq=request.cseq.number,
            remote_cseq=None,
            route_set=_record_routes(response)[::-1],
            remote_target=request.uri if contact is None else contact.uri,
            flow=flow,
            is_early=response.status < 200,
        )

    @classmethod
    def from_state(cls, state: DialogState) -> "Dialog":
        """As it was when `state` was taken."""
        return cls(
            call_id=state.call_id,
            local_tag=state.local_tag,
            remote_tag=state.remote_tag,
            local=state.local,
            remote=state.remote,
            local_cseq=state.local_cseq,
            remote_cseq=state.remote_cseq,
            route_set=list(state.route_set),
            remote_target=state.remote_target,
            flow=state.flow,
            is_early=state.is_early,
            fallback_flow=state.fallback_flow,
        )

    def state(self) -> DialogState:
        """A copy to keep."""
        return DialogState(
            self.call_id,
            self.local_tag,
            self.remote_tag,
            self.local,
            self.remote,
            self.local_cseq,
            self.remote_cseq,
            list(self.route_set),
            self.remote_target,
            self.flow,
            self.is_early,
            self.fallback_flow,
        )

    @property
    def key(self) -> DialogKey:
        return (self.call_id, self.local_tag, self.remote_tag)

    def confirm(self, response: Response) -> None:
        """The UAC's early dialog got its 2xx: target and route set are those of the 2xx (13.2.2.4)."""
        self.is_early = False
        self.route_set = _record_routes(response)[::-1]
        self.refresh_target(response.contact)

    def refresh_target(self, contact: NameAddr | None) -> None:
        """The Contact of a target refresh request or its 2xx (12.2); nothing changes without one."""
        if contact is not None:
            self.remote_target = contact.uri

    def accept_request(self, request: Request) -> int | None:
        """12.2.2, for any request of the peer but ACK and CANCEL: None, or 500 when it is out of order.

        An equal CSeq is out of order, too: a repeat would have been absorbed by its transaction. But a BYE is let
        through with one, as 12.2.2 refuses lower ones only: a peer that forgot to count would else pay on for a call
        that it has left.
        """
        number, last = request.cseq.number, self.remote_cseq
        if last is not None and (number < last or (number == last and request.method != "BYE")):
            return 500
        self.remote_cseq = number
        return None

    def create_request(
        self, method: str, *, contact: str | None, max_forwards: int = MAX_FORWARDS
    ) -> Request:
        """The next request of ours (12.2.1.1), all but Via; `contact` is the whole value of that field."""
        self.local_cseq += 1
        return self._request(method, self.local_cseq, contact, max_forwards)

    def create_ack(self, cseq_number: int, *, max_forwards: int = MAX_FORWARDS) -> Request:
        """The ACK of the 2xx to our INVITE with that CSeq number (13.2.2.4)."""
        return self._request("ACK", cseq_number, None, max_forwards)

    def _request(self, method: str, cseq_number: int, contact: str | None, max_forwards: int) -> Request:
        uri, routes = self._target_and_routes()
        lines = [f"Route: {route}" for route in routes]
        lines += (
            f"Max-Forwards: {max_forwards}",
            f"From: {self.local};tag={self.local_tag}",
            f"To: {self.remote}" if self.remote_tag is None else f"To: {self.remote};tag={self.remote_tag}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq_number} {method}",
        )
        if contact is not None:
            lines.append(f"Contact: {contact}")
        return Request(method, uri, Headers.from_lines(lines))

    def _target_and_routes(self) -> tuple[str, list[str]]:
        """12.2.1.1: a strict router (a first route without `lr`) wants itself in the Request-URI."""
        routes = self.route_set
        if not routes:
            return self.remote_target, routes
        first = parse_name_addr(routes[0])
        uri = first.parsed_uri
        if not isinstance(uri, SipUri) or "lr" in uri.params:
            return self.remote_target, routes
        # 19.1.1: neither a method nor header components in a Request-URI
        params = {name: value for name, value in uri.params.items() if name != "method"}
        target = SipUri(uri.scheme, uri.user, uri.password, uri.host, uri.port, params)
        return format_uri(target), [*routes[1:], f"<{self.remote_target}>"]


def _record_routes(message: Request | Response) -> list[str]:
    return message.headers.values("record-route") if "record-route" in message.headers else []


def _without_tag(address: NameAddr) -> str:
    params = {name: value for name, value in address.params.items() if name != "tag"}
    return format_name_addr(NameAddr(address.display, address.uri, params))
