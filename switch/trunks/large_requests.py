"""Requests of more than 1300 bytes go by TCP where the peer takes it: RFC 3261 18.1.1. Pure.

Only towards carriers: a phone is reached by the flow that it registered over. A first INVITE finds out whether a
carrier takes TCP, and goes by UDP again when it does not (switch/calls/callee_leg.py); everything else goes by TCP only
where that is known. A carrier without TCP is left in peace for a while.
"""

from collections.abc import Callable
from typing import Final, Protocol

from switch.sip.flow import TCP, Flow
from switch.sip.message import Request
from switch.trunks.locate import Reach

NO_TCP_S: Final = 1800.0  # how long a carrier that refused a connection is not asked for one
KNOWN_S: Final = 86_400.0
PEERS_MAX: Final = 10_000  # addresses of carriers; the table begins anew beyond it


class _Network(Protocol):
    @property
    def reach(self) -> Reach: ...

    def flow_to(self, transport: str, host: str, port: int) -> Flow: ...


class LargeRequests:
    """`is_carriers(host, port)` tells whether an address is a trunk's."""

    __slots__ = ("_is_carriers", "_network", "_no_tcp_until", "_takes_tcp_until", "by_tcp", "fell_back")

    def __init__(self, network: _Network, is_carriers: Callable[[str, int], bool]) -> None:
        self._network = network
        self._is_carriers = is_carriers
        self._no_tcp_until: dict[tuple[str, int], float] = {}
        self._takes_tcp_until: dict[tuple[str, int], float] = {}
        self.by_tcp = 0
        self.fell_back = 0

    def stream_for(self, request: Request, flow: Flow, now: float) -> Flow | None:
        """The TCP flow for a large request that was to go over UDP, or None to leave it there."""
        peer = (flow.remote_host, flow.remote_port)
        if TCP not in self._network.reach.transports or self._no_tcp_until.get(peer, now) > now:
            return None
        if not self._is_carriers(*peer):
            return None
        may_find_out = request.method == "INVITE" and request.to_tag is None
        if not may_find_out and self._takes_tcp_until.get(peer, now) <= now:
            return None
        self.by_tcp += 1
        return self._network.flow_to(TCP, flow.remote_host, flow.remote_port)

    def takes_tcp(self, flow: Flow, now: float) -> None:
        """It answered over TCP."""
        self._note(self._takes_tcp_until, flow, now + KNOWN_S)

    def takes_no_tcp(self, flow: Flow, now: float) -> None:
        """No connection: the request goes by UDP after all."""
        self.fell_back += 1
        self._takes_tcp_until.pop((flow.remote_host, flow.remote_port), None)
        self._note(self._no_tcp_until, flow, now + NO_TCP_S)

    @staticmethod
    def _note(table: dict[tuple[str, int], float], flow: Flow, until: float) -> None:
        if len(table) >= PEERS_MAX:
            table.clear()
        table[flow.remote_host, flow.remote_port] = until
