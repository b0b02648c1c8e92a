"""One gate: a browser's ICE and DTLS-SRTP (RFC 8827) on the outer side, plain RTP and RTCP on the inner one.

Packets are decrypted and encrypted, and what they carry is left as it is, so the browser and the telephone agree about
codecs between themselves: Opus, G.722 and G.711, with telephone events. Nothing is transcoded. RTCP crosses, too, so
each end has the other's reports. To the browser, whoever speaks is one stream (one_stream.py).
"""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, cast

import pylibsrtp
from aioice import Candidate
from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)

from media.browser.ice import REMOTE_CANDIDATES_MAX, BrowserIce
from media.browser.messages import Aim, Connect, Gate
from media.browser.one_stream import OneStream

# ICE and DTLS take two tenths of a second; a browser on a bad line repeats for a few seconds.
HANDSHAKE_TIMEOUT_S: Final = 15.0
# An Ethernet frame's; nobody sends sound in more.
PACKET_OCTETS_MAX: Final = 1500
RTP_OCTETS_MIN: Final = 12
RTCP_OCTETS_MIN: Final = 8
RTP_VERSION: Final = 2
# RFC 5761 4: the second octets that mean RTCP where both share a port.
RTCP_TYPES: Final = range(192, 224)
BIND_TRIES_MAX: Final = 20


class GateCounts:
    """Of the whole process."""

    __slots__ = ("connected", "dropped", "lost", "packets_in", "packets_out")

    def __init__(self) -> None:
        self.packets_in = 0
        self.packets_out = 0
        self.connected = 0
        self.lost: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()


class _Path:
    """What RTCDtlsTransport asks of the ICE transport below it."""

    def __init__(self, ice: BrowserIce) -> None:
        self._recv = ice.recv
        self._send = ice.send
        self.role = "controlled"


class _Dtls(RTCDtlsTransport):
    """Hands on what it has decrypted, unread."""

    def __init__(
        self, ice: BrowserIce, certificate: RTCCertificate, heard: Callable[[bytes, bool], None]
    ) -> None:
        super().__init__(cast(Any, _Path(ice)), [certificate])
        self._heard = heard

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        self._heard(data, False)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        self._heard(data, True)


class _Inner(asyncio.DatagramProtocol):
    """One of the two inner ports."""

    def __init__(self, heard: Callable[[bytes, tuple[Any, ...]], None]) -> None:
        self._heard = heard
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._heard(data, addr)


