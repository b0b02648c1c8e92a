import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.export.packets import Endpoint, tcp_packet, udp_packet
from care.export.pcapng import pcapng_file
from care.ladder.sip_facts import sip_facts
from care.story import CallStory
from tests.care.export.tshark import needs_tshark, rows, run
from tests.care.stories import (
    ALICE,
    INVITE,
    caller_leg,
    message,
    messages_of_a_good_call,
    said,
    sdp,
    story,
)
from traces.call_trace import TraceFlow

ONE = Endpoint(ipaddress.ip_address("192.0.2.1"), 5060)
TWO = Endpoint(ipaddress.ip_address("198.51.100.1"), 5062)
FLOWS = {
    "UDP on IPv4": (ALICE, TraceFlow("UDP", "203.0.113.5", 5060, "198.51.100.1", 5060)),
    "UDP on IPv6": (
        TraceFlow("UDP", "2001:db8::10", 5062, "2001:db8::1", 5060),
        TraceFlow("UDP", "2001:db8::20", 5060, "2001:db8::1", 5060),
    ),
    "TCP on IPv4": (
        TraceFlow("TCP", "192.0.2.10", 40_000, "198.51.100.1", 5060),
        TraceFlow("TCP", "203.0.113.5", 5060, "198.51.100.1", 50_123),
    ),
    "TCP on IPv6": (
        TraceFlow("TCP", "2001:db8::10", 40_000, "2001:db8::1", 5060),
        TraceFlow("TCP", "2001:db8::20", 5060, "2001:db8::1", 50_123),
    ),
    "TLS and WSS": (
        TraceFlow("TLS", "192.0.2.10", 40_000, "198.51.100.1", 5061),
        TraceFlow("WSS", "2001:db8::20", 40_001, "2001:db8::1", 443),
    ),
    "odd ports": (
        TraceFlow("UDP", "192.0.2.10", 1900, "198.51.100.1", 5060),
        TraceFlow("TCP", "203.0.113.5", 8080, "198.51.100.1", 2123),
    ),
    "a name for an address": (
        TraceFlow("UDP", "192.0.2.10", 5090, "198.51.100.1", 5080),
        TraceFlow("UDP", "203.0.113.5", 53, "198.51.100.1", 53),
    ),
}


def expected(one: CallStory) -> list[tuple[str, ...]]:
    """What the trace itself says of each message."""
    found = []
    assert one.trace is not None
    for each in one.trace.messages:
        flow = one.trace.flows[each.flow]
        ends = (flow.local_host, flow.remote_host) if each.is_sent else (flow.remote_host, flow.local_host)
        facts = sip_facts(each.data)
        assert facts is not None
        method, status = (facts.method, "") if facts.is_request else ("", str(facts.status))
        found.append((str(each.at_us), *ends, method, status, facts.call_id, facts.cseq))
    return found


def read(row: dict[str, str]) -> tuple[str, ...]:
    seconds, _, fraction = row["frame.time_epoch"].partition(".")
    return (seconds + fraction[:6], row["_ws.col.Source"], row["_ws.col.Destination"], row["sip.Method"],
            row["sip.Status-Code"], row["sip.Call-ID"], row["sip.CSeq"])  # fmt: skip


@needs_tshark
@pytest.mark.parametrize("name", list(FLOWS))
def test_tshark_finds_the_same_messages_with_their_times_and_addresses(tmp_path, name):
    one = story(flows=list(FLOWS[name]))
    path = tmp_path / "call.pcapng"
    path.write_bytes(pcapng_file(one))
    assert [read(row) for row in rows(path)] == expected(one)
    calls = run("-n", "-q", "-r", str(path), "-z", "sip,stat")
    assert "Number of SIP messages: 17" in calls
    if name.startswith("UDP"):  # it looks for repeats in datagrams only
        assert "Number of resent SIP messages: 1" in calls


