"""ICE for one browser (RFC 8445): aioice on the addresses and ports that the operator gave. No server is ever asked.

What is not STUN is taken only from an address that a check was made with, and only so much of it at once: aioice would
keep everything that anybody sends.
"""

import asyncio
import random
from collections import Counter
from typing import Any, Final, cast

from aioice import Candidate, Connection
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol

# A second of sound with RTCP, and more than a DTLS handshake; past it the process is too slow, and old sound is noise.
WAITING_MAX: Final = 64
# Each candidate of a browser is paired with each of ours, and each pair is asked: more would make us a nuisance.
REMOTE_CANDIDATES_MAX: Final = 16
BIND_TRIES_MAX: Final = 20
STUN_FIRST_OCTET_MAX: Final = 3  # RFC 7983 7


class BrowserIce(Connection):  # type: ignore[misc, unused-ignore]
    """One gate's. `addresses` are literals to bind."""

    def __init__(self, addresses: list[str], ports: range, dropped: Counter[str]) -> None:
        super().__init__(ice_controlling=False)
        self._addresses = addresses
        self._ports = ports
        self._dropped = dropped

    async def gather_candidates(self) -> None:
        self._local_candidates_start = True
        for address in self._addresses:
            protocol = await self._bind(address)
            host, port = protocol.transport.get_extra_info("sockname")[:2]
            protocol.local_candidate = Candidate(
                foundation=candidate_foundation("host", "udp", host),
                component=1,
                transport="udp",
                priority=candidate_priority(1, "host"),
                host=host,
                port=port,
                type="host",
            )
            self._protocols.append(protocol)
            self._local_candidates.append(protocol.local_candidate)
        self._local_candidates_end = True

    async def _bind(self, address: str) -> StunProtocol:
        loop = asyncio.get_running_loop()
        for left in reversed(range(BIND_TRIES_MAX)):
            port = random.choice(self._ports)  # noqa: S311 - nothing is secret about a port
            try:
                _, protocol = await loop.create_datagram_endpoint(
                    lambda: _KnownPeers(self), local_addr=(address, port)
                )
            except OSError:
                if not left:
                    raise
            else:
                return protocol
        raise AssertionError("the last try raises")

    def data_received(self, data: bytes, component: int) -> None:
        if self._queue.qsize() >= WAITING_MAX:
            self._dropped["too much at once"] += 1
        else:
            super().data_received(data, component)

    def send_now(self, data: bytes) -> bool:
        """To the browser by the path that was found; False without one."""
        pair = self._nominated.get(1)
        if pair is None:
            return False
        pair.protocol.transport.sendto(data, pair.remote_addr)
        return True

    def knows(self, address: tuple[str, int]) -> bool:
        pair = self._nominated.get(1)
        if pair is not None and pair.remote_addr == address:
            return True
        return any(pair.remote_addr == address for pair in self._check_list)

    def drop(self, reason: str) -> None:
        self._dropped[reason] += 1


class _KnownPeers(StunProtocol):  # type: ignore[misc, unused-ignore]
    """Lets nothing in but STUN, and what comes from a browser that STUN has found."""

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        ice = cast(BrowserIce, self.receiver)
        octets = cast(bytes, data)
        if not octets:
            ice.drop("empty")
        elif octets[0] > STUN_FIRST_OCTET_MAX and not ice.knows((addr[0], addr[1])):
            ice.drop("stranger")
        else:
            super().datagram_received(data, addr)
