"""TLS and WebSocket without a socket: what comes out is what went in, and hostile bytes end in one way only."""

import ssl

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from switch.conf_edge import WebSocket
from switch.edge.tls_layer import TlsBroken, TlsLayer
from switch.edge.websocket_layer import REQUEST_BYTES_MAX, WebSocketLayer, WebSocketRefused
from switch.sip.framing import PING, StreamBroken

CA = trustme.CA()
SERVER = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CA.issue_cert("sip.example.com").configure_cert(SERVER)
CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CA.configure_trust(CLIENT)
CLIENT.check_hostname = False

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MASK = b"\x01\x02\x03\x04"


def secured() -> tuple[TlsLayer, TlsLayer]:
    """A client and a server that have shaken hands."""
    client, server = TlsLayer(CLIENT, is_server=False), TlsLayer(SERVER, is_server=True)
    client.start()
    for _ in range(3):
        server.receive(client.outgoing())
        client.receive(server.outgoing())
    assert client.is_secured
    assert server.is_secured
    return client, server


@given(st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=5), st.integers(1, 500))
def test_any_split_of_the_records_gives_the_same_bytes(said: list[bytes], cut: int) -> None:
    client, server = secured()
    for data in said:
        client.encrypt(data)
    sent = client.outgoing()
    heard = b"".join(server.receive(sent[at : at + cut]) for at in range(0, len(sent), cut))
    assert heard == b"".join(said)


def test_a_goodbye_is_heard_as_the_end() -> None:
    client, server = secured()
    client.encrypt(b"last words")
    client.say_goodbye()
    assert server.receive(client.outgoing()) == b"last words"
    assert server.is_ended


@given(st.binary(min_size=1, max_size=300))
def test_hostile_bytes_break_tls_in_one_way_only(data: bytes) -> None:
    fresh = TlsLayer(SERVER, is_server=True)
    _, server = secured()
    for layer in (fresh, server):
        try:
            assert layer.receive(data) == b""
        except TlsBroken as broken:
            assert str(broken).isprintable()


def masked(first: int, payload: bytes) -> bytes:
    """A short frame of a client."""
    body = bytes(octet ^ MASK[at % 4] for at, octet in enumerate(payload))
    return bytes([first, 0x80 | len(payload)]) + MASK + body


def opened() -> WebSocketLayer:
    layer = WebSocketLayer(WebSocket())
    assert layer.feed(UPGRADE) == []
    assert layer.outgoing().startswith(b"HTTP/1.1 101 ")
    assert layer.is_open
    return layer


@given(st.integers(1, 40))
def test_any_split_of_the_frames_gives_the_same_messages(cut: int) -> None:
    layer = opened()
    sent = (
        masked(0x81, b"first") + masked(0x02, b"sec") + masked(0x89, b"ping") + masked(0x80, b"ond")
        + masked(0x81, b"\r\n\r\n") + masked(0x82, b"\r\n") + masked(0x81, "größe".encode())
    )  # fmt: skip
    frames = [frame for at in range(0, len(sent), cut) for frame in layer.feed(sent[at : at + cut])]
    assert frames == [b"first", b"second", PING, "größe".encode()]
    assert layer.outgoing() == b"\x8a\x04ping"
    assert not layer.has_partial


def test_half_a_message_is_known_to_be_half() -> None:
    layer = opened()
    assert layer.feed(masked(0x01, b"half")) == []
    assert layer.has_partial
    assert layer.feed(masked(0x80, b"whole")) == [b"halfwhole"]
    assert not layer.has_partial
    layer.feed(masked(0x81, b"stalls")[:7])
    assert layer.has_partial


@given(st.binary(max_size=400), st.booleans())
def test_hostile_bytes_break_a_websocket_in_one_way_only(data: bytes, is_open: bool) -> None:
    layer = opened() if is_open else WebSocketLayer(WebSocket())
    try:
        frames = layer.feed(data)
    except StreamBroken:
        return
    assert is_open or not frames


@given(st.integers(0, len(UPGRADE) - 1), st.binary(max_size=4))
def test_a_mutated_handshake_is_taken_or_refused(at: int, instead: bytes) -> None:
    layer = WebSocketLayer(WebSocket())
    try:
        layer.feed(UPGRADE[:at] + instead + UPGRADE[at + 1 :])
    except WebSocketRefused:
        assert layer.outgoing()[:12] != b"HTTP/1.1 101"
    except StreamBroken:
        pass


def test_the_handshake_has_a_limit() -> None:
    layer = WebSocketLayer(WebSocket())
    layer.feed(b"GET / HTTP/1.1\r\n")
    with pytest.raises(StreamBroken):
        for _ in range(REQUEST_BYTES_MAX):
            layer.feed(b"X: 0\r\n")
