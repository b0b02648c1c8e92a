"""SIP over WebSocket at the edge (RFC 7118), with somebody else's client: the `websockets` library."""

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from switch.conf_edge import WebSocket
from switch.edge.limits import FILES_LOOK_EVERY_S, EdgeLimits
from switch.sip.flow import WS, WSS, Flow
from tests.wire.certificates import Authority
from tests.wire.edges import MESSAGE, WAIT_S, EdgeHere, edge_and_switch, is_cut_off, run, until
from tests.wire.test_edge_tls import tls_lines

pytestmark = pytest.mark.wire

SIP = [Subprotocol("sip")]
PAGE = "https://phone.example.co.uk"
REQUEST = (
    "OPTIONS sip:example.com SIP/2.0\r\n"
    "Via: SIP/2.0/WS 5tj9r0qk1.invalid;branch=z9hG4bK%d\r\n"
    "Max-Forwards: 70\r\n\r\n"
)


def here(rules: WebSocket | None = None, limits: EdgeLimits | None = None) -> EdgeHere:
    return EdgeHere(limits or EdgeLimits(), transport=WS, websocket=rules)


@contextlib.asynccontextmanager
async def browser(port: int, path: str = "/", origin: str | None = None) -> AsyncIterator[ClientConnection]:
    name = None if origin is None else Origin(origin)
    async with connect(
        f"ws://127.0.0.1:{port}{path}", subprotocols=SIP, origin=name, proxy=None, ping_interval=None
    ) as client:
        yield client


async def read(client: ClientConnection) -> str | bytes:
    return await asyncio.wait_for(client.recv(), WAIT_S)


def test_each_message_is_one_message_in_both_directions(tmp_path: Path) -> None:
    async def test() -> None:
        async with (
            edge_and_switch(tmp_path, 'ws = ["127.0.0.1:{ws}"]') as (edge, switch),
            browser(edge.ports["ws"]) as client,
        ):
            assert client.subprotocol == "sip"
            assert "sec-websocket-extensions" not in client.response.headers
            await client.send(REQUEST % 1)
            await client.send((REQUEST % 2).encode())
            await until(lambda: len(switch.messages) == 2)
            assert [data for data, _ in switch.messages] == [(REQUEST % number).encode() for number in (1, 2)]
            flow = switch.messages[0][1]
            assert (flow.transport, flow.remote_host, flow.local_port) == (WS, "127.0.0.1", edge.ports["ws"])
            switch.link.send(flow, "SIP/2.0 200 Größe\r\n\r\n".encode())
            switch.link.send(flow, b"SIP/2.0 200 \xff\r\n\r\n")
            assert await read(client) == "SIP/2.0 200 Größe\r\n\r\n"
            assert await read(client) == b"SIP/2.0 200 \xff\r\n\r\n"
            await client.close()
            await until(lambda: switch.closed == [flow])

    run(test)


