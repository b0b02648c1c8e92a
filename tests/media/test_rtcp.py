"""RTCP as it passes: reports, round trips, and ciphertext that is left alone."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtcp import Reports, RoundTrip, parse_reports


def sender_report(ssrc: int, ntp: int, *blocks: tuple[int, int]) -> bytes:
    body = struct.pack("!IIIIII", ssrc, ntp >> 16, (ntp & 0xFFFF) << 16, 0, 0, 0)
    body += b"".join(struct.pack("!IIIIII", 1, 0, 0, 0, *block) for block in blocks)
    return struct.pack("!BBH", 0x80 | len(blocks), 200, len(body) // 4) + body


def receiver_report(ssrc: int, *blocks: tuple[int, int]) -> bytes:
    body = struct.pack("!I", ssrc) + b"".join(struct.pack("!IIIIII", 1, 0, 0, 0, *block) for block in blocks)
    return struct.pack("!BBH", 0x80 | len(blocks), 201, len(body) // 4) + body


SDES = struct.pack("!BBHI", 0x81, 202, 2, 7) + b"\x01\x02ab"


def test_a_compound_packet_is_read_whole() -> None:
    reports = parse_reports(sender_report(7, 0xABCD1234, (0x11, 0x22), (0x33, 0x44)) + SDES)
    assert reports is not None
    assert (reports.ssrc, reports.sent_ntp, reports.answers) == (7, 0xABCD1234, [(0x11, 0x22), (0x33, 0x44)])


def test_a_block_that_answers_no_report_says_nothing() -> None:
    reports = parse_reports(receiver_report(7, (0, 0)))
    assert reports is not None
    assert reports.answers == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\xc9\x00",
        b"\x80\xc9\x00\x01\x00\x00\x00",
        b"\x80\xc9\x00\x02\x00\x00\x00\x07",  # says that it is longer than it is
        b"\x80\xc9\x00\x00\x00\x00\x00\x07",  # has no room for its own SSRC
        b"\x40\xc9\x00\x01\x00\x00\x00\x07",
        b"\x80\x08\x00\x01\x00\x00\x00\x07",
    ],
)
def test_what_is_no_rtcp_is_refused(data: bytes) -> None:
    assert parse_reports(data) is None


def test_an_encrypted_rest_is_not_read() -> None:
    secret = receiver_report(7, (0x11, 0x22)) + b"\x80\x00\x00\x01" + b"t" * 10
    reports = parse_reports(secret)
    assert reports is not None
    assert (reports.ssrc, reports.answers) == (7, [])


def test_a_report_with_fewer_blocks_than_it_says_is_read_as_far_as_it_goes() -> None:
    lying = bytearray(receiver_report(7, (0x11, 0x22)))
    lying[0] = 0x80 | 31
    reports = parse_reports(bytes(lying))
    assert reports is not None
    assert reports.answers == [(0x11, 0x22)]


def test_the_round_trip_is_what_is_left_of_the_answers_delay() -> None:
    trip = RoundTrip()
    sent = parse_reports(sender_report(7, 0xABCD1234))
    answer = parse_reports(receiver_report(8, (0xABCD1234, 5 * 65536)))
    assert sent is not None
    assert answer is not None
    trip.sent(sent, 100.0)
    trip.answered(answer, 105.08)
    assert trip.latest_s == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("last_sr", "delay_s", "arrives_at"),
    [
        (0x1, 0.0, 100.1),  # to a report that nobody sent
        (0xABCD1234, 1.0, 100.1),  # it would have left before it came
        (0xABCD1234, 0.0, 150.0),
    ],
)
def test_an_answer_that_cannot_be_is_no_round_trip(last_sr: int, delay_s: float, arrives_at: float) -> None:
    trip = RoundTrip()
    sent, answer = Reports(7), Reports(8)
    sent.sent_ntp = 0xABCD1234
    answer.answers.append((last_sr, int(delay_s * 65536)))
    trip.sent(sent, 100.0)
    trip.answered(answer, arrives_at)
    assert trip.latest_s == 0.0


def test_only_the_last_reports_are_remembered() -> None:
    trip = RoundTrip()
    for ntp in range(1, 1000):
        sent = Reports(7)
        sent.sent_ntp = ntp
        trip.sent(sent, float(ntp))
    assert len(trip._sent_at) == RoundTrip.REPORTS_KEPT


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    for head in (b"", b"\x81\xc8\x00\x06", b"\x9f\xc9\x00\x01"):
        reports = parse_reports(head + data)
        if reports is not None:
            assert len(reports.answers) <= len(head + data) // 24
