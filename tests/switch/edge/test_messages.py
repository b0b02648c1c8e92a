import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.message_frames import FRAME_BYTES_MAX, FRAME_MESSAGES_MAX, FrameError, encode_frames
from switch.edge.messages import (
    Closed,
    EdgeCounts,
    Failed,
    FromEdge,
    Hello,
    Received,
    Send,
    reader_of_edge,
    reader_of_switch,
)
from switch.sip.flow import TCP, Flow

FLOW = Flow(TCP, "192.0.2.1", 5060, "192.0.2.2", 5060, "ab-1")
flows = st.builds(
    Flow, st.just(TCP), st.text(max_size=20), st.integers(0, 65535), st.text(max_size=20), st.just(5060)
)
from_edge = st.one_of(
    st.builds(Received, flow=flows, data=st.binary(max_size=200)),
    st.builds(Closed, flow=flows),
    st.builds(Failed, flow=flows, reason=st.text(max_size=20)),
    st.builds(Hello, epoch=st.text(max_size=8)),
    st.builds(EdgeCounts, connections=st.integers(0, 2**40)),
)


@given(st.lists(from_edge, max_size=20), st.lists(st.integers(min_value=1, max_value=50), max_size=50))
def test_any_split_of_the_stream_gives_the_same_messages(messages: list[FromEdge], cuts: list[int]) -> None:
    stream = encode_frames(messages)
    reader = reader_of_edge()
    got: list[FromEdge] = []
    at = 0
    for cut in [*cuts, len(stream)]:
        got += reader.feed(stream[at : at + cut])
        at += cut
    assert got == messages


def test_a_flow_comes_back_as_the_same_key() -> None:
    (message,) = reader_of_switch().feed(encode_frames([Send(flow=FLOW, data=b"x")]))
    assert isinstance(message, Send)
    assert isinstance(message.flow, Flow)
    assert {FLOW: 1}[message.flow] == 1


def test_many_messages_travel_in_several_bounded_frames() -> None:
    messages: list[FromEdge] = [Closed(flow=FLOW)] * (FRAME_MESSAGES_MAX * 2 + 1)
    assert reader_of_edge().feed(encode_frames(messages)) == messages


@pytest.mark.parametrize(
    "stream",
    [
        (FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x01\xc1",
        b"\x00\x00\x00\x01\x01",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["too long", "no MessagePack", "no list", "another protocol"],
)
def test_what_is_not_the_protocol_breaks_the_link(stream: bytes) -> None:
    with pytest.raises(FrameError):
        reader_of_switch().feed(stream)


def test_an_edge_of_a_newer_release_may_say_more_than_we_know() -> None:
    payload = msgspec.msgpack.encode([["closed", list(FLOW), "a field of the future"]])
    assert reader_of_edge().feed(len(payload).to_bytes(4, "big") + payload) == [Closed(flow=FLOW)]