def test_the_same_over_tls(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        tls = authority.tls(authority.issue("us", "sip.example.com"))
        async with edge_and_switch(tmp_path, 'wss = ["127.0.0.1:{wss}"]', tls_lines(tls)) as (edge, switch):
            async with connect(
                f"wss://127.0.0.1:{edge.ports['wss']}/",
                ssl=authority.client(), server_hostname="sip.example.com", subprotocols=SIP, proxy=None,
            ) as client:  # fmt: skip
                await client.send(REQUEST % 1)
                await until(lambda: switch.messages)
                flow = switch.messages[0][1]
                assert flow.transport == WSS
                switch.link.send(flow, b"x" * 100_000)
                assert await read(client) == "x" * 100_000
            await until(lambda: switch.closed == [flow])

    run(test)


@pytest.mark.parametrize(
    ("origins", "origin", "is_served"),
    [
        (("",), None, True),
        (("",), PAGE, False),
        ((PAGE,), PAGE, True),
        ((PAGE,), None, False),
        ((PAGE,), "https://phone.example.co.uk.example", False),
        ((PAGE,), "http://phone.example.co.uk", False),
        ((PAGE,), "null", False),
        ((PAGE, ""), None, True),
    ],
)
def test_pages_that_are_not_listed_are_refused(
    origins: tuple[str, ...], origin: str | None, is_served: bool
) -> None:
    async def test() -> None:
        async with here(WebSocket(origins=origins)) as served:
            if is_served:
                async with browser(served.port, origin=origin) as client:
                    await client.send(REQUEST % 1)
                    await until(lambda: served.edge.counts.messages_in == 1)
                return
            with pytest.raises(InvalidStatus) as refused:
                async with browser(served.port, origin=origin):
                    pass
            assert refused.value.response.status_code == 403
            await until(lambda: not served.edge.connections())
            assert served.edge.counts.refused_websocket == 1

    run(test)


def test_a_page_that_is_listed_later_is_served_without_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path, 'ws = ["127.0.0.1:{ws}"]') as (edge, switch):
            with pytest.raises(InvalidStatus):
                async with browser(edge.ports["ws"], origin=PAGE):
                    pass
            file = edge.conf / "offhook.toml"
            file.write_text("this is [no TOML")
            await asyncio.sleep(FILES_LOOK_EVERY_S * 3)
            text = "\n".join(
                ["[listen]", "udp = []", f'ws = ["127.0.0.1:{edge.ports["ws"]}"]', "[websocket]"]
            )
            file.write_text(f'{text}\norigins = ["{PAGE}"]\n')
            async with asyncio.timeout(WAIT_S):
                while True:
                    with contextlib.suppress(InvalidStatus):
                        async with browser(edge.ports["ws"], origin=PAGE) as client:
                            await client.send(REQUEST % 1)
                            await until(lambda: switch.messages)
                            return
                    await asyncio.sleep(0.1)

    run(test)


def test_another_path_is_404() -> None:
    async def test() -> None:
        async with here(WebSocket(path="/sip")) as served:
            with pytest.raises(InvalidStatus) as refused:
                async with browser(served.port, "/"):
                    pass
            assert refused.value.response.status_code == 404
            assert served.edge.counts.refused_websocket == 1
            async with browser(served.port, "/sip?from=page") as client:
                await client.send(REQUEST % 1)
                await until(lambda: served.edge.counts.messages_in == 1)

    run(test)


@pytest.mark.parametrize("offered", [None, [Subprotocol("mqtt")]])
def test_a_client_that_does_not_offer_sip_is_refused(offered: list[Subprotocol] | None) -> None:
    async def test() -> None:
        async with here() as served:
            with pytest.raises(InvalidStatus) as refused:
                async with connect(f"ws://127.0.0.1:{served.port}/", subprotocols=offered, proxy=None):
                    pass
            assert refused.value.response.status_code == 400
            assert served.edge.counts.refused_websocket == 1

    run(test)


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", MESSAGE % 1, b"\x16\x03\x01\x00\x05hello\r\n\r\n"],
    ids=["no upgrade", "plain SIP", "TLS"],
)
def test_what_is_no_websocket_is_refused(said: bytes) -> None:
    async def test() -> None:
        async with here() as served:
            peer = await served.connect()
            peer.writer.write(said)
            while not await is_cut_off(peer):
                pass
            assert served.edge.counts.refused_websocket == 1
            assert served.edge.counts.messages_in == 0

    run(test)


def test_a_handshake_that_grows_for_ever_is_cut() -> None:
    async def test() -> None:
        async with here() as served:
            peer = await served.connect()
            peer.writer.write(b"GET / HTTP/1.1\r\n" + b"X-Filler: 0123456789\r\n" * 100_000)
            assert await is_cut_off(peer)
            assert served.edge.counts.closed_broken_stream == 1

    run(test)


def test_a_handshake_that_stalls_is_cut() -> None:
    async def test() -> None:
        async with here(limits=EdgeLimits(handshake_s=0.2)) as served:
            peer = await served.connect()
            peer.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
            async with browser(served.port) as client:
                assert await is_cut_off(peer)
                assert served.edge.counts.closed_handshake == 1
                await client.send(REQUEST % 1)
                await until(lambda: served.edge.counts.messages_in == 1)

    run(test)


