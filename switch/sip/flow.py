"""Where a message came from and where one goes: RFC 3261 18, RFC 5626's word for it.

A UDP flow is a local listener and a remote address. A stream flow also names the connection; an empty
connection asks the edge to open one (or reuse one) to the remote address.
"""

from typing import Final, NamedTuple

# The words of a Via's sent-protocol (RFC 3261 20.42, RFC 7118 5.1).
UDP: Final = "UDP"
TCP: Final = "TCP"
TLS: Final = "TLS"
WS: Final = "WS"
WSS: Final = "WSS"
SECURE: Final = frozenset({TLS, WSS})
# Only browsers open them, and any page that a browser shows can: they prove nothing by where they come from.
WEBSOCKETS: Final = frozenset({WS, WSS})


class Flow(NamedTuple):
    """A path to a peer. Hashable and compared by value, so it can key a table."""

    transport: str
    remote_host: str
    remote_port: int
    local_host: str
    local_port: int
    connection: str = ""

    @property
    def is_reliable(self) -> bool:
        return self.transport != UDP

    @property
    def is_secure(self) -> bool:
        """Whether nobody on the way can read it."""
        return self.transport in SECURE


def is_same_peer(one: Flow, other: Flow) -> bool:
    """The same path to a peer, wherever it arrives here: address and port, and over a stream the connection.

    A connection that one of the two leaves open is any to that address.
    """
    if one == other:
        return True
    if one[:3] != other[:3]:
        return False
    return one.connection == other.connection or not one.connection or not other.connection
