"""Where a request within a dialog goes: RFC 3261 12.2.1.1 and 8.1.2.

The first Route, or else the remote target, is the next hop. That holds for carriers, which spread one dialog over
several hosts; phones are reached by the flow that they registered over, because most sit behind a NAT. What the URI
says is followed where it can be: a URI that names no transport keeps the dialog's, and a connection to the same host
is used again rather than a second one opened (RFC 5923). Pure.
"""

from typing import NamedTuple

from switch.sip.errors import SipParseError
from switch.sip.flow import TCP, TLS, UDP, Flow
from switch.sip.uri import SipUri, Uri, parse_name_addr, parse_uri
from switch.trunks.addresses import is_address
from switch.trunks.locate import SIP_PORT, TLS_PORT, Endpoint, Wanted

_TRANSPORTS = {"udp": UDP, "tcp": TCP, "tls": TLS}


class NextHop(NamedTuple):
    """`host` is an address or a name, `port` 0 and `transport` "" where the URI names none."""

    host: str
    port: int
    transport: str

    @property
    def is_address(self) -> bool:
        return is_address(self.host)

    def endpoint(self, base: Flow) -> Endpoint:
        """For an address: what is not written is as in `base`, or as RFC 3263 4.2 has it."""
        transport = self.transport or base.transport
        return Endpoint(transport, self.host, self.port or (TLS_PORT if transport == TLS else SIP_PORT))

    def wanted(self, base: Flow) -> Wanted:
        """For a name: what to look up."""
        return Wanted(self.host, self.port, self.transport or base.transport)


def next_hop(route_set: list[str], remote_target: str) -> NextHop | None:
    """None where the URI is none that a message can be sent to."""
    try:
        uri = parse_name_addr(route_set[0]).parsed_uri if route_set else parse_uri(remote_target)
    except SipParseError:
        return None
    return hop_of(uri)


def hop_of(uri: Uri) -> NextHop | None:
    """The hop that a SIP URI names. `maddr` is not followed: it is a way to send us anywhere (RFC 3261 19.1.1)."""
    if not isinstance(uri, SipUri):
        return None
    written = (uri.params.get("transport") or "").lower()
    transport = _TRANSPORTS.get(written, "")
    if written and not transport:
        return None
    if uri.scheme == "sips" and transport in ("", TCP):
        transport = TLS
    host = uri.host.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    if not host or uri.port == 0:
        return None
    return NextHop(host, uri.port or 0, transport)


def is_same_way(endpoint: Endpoint, base: Flow) -> bool:
    """Whether `base` leads there: the very address, or a connection to that host."""
    if endpoint.transport != base.transport or endpoint.host != base.remote_host:
        return False
    return endpoint.port == base.remote_port or (base.is_reliable and base.connection != "")
