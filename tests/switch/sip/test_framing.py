"""Messages out of a stream: any split gives the same frames; what cannot be framed breaks the stream."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.sip.framing import PING, Frame, FramingLimits, StreamBroken, StreamFramer
from switch.sip.parser import parse_message
from tests.switch.sip.samples import INVITE, invite_bytes, message_bytes

BODY = b"v=0\r\n\r\nINVITE sip:not-a-message SIP/2.0\r\n\r\n"
INVITE_WITH_BODY = invite_bytes(f"Content-Length: {len(BODY)}", body=BODY)
BYE = message_bytes("BYE sip:bob@exchange.example SIP/2.0", *INVITE[1:], "l: 0")
OK = message_bytes("SIP/2.0 200 OK", *INVITE[1:], "CONTENT-LENGTH : 0")


def feed(*pieces: bytes) -> tuple[list[Frame], str | None]:
    """The frames that came out, and the reason of the break if there was one."""
    framer = StreamFramer()
    frames: list[Frame] = []
    for piece in pieces:
        try:
            frames += framer.feed(piece)
        except StreamBroken as broken:
            return frames + broken.frames, broken.reason
    return frames, None


def by_octets(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def test_a_message_is_framed_by_its_content_length() -> None:
    assert feed(INVITE_WITH_BODY) == ([INVITE_WITH_BODY], None)
    assert feed(*by_octets(INVITE_WITH_BODY)) == ([INVITE_WITH_BODY], None)


def test_pipelined_messages_come_out_in_order() -> None:
    stream = (INVITE_WITH_BODY + BYE + OK) * 40
    assert feed(stream) == ([INVITE_WITH_BODY, BYE, OK] * 40, None)


def test_a_double_line_end_between_messages_is_a_ping_and_a_single_one_is_nothing() -> None:
    assert feed(b"\r\n\r\n") == ([PING], None)
    assert feed(b"\r\n", b"\r\n") == ([PING], None)
    assert feed(b"\r\n" + BYE) == ([BYE], None)
    assert feed(b"\r\n", BYE) == ([BYE], None)
    assert feed(BYE + b"\r\n\r\n\r\n" + OK) == ([BYE, PING, OK], None)


PIECES = st.lists(
    st.sampled_from(
        [
            INVITE_WITH_BODY,
            BYE,
            OK,
            b"\r\n",
            b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\r",
            INVITE_WITH_BODY[:99],
        ]
    ),
    max_size=6,
)


@given(PIECES, st.data())
@settings(deadline=None)
def test_any_split_gives_the_same_frames(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    split = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = feed(stream)
    assert feed(*split) == whole
    assert feed(*by_octets(stream)) == whole


@given(st.lists(st.sampled_from([INVITE_WITH_BODY, BYE, OK]), max_size=5))
@settings(deadline=None)
def test_frames_are_the_messages_and_nothing_else(messages: list[bytes]) -> None:
    frames, reason = feed(b"".join(messages))
    assert (frames, reason) == (messages, None)
    for frame in frames:
        assert isinstance(frame, bytes)
        parse_message(frame)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "not SIP"),
        (b"\x16\x03\x01\x02\x00\r\n", "not SIP"),
        (b"INVITE sip:bob@exchange.example\r\n", "not SIP"),
        (b"\nINVITE", "start line too long"),
        (b"\rINVITE", "bare CR between messages"),
        (b"\r\n\rX", "bare CR between messages"),
        (invite_bytes(), "no Content-Length"),
        (invite_bytes("Content-Length: -1"), "Malformed Content-Length"),
        (invite_bytes("Content-Length: 1_0"), "Malformed Content-Length"),
        (invite_bytes("Content-Length: 5", "l: 4"), "Content-Length Fields Differ"),
        (invite_bytes("Content-Length: 999999"), "message too large"),
        (invite_bytes("Content-Length: 99999999999"), "Malformed Content-Length"),
        (invite_bytes("X-One: 1\nContent-Length: 0"), "Line End Other Than CRLF"),
        (invite_bytes("X-One: 1\rContent-Length: 0"), "Line End Other Than CRLF"),
        (invite_bytes(*["X-One: 1"] * 300, "l: 0"), "Too Many Header Fields"),
    ],
)
def test_what_cannot_be_framed_breaks_the_stream(data: bytes, reason: str) -> None:
    data += b"\n" * 9000 if reason == "start line too long" else b""
    frames, found = feed(BYE + data)
    assert frames == [BYE]
    assert found is not None
    assert reason in found


def test_a_broken_stream_stays_broken() -> None:
    framer = StreamFramer()
    for data in (b"GET / HTTP/1.1\r\n", BYE):
        with pytest.raises(StreamBroken, match="not SIP"):
            framer.feed(data)


def test_a_content_length_in_a_body_or_in_another_name_is_none() -> None:
    data = invite_bytes(
        "X-Content-Length: 7", "Content-Length: 19", "X-One: Content-Length: 3", body=b"Content-Length: 0\r\n"
    )
    assert feed(data) == ([data], None)


def test_a_folded_content_length_is_read_as_the_parser_reads_it() -> None:
    data = invite_bytes("Content-Length:", " 3", body=b"v=0")
    assert feed(data + BYE) == ([data, BYE], None)
    assert parse_message(data).body == b"v=0"
    hidden = invite_bytes("X-One: 1", " Content-Length: 3", "Content-Length: 0")
    assert feed(hidden + BYE) == ([hidden, BYE], None)


def test_other_faults_are_left_for_the_parser_to_answer() -> None:
    data = invite_bytes("no colon here", "Content-Length: 0")
    assert feed(data + BYE) == ([data, BYE], None)


class TestLimits:
    limits = FramingLimits(head_bytes_max=500, message_bytes_max=600, start_line_bytes_max=100)

    def head_of(self, size: int) -> bytes:
        return invite_bytes(
            "Content-Length: 0", "Subject: " + "a" * (size - len(invite_bytes("Content-Length: 0")) - 7)
        )

    @pytest.mark.parametrize("is_split", [False, True])
    def test_a_head_may_have_its_limit_and_no_more(self, is_split: bool) -> None:
        for size, fits in ((500, True), (501, False)):
            data = self.head_of(size)
            assert len(data) == size + 4
            framer = StreamFramer(self.limits)
            pieces = by_octets(data) if is_split else [data]
            if fits:
                assert [frame for piece in pieces for frame in framer.feed(piece)] == [data]
            else:
                with pytest.raises(StreamBroken, match="head too large"):
                    for piece in pieces:
                        framer.feed(piece)

    def test_a_message_may_have_its_limit_and_no_more(self) -> None:
        room = 600 - len(invite_bytes("Content-Length: 100"))
        data = invite_bytes(f"Content-Length: {room}", body=b"a" * room)
        assert StreamFramer(self.limits).feed(data) == [data]
        with pytest.raises(StreamBroken, match="message too large"):
            StreamFramer(self.limits).feed(invite_bytes(f"Content-Length: {room + 1}"))

    @pytest.mark.parametrize("is_split", [False, True])
    def test_a_start_line_that_does_not_end_is_cut_off(self, is_split: bool) -> None:
        data = b"A" * 102
        pieces = by_octets(data) if is_split else [data]
        framer = StreamFramer(self.limits)
        with pytest.raises(StreamBroken, match="start line too long"):
            for piece in pieces:
                framer.feed(piece)


@given(st.lists(st.sampled_from([INVITE_WITH_BODY, BYE, b"\r\n", b"\r\n\r\n"]), max_size=5), st.data())
@settings(deadline=None)
def test_only_a_message_that_has_begun_is_a_partial_one(pieces: list[bytes], data: st.DataObject) -> None:
    """Not the line ends of keep-alives, wherever the stream is cut."""
    stream = b"".join(pieces)
    cut = data.draw(st.integers(0, len(stream)))
    at = 0
    is_inside = False
    for piece in pieces:
        is_inside = is_inside or (len(piece) > 4 and at < cut < at + len(piece))
        at += len(piece)
    framer = StreamFramer()
    framer.feed(stream[:cut])
    assert framer.has_partial is is_inside


def test_a_half_sent_message_can_be_told_from_an_idle_stream() -> None:
    framer = StreamFramer()
    assert not framer.has_partial
    framer.feed(b"\r\n")
    assert not framer.has_partial
    framer.feed(b"\r\nBYE")
    assert framer.has_partial
    framer.feed(BYE[3:-1])
    assert framer.has_partial
    framer.feed(BYE[-1:])
    assert not framer.has_partial