def test_pings_of_either_kind_are_answered_and_trouble_nobody() -> None:
    async def test() -> None:
        async with here() as served, browser(served.port) as client:
            await asyncio.wait_for(await client.ping(), WAIT_S)
            await client.send("\r\n\r\n")
            assert await read(client) == "\r\n"
            await client.send("\r\n")
            await client.send("")
            await client.send(REQUEST % 1)
            await until(lambda: served.edge.counts.messages_in == 1)
            assert served.edge.counts.pings == 1

    run(test)


def test_fragments_are_put_together() -> None:
    async def test() -> None:
        async with here() as served, browser(served.port) as client:
            text = REQUEST % 1
            await client.send([text[:10], text[10:40], text[40:]])
            await until(lambda: served.edge.counts.messages_in == 1)

    run(test)


async def close_code(client: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        await read(client)
    assert closed.value.rcvd is not None
    return int(closed.value.rcvd.code)


@pytest.mark.parametrize(
    ("sent", "code"),
    [(["x" * 300_000], 1009), (["x"] * 65, 1009), ([b"x" * 200_000, b"x" * 200_000], 1009)],
    ids=["too large", "too many pieces", "too large in pieces"],
)
def test_a_message_beyond_the_limits_ends_the_connection(sent: list[str] | list[bytes], code: int) -> None:
    async def test() -> None:
        async with here() as served, browser(served.port) as client:
            with contextlib.suppress(ConnectionClosed):
                await client.send(sent[0] if len(sent) == 1 else sent)
            assert await close_code(client) == code
            await until(lambda: not served.edge.connections())
            assert served.edge.counts.closed_broken_stream == 1
            assert served.edge.counts.messages_in == 0

    run(test)


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Key: %b\r\n\r\n" % base64.b64encode(os.urandom(16))
)
MASK = b"\0\0\0\0"


@pytest.mark.parametrize(
    ("frame", "code"),
    [(b"\x81\x05hello", 1002), (b"\x81\x82" + MASK + b"\xff\xfe", 1007), (b"\xc1\x81" + MASK + b"x", 1002)],
    ids=["not masked", "text that is no UTF-8", "compressed unasked"],
)
def test_a_breach_of_the_protocol_is_told_by_its_code(frame: bytes, code: int) -> None:
    async def test() -> None:
        async with here() as served:
            peer = await served.connect()
            peer.writer.write(UPGRADE)
            assert (await peer.read_some()).startswith(b"HTTP/1.1 101 ")
            peer.writer.write(frame)
            frames = await peer.read_some()
            assert frames[:1] == b"\x88"
            assert int.from_bytes(frames[2:4], "big") == code

    run(test)


def test_half_a_message_does_not_keep_a_connection() -> None:
    async def test() -> None:
        async with here(limits=EdgeLimits(half_message_s=0.2)) as served:
            peer = await served.connect()
            peer.writer.write(UPGRADE + b"\x81\xfe\x10\x00" + MASK + b"INVITE")
            assert (await peer.read_some()).startswith(b"HTTP/1.1 101 ")
            assert await is_cut_off(peer)
            assert served.edge.counts.closed_half_message == 1

    run(test)


def test_a_browser_cannot_be_dialled(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path) as (_, switch):
            flow = Flow(WSS, "127.0.0.1", 443, "127.0.0.1", 8443)
            switch.link.send(flow, b"INVITE")
            await until(lambda: switch.failed == [flow])

    run(test)


def test_when_the_edge_ends_browsers_are_told_that_it_goes_away(tmp_path: Path) -> None:
    async def test() -> None:
        async with (
            edge_and_switch(tmp_path, 'ws = ["127.0.0.1:{ws}"]') as (edge, switch),
            browser(edge.ports["ws"]) as client,
        ):
            await client.send(REQUEST % 1)
            await until(lambda: switch.messages)
            await edge.stop()
            assert await close_code(client) == 1001

    run(test)