class BrowserGate:
    """`on_connected(gate)`, then perhaps `on_lost(gate, reason)`, each once at most."""

    def __init__(
        self,
        number: int,
        *,
        addresses: list[str],
        ports: range,
        inner_host: str,
        certificate: RTCCertificate,
        counts: GateCounts,
        on_connected: Callable[["BrowserGate"], None],
        on_lost: Callable[["BrowserGate", str], None],
    ) -> None:
        self.number = number
        self.is_taken = False
        self._inner_host = inner_host
        self._counts = counts
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._ice = BrowserIce(addresses, ports, counts.dropped)
        self._dtls = _Dtls(self._ice, certificate, self._from_browser)
        self._stream = OneStream(secrets.randbits(32))
        self._clock = asyncio.get_running_loop().time
        self._rtp: _Inner | None = None
        self._rtcp: _Inner | None = None
        self._rtp_to: tuple[str, int] | None = None
        self._rtcp_to: tuple[str, int] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._is_over = False

    async def open(self) -> Gate:
        """Binds everything. Raises OSError."""
        try:
            await self._ice.gather_candidates()
            port = await self._open_inner()
        except OSError:
            await self.close()
            raise
        return Gate(
            self.number,
            self._ice.local_username,
            self._ice.local_password,
            tuple((each.host, each.port) for each in self._ice.local_candidates),
            self._inner_host,
            port,
        )

    def aim(self, message: Aim) -> None:
        self._rtp_to = (message.host, message.port) if message.port else None
        self._rtcp_to = (message.host, message.rtcp_port) if message.rtcp_port else None

    def connect(self, message: Connect) -> None:
        """Once; a second one would be another browser."""
        if self._connecting is None and not self._is_over:
            self._connecting = asyncio.create_task(self._connect(message), name=f"gate {self.number}")

    async def close(self) -> None:
        """Everything is let go, whatever it was doing."""
        self._is_over = True
        if self._connecting is not None and self._connecting is not asyncio.current_task():
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        for inner in (self._rtp, self._rtcp):
            if inner is not None:
                inner.transport.close()
        with contextlib.suppress(Exception):  # the border: a half-made handshake ends in many ways
            await self._dtls.stop()
        with contextlib.suppress(Exception):
            await self._ice.close()

    async def _open_inner(self) -> int:
        loop = asyncio.get_running_loop()
        for _ in range(BIND_TRIES_MAX):
            transport, rtp = await loop.create_datagram_endpoint(
                lambda: _Inner(self._rtp_from_inside), local_addr=(self._inner_host, 0)
            )
            port: int = transport.get_extra_info("sockname")[1]
            if port % 2 == 0:
                try:
                    _, self._rtcp = await loop.create_datagram_endpoint(
                        lambda: _Inner(self._rtcp_from_inside), local_addr=(self._inner_host, port + 1)
                    )
                except OSError:
                    pass
                else:
                    self._rtp = rtp
                    return port
            transport.close()
        raise OSError("no pair of ports is free")

    async def _connect(self, message: Connect) -> None:
        reason = "not found in time"
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await self._find(message)
                reason = "no handshake in time"
                if await self._shake_hands(message):
                    self._counts.connected += 1
                    self._on_connected(self)
                    return
                reason = "handshake failed"
        except TimeoutError:
            pass
        except Exception as problem:  # noqa: BLE001 - the border: a hostile browser and the libraries
            reason = f"failed: {type(problem).__name__}"
        self._lose(reason)

    async def _find(self, message: Connect) -> None:
        ice = self._ice
        ice.ice_controlling = message.is_controlling
        ice.remote_username, ice.remote_password = message.username, message.password
        for number, (host, port) in enumerate(message.candidates[:REMOTE_CANDIDATES_MAX]):
            candidate = Candidate(
                foundation=str(number),
                component=1,
                transport="udp",
                priority=2_130_706_431 - number,
                host=host,
                port=port,
                type="host",
            )
            await ice.add_remote_candidate(candidate)
        await ice.connect()

    async def _shake_hands(self, message: Connect) -> bool:
        dtls = self._dtls
        dtls._set_role("client" if message.is_dtls_client else "server")
        algorithm, value = message.fingerprint
        await dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(algorithm, value)]))
        if dtls.state != "connected":
            return False
        dtls.on("statechange", self._on_dtls_state)
        return True

    def _on_dtls_state(self) -> None:
        """Connected before: the browser has said goodbye, or answers ICE no more (RFC 7675)."""
        if self._dtls.state in ("closed", "failed"):
            self._lose("gone")

    def _lose(self, reason: str) -> None:
        if not self._is_over:
            self._is_over = True
            self._counts.lost[reason] += 1
            self._on_lost(self, reason)

    # Packets

    def _from_browser(self, data: bytes, is_rtcp: bool) -> None:
        inner, to = (self._rtcp, self._rtcp_to) if is_rtcp else (self._rtp, self._rtp_to)
        if inner is None or to is None or self._is_over:
            self._counts.dropped["nowhere to send"] += 1
            return
        if is_rtcp:
            data = self._stream.rtcp_from_browser(data)
        if not data:
            self._counts.dropped["no RTCP"] += 1
            return
        self._counts.packets_in += 1
        inner.transport.sendto(data, to)

    def _rtp_from_inside(self, data: bytes, address: tuple[Any, ...]) -> None:
        if address != self._rtp_to:
            self._counts.dropped["from elsewhere"] += 1
        elif not _is_packet(data, RTP_OCTETS_MIN) or data[1] in RTCP_TYPES:
            self._counts.dropped["no RTP"] += 1
        else:
            self._to_browser(self._stream.rtp(data, self._clock()), is_rtcp=False)

    def _rtcp_from_inside(self, data: bytes, address: tuple[Any, ...]) -> None:
        if address != self._rtcp_to:
            self._counts.dropped["from elsewhere"] += 1
        elif not _is_packet(data, RTCP_OCTETS_MIN) or data[1] not in RTCP_TYPES:
            self._counts.dropped["no RTCP"] += 1
        else:
            self._to_browser(self._stream.rtcp_to_browser(data), is_rtcp=True)

    def _to_browser(self, data: bytes | None, *, is_rtcp: bool) -> None:
        """Nothing of what the stream left out."""
        srtp = self._dtls._tx_srtp
        if not data:
            return
        if srtp is None:
            self._counts.dropped["not connected"] += 1
            return
        try:
            secured = srtp.protect_rtcp(data) if is_rtcp else srtp.protect(data)
        except (pylibsrtp.Error, TypeError):
            self._counts.dropped["not to be encrypted"] += 1
            return
        if self._ice.send_now(secured):
            self._counts.packets_out += 1


def _is_packet(data: bytes, octets_min: int) -> bool:
    return octets_min <= len(data) <= PACKET_OCTETS_MAX and data[0] >> 6 == RTP_VERSION
