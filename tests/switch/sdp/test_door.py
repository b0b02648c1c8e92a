"""What the door asks of a body: whether it could be an offer at all."""

from pathlib import Path

import pytest

from switch.sdp.door import is_broken_offer, is_session_description
from tests.switch.house import House, make_conf, make_line, make_trunk
from tests.switch.sdp.samples import BOTH, FAX, PHONE
from tests.switch.sip.samples import corpus

BROKEN = [
    b"v=",
    b"v=1\r\n",
    b"v=0",
    b"v=0\r\n",
    b"hello",
    b"v=0\r\nnonsense\r\n",
    b"\0" * 40,
    b"m=audio 1 RTP/AVP 8",
]


@pytest.mark.parametrize("body", [PHONE, BOTH, FAX, PHONE.replace(b"\r\n", b"\n"), PHONE + b"\xef\xbf\xbd"])
def test_what_could_be_an_offer_passes(body: bytes) -> None:
    assert is_session_description(body)
    assert not is_broken_offer("application/sdp", body)


@pytest.mark.parametrize("body", BROKEN)
def test_what_is_none_does_not(body: bytes) -> None:
    assert is_broken_offer("application/sdp", body)
    assert is_broken_offer("Application/SDP ; charset=utf-8", body)


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "multipart/mixed;boundary=x", "application/sdpx"]
)
def test_another_type_passes_unread(content_type: str | None) -> None:
    assert not is_broken_offer(content_type, b"v=")


def test_no_body_is_a_late_offer() -> None:
    assert not is_broken_offer("application/sdp", b"")


@pytest.mark.parametrize("file", corpus("messages/sofia-sdp_tests", "*.sdp"))
def test_every_body_of_sofia_sip_but_the_wrong_version_passes(file: Path) -> None:
    assert is_session_description(file.read_bytes()) is (file.name != "message-1.sdp")


def house() -> House:
    return House(
        conf=make_conf(trunks=[make_trunk("one", "192.0.2.50")]),
        lines=[make_line("alice")],
        numbers={"+441632960001": "alice"},
    )


def test_a_lines_broken_offer_is_488_and_nobody_rings() -> None:
    exchange = house()
    alice, one = exchange.phone("alice", "192.0.2.10"), exchange.phone("one", "192.0.2.50")
    alice.register()
    alice.invite("01632960123", body=b"v=")
    exchange.run(1)
    assert alice.statuses[-1] == 488
    assert not one.requests
    (row,) = exchange.journal.cdrs()
    assert (row.outcome, row.sip_status, row.cost_micros) == ("broken_offer", 488, 0)
    exchange.run(40)
    exchange.assert_clean()


def test_a_carriers_broken_offer_is_488() -> None:
    exchange = house()
    alice, one = exchange.phone("alice", "192.0.2.10"), exchange.phone("one", "192.0.2.50")
    alice.register()
    one.invite("+441632960001", body=b"v=")
    exchange.run(1)
    assert one.statuses[-1] == 488
    assert not alice.requests


def test_an_emergency_call_connects_whatever_its_body_says() -> None:
    exchange = house()
    alice, one = exchange.phone("alice", "192.0.2.10"), exchange.phone("one", "192.0.2.50")
    alice.register()
    alice.invite("999", body=b"v=")
    exchange.run(2)
    assert one.requests_of("INVITE")
    assert alice.statuses[-1] == 200