@needs_tshark
@pytest.mark.parametrize("transport", ["UDP", "TCP", "TLS"])
@pytest.mark.parametrize("size", [1_400, 3_000, 65_000, 200_000])
def test_large_messages_come_whole(tmp_path, transport, size):
    big = message(INVITE, body="v=0\r\n" + "a=x\r\n" * (size // 5))
    messages = [
        said(0, is_sent=False, leg=0, data=big),
        said(2, is_sent=True, leg=0, data=message("SIP/2.0 100 Trying")),
    ]
    path = tmp_path / "call.pcapng"
    path.write_bytes(
        pcapng_file(
            story(messages=messages, flows=[TraceFlow(transport, "192.0.2.10", 5062, "198.51.100.1", 5060)])
        )
    )
    found = rows(path, fields=("sip.Method", "sip.Status-Code", "sip.Content-Length"))
    length = str(len(big.partition(b"\r\n\r\n")[2]))
    assert found == [
        {"sip.Method": "INVITE", "sip.Status-Code": "", "sip.Content-Length": length},
        {"sip.Method": "", "sip.Status-Code": "100", "sip.Content-Length": "0"},
    ]


@needs_tshark
def test_a_stream_is_taken_together_and_a_message_without_its_body_swallows_nothing(tmp_path):
    clipped = message(INVITE, body=sdp()).replace(sdp().encode(), b"")
    messages = [
        said(0, is_sent=False, leg=0, data=clipped),
        said(1, is_sent=False, leg=0, data=message("BYE sip:x SIP/2.0", cseq="2 BYE")),
        said(2, is_sent=True, leg=0, data=message("SIP/2.0 200 OK", cseq="2 BYE")),
    ]
    flow = TraceFlow("TCP", "192.0.2.10", 40_000, "198.51.100.1", 5060)
    path = tmp_path / "call.pcapng"
    path.write_bytes(pcapng_file(story(messages=messages, flows=[flow])))
    found = rows(path, fields=("sip.CSeq", "_ws.expert.message"))
    assert [row["sip.CSeq"] for row in found] == ["1 INVITE", "2 BYE", "2 BYE"]


@needs_tshark
def test_checksums_are_right_and_no_segment_is_missing(tmp_path):
    for name in ("UDP on IPv4", "UDP on IPv6", "TCP on IPv4", "TCP on IPv6"):
        path = tmp_path / "call.pcapng"
        path.write_bytes(pcapng_file(story(flows=list(FLOWS[name]))))
        checked = (
            "-o",
            "udp.check_checksum:TRUE",
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        )
        fields = ("udp.checksum.status", "tcp.checksum.status", "ip.checksum.status", "tcp.analysis.flags")
        for row in rows(path, *checked, fields=fields):
            assert set(row.values()) <= {"", "1"}, name
            assert not row["tcp.analysis.flags"]


@needs_tshark
def test_hostile_names_stay_text_in_a_comment(tmp_path):
    hostile = "\x1b[2J\u202e\ud83d" + "x" * 10_000
    one = story(caller_leg(line=hostile), messages=[said(0, is_sent=False, leg=0, data=message(INVITE))])
    path = tmp_path / "call.pcapng"
    path.write_bytes(pcapng_file(one))
    comment = rows(path)[0]["frame.comment"]
    assert comment.startswith("call c1; leg 0 (\\x1b[2J\\u202e\\ud83dxxx")
    assert comment.isprintable()
    assert len(comment) < 600


@needs_tshark
def test_a_broken_message_is_in_the_file_too(tmp_path):
    path = tmp_path / "call.pcapng"
    messages = [said(0, is_sent=False, leg=0, data=b"\x00\x01garbage"), *messages_of_a_good_call()]
    path.write_bytes(pcapng_file(story(messages=messages)))
    assert len(rows(path, fields=("frame.number",), show="frame")) == 18


def test_a_call_without_a_trace_is_a_file_without_packets():
    assert pcapng_file(story(no_trace="none")).startswith(b"\x0a\x0d\x0d\x0a")


def _sums_to_nothing(data: bytes) -> bool:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return total % 0xFFFF == 0


@given(st.binary(max_size=300), st.booleans())
def test_headers_sum_to_nothing_with_their_checksum(data, is_udp):
    made = udp_packet(ONE, TWO, data) if is_udp else tcp_packet(ONE, TWO, data, seq=7, ack=9)
    assert _sums_to_nothing(made[:20])
    upper = made[20:]
    pseudo = made[12:20] + struct.pack("!BBH", 0, made[9], len(upper))
    assert _sums_to_nothing(pseudo + upper + b"\0" * (len(upper) % 2))
