"""RTP headers: what is read, what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtp import (
    NOT_RTP,
    OVERSIZED,
    PACKET_BYTES_MAX,
    TRUNCATED,
    RtpError,
    RtpPacket,
    format_packet,
    header_problem,
    parse_packet,
)

FIELDS = ("payload_type", "sequence", "timestamp", "ssrc", "payload", "is_marked")
HEADER = b"\x80\x08\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x07"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", TRUNCATED),
        (HEADER[:11], TRUNCATED),
        (HEADER, ""),
        (HEADER + b"x", ""),
        (b"\x00" + HEADER[1:], NOT_RTP),  # STUN begins like this
        (b"\x16\xfe\xfd" + HEADER[3:], NOT_RTP),  # DTLS
        (b"\x40" + HEADER[1:], NOT_RTP),
        (b"\xc0" + HEADER[1:], NOT_RTP),
        (b"\x8f" + HEADER[1:] + b"x" * 59, TRUNCATED),  # 15 CSRCs need 60 octets
        (b"\x8f" + HEADER[1:] + b"x" * 60, ""),
        (b"\x90" + HEADER[1:], TRUNCATED),  # an extension without its header
        (b"\x90" + HEADER[1:] + b"\xbe\xde\x00\x01", TRUNCATED),  # which promises four octets more
        (b"\x90" + HEADER[1:] + b"\xbe\xde\x00\x01xxxx", ""),
        (b"\x90" + HEADER[1:] + b"\xbe\xde\xff\xff" + b"x" * 1000, TRUNCATED),
        (HEADER + b"x" * (PACKET_BYTES_MAX - 12), ""),
        (HEADER + b"x" * (PACKET_BYTES_MAX - 11), OVERSIZED),
    ],
)
def test_a_packet_is_taken_or_has_a_reason(data: bytes, problem: str) -> None:
    assert header_problem(data) == problem
    if problem:
        with pytest.raises(RtpError, match=problem):
            parse_packet(data)
    else:
        parse_packet(data)


def test_the_payload_begins_after_contributors_and_extension() -> None:
    data = b"\x92" + HEADER[1:] + b"c" * 8 + b"\xbe\xde\x00\x02" + b"e" * 8 + b"payload"
    assert parse_packet(data).payload == b"payload"


@given(
    st.integers(0, 127), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1),
    st.binary(max_size=200), st.booleans(),
)  # fmt: skip
def test_format_and_parse_are_inverse(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, is_marked: bool
) -> None:
    packet = RtpPacket(payload_type, sequence, timestamp, ssrc, payload, is_marked=is_marked)
    read = parse_packet(format_packet(packet))
    for name in FIELDS:
        assert getattr(read, name) == getattr(packet, name)


@given(st.binary(max_size=100))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    try:
        packet = parse_packet(data)
    except RtpError as error:
        assert error.reason == header_problem(data) != ""
    else:
        assert header_problem(data) == ""
        assert len(packet.payload) <= len(data) - 12
