import ipaddress
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.care.stories import ALICE, INVITE, START_US, message
from traces import hep
from traces.call_trace import TraceFlow, TraceMessage

SIX = TraceFlow("TLS", "2001:db8::10", 40_000, "2001:db8::1", 5061)


def packet(
    *, flow: TraceFlow = ALICE, is_sent: bool = False, data: bytes | None = None, **facts: object
) -> bytes:
    one = TraceMessage(START_US + 123_456, is_sent, 0, 0, message(INVITE) if data is None else data)
    return hep.hep_packet(one, flow, facts.get("correlation_id", "c1"), capture_id=facts.get("capture_id", 2001),
                          password=facts.get("password", "secret"))  # fmt: skip


def test_a_received_message_comes_from_its_peer():
    chunks = hep.read_hep(packet())
    assert chunks[hep.SOURCE_IPV4] == ipaddress.ip_address("192.0.2.10").packed
    assert chunks[hep.DESTINATION_IPV4] == ipaddress.ip_address("198.51.100.1").packed
    assert struct.unpack("!HH", chunks[hep.SOURCE_PORT] + chunks[hep.DESTINATION_PORT]) == (5062, 5060)
    assert struct.unpack("!II", chunks[hep.SECONDS] + chunks[hep.MICROSECONDS]) == (
        START_US // 10**6,
        123_456,
    )
    assert (chunks[hep.FAMILY], chunks[hep.PROTOCOL], chunks[hep.PROTOCOL_TYPE]) == (
        b"\x02",
        b"\x11",
        b"\x01",
    )
    assert chunks[hep.CAPTURE_ID] == struct.pack("!I", 2001)
    assert (chunks[hep.PASSWORD], chunks[hep.CORRELATION_ID]) == (b"secret", b"c1")
    assert chunks[hep.PAYLOAD] == message(INVITE)


def test_a_packet_is_as_the_specification_lays_it_out():
    """Written by hand from hep3_rev12: Debian's tshark knows no HEP."""
    said = bytes.fromhex(
        "48455033" "007b"
        "0000 0001 0007 02" "0000 0003 000a c000020a" "0000 0004 000a c6336401" "0000 0002 0007 11"
        "0000 0007 0008 13c6" "0000 0008 0008 13c4" "0000 0009 000a 6955b900" "0000 000a 000a 0001e240"
        "0000 000b 0007 01" "0000 000c 000a 000007d1" "0000 000e 000c 736563726574" "0000 0011 0008 6331"
        "0000 000f 000a"
    )  # fmt: skip
    assert packet(data=b"SIP!") == said + b"SIP!"


def test_a_sent_one_goes_to_its_peer_and_ipv6_over_tls_is_tcp():
    chunks = hep.read_hep(packet(flow=SIX, is_sent=True))
    assert chunks[hep.SOURCE_IPV6] == ipaddress.ip_address("2001:db8::1").packed
    assert chunks[hep.DESTINATION_IPV6] == ipaddress.ip_address("2001:db8::10").packed
    assert (chunks[hep.FAMILY], chunks[hep.PROTOCOL]) == (b"\x0a", b"\x06")
    assert hep.SOURCE_IPV4 not in chunks


def test_without_a_password_there_is_no_chunk_for_one():
    assert hep.PASSWORD not in hep.read_hep(packet(password=""))


def test_a_huge_message_is_cut_to_what_a_datagram_holds():
    whole = packet(data=b"A" * 200_000)
    assert len(whole) == hep.PACKET_BYTES_MAX
    assert set(hep.read_hep(whole)[hep.PAYLOAD]) == {ord("A")}


def test_an_address_that_is_none_is_unspecified():
    chunks = hep.read_hep(packet(flow=TraceFlow("UDP", "pbx.example.com", 5060, "", 99_999)))
    assert chunks[hep.SOURCE_IPV4] == b"\0" * 4


@given(
    st.binary(max_size=3000),
    st.ip_addresses(),
    st.ip_addresses(),
    st.integers(0, 65_535),
    st.text(max_size=400),
    st.booleans(),
)
def test_what_was_written_is_read_back(data, remote, local, port, correlation_id, is_sent):
    flow = TraceFlow("TCP", str(remote), port, str(local), 5060)
    chunks = hep.read_hep(packet(flow=flow, data=data, correlation_id=correlation_id, is_sent=is_sent))
    assert chunks[hep.PAYLOAD] == data
    assert correlation_id.encode().startswith(chunks[hep.CORRELATION_ID])


@pytest.mark.parametrize(
    "broken", [b"", b"HEP3", b"HEP2\x00\x06", b"HEP3\x00\x09abc", b"HEP3\x00\x0c\0\0\0\1\0\5"]
)
def test_what_is_no_packet_is_refused(broken):
    with pytest.raises(hep.HepError):
        hep.read_hep(broken)


@given(st.binary(max_size=200))
def test_reading_garbage_ends_in_chunks_or_in_a_hep_error(garbage):
    with suppress(hep.HepError):
        hep.read_hep(b"HEP3" + struct.pack("!H", len(garbage) + 6) + garbage)
