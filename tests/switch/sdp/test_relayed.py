"""Descriptions that point at the relay: what is read of them, what is written, what stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sdp.description import format_sdp, parse_sdp
from switch.sdp.relayed import RELAYED_MEDIA_MAX, Place, hearings, point_at, set_origin

US = Place("203.0.113.1", 20_000)
US_IPV6 = Place("2001:db8::1", 20_000)
HEAD = "v=0\r\no=phone 7 7 IN IP4 10.0.0.2\r\ns=-\r\n"
SOUND = "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"


def sdp(text: str) -> bytes:
    return (HEAD + text).encode()


def rewritten(body: bytes, *places: Place | None, version: int = 3) -> str:
    session = parse_sdp(body)
    point_at(session, list(places))
    set_origin(session, next(place for place in places if place).host, 42, version)
    return format_sdp(session).decode()


def test_the_address_and_the_port_are_the_relays_and_the_rest_stays() -> None:
    found = rewritten(sdp(f"c=IN IP4 10.0.0.2\r\nt=0 0\r\n{SOUND}a=ptime:30\r\na=x-vendor:1\r\n"), US)
    assert found == (
        "v=0\r\no=- 42 3 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n"
        "m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:30\r\na=x-vendor:1\r\n"
    )


def test_an_address_of_the_medium_alone_moves_to_the_session() -> None:
    found = rewritten(sdp(f"t=0 0\r\n{SOUND}c=IN IP4 10.0.0.2\r\n"), US)
    assert "10.0.0.2" not in found
    assert found.count("c=IN IP4 203.0.113.1\r\n") == 1


def test_the_family_is_the_relays_whatever_the_maker_speaks() -> None:
    found = rewritten(sdp(f"c=IN IP4 10.0.0.2\r\nt=0 0\r\n{SOUND}"), US_IPV6)
    assert "c=IN IP6 2001:db8::1\r\n" in found
    assert "o=- 42 3 IN IP6 2001:db8::1\r\n" in found


@pytest.mark.parametrize("address", ["0.0.0.0"])
def test_hold_by_the_old_way_stays_hold(address: str) -> None:
    body = sdp(f"c=IN IP4 {address}\r\nt=0 0\r\n{SOUND}")
    assert "c=IN IP4 0.0.0.0\r\n" in rewritten(body, US)
    [hearing] = hearings(parse_sdp(body))
    assert hearing is not None
    assert (hearing.host, hearing.may_be_silent) == ("", True)


@pytest.mark.parametrize(
    "line",
    [
        "a=candidate:1 1 UDP 2130706431 10.0.0.2 4000 typ host",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuv",
        "a=rtcp:4010 IN IP4 10.0.0.2",
        "a=end-of-candidates",
    ],
)
def test_what_belongs_to_another_path_is_taken_out(line: str) -> None:
    assert line not in rewritten(sdp(f"c=IN IP4 10.0.0.2\r\nt=0 0\r\n{SOUND}{line}\r\n"), US)


def test_keys_of_srtp_and_fax_parameters_cross() -> None:
    body = sdp(
        "c=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n"
        "m=image 4002 udptl t38\r\na=T38FaxVersion:0\r\n"
    )
    found = rewritten(body, US, Place(US.host, 20_002))
    assert "m=audio 20000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n" in found
    assert "m=image 20002 udptl t38\r\na=T38FaxVersion:0\r\n" in found
    sound, fax = hearings(parse_sdp(body))
    assert sound is not None
    assert fax is not None
    assert (sound.is_rtp, sound.may_be_silent, fax.is_rtp, fax.may_be_silent) == (True, False, False, True)


@pytest.mark.parametrize(("where", "is_ours"), [("medium", False), ("session", False), ("nowhere", True)])
def test_a_browser_is_left_to_find_its_own_path(where: str, is_ours: bool) -> None:
    ufrag = "a=ice-ufrag:abcd\r\n"
    body = sdp(
        f"c=IN IP4 10.0.0.2\r\nt=0 0\r\n{ufrag if where == 'session' else ''}"
        f"m=audio 4000 UDP/TLS/RTP/SAVPF 8\r\n{ufrag if where == 'medium' else ''}"
    )
    assert (hearings(parse_sdp(body))[0] is not None) is is_ours


def test_a_medium_over_tcp_keeps_its_own_address() -> None:
    body = sdp(f"c=IN IP4 10.0.0.2\r\nt=0 0\r\n{SOUND}m=message 2855 TCP/MSRP *\r\n")
    assert hearings(parse_sdp(body))[1] is None
    found = rewritten(body, US, None)
    assert "m=message 2855 TCP/MSRP *\r\nc=IN IP4 10.0.0.2\r\n" in found


def test_more_media_than_are_forwarded_are_switched_off() -> None:
    body = sdp("c=IN IP4 10.0.0.2\r\nt=0 0\r\n" + SOUND * (RELAYED_MEDIA_MAX + 1))
    found = hearings(parse_sdp(body))
    assert [each is None for each in found] == [False] * RELAYED_MEDIA_MAX + [True]
    text = rewritten(body, *[US] * RELAYED_MEDIA_MAX, None)
    assert text.count("m=audio 20000 ") == RELAYED_MEDIA_MAX
    assert text.count("m=audio 0 ") == 1


@pytest.mark.parametrize(
    ("attributes", "port"),
    [
        ("", 4001),
        ("a=rtcp:4010\r\n", 4010),
        ("a=rtcp-mux\r\n", 4000),
        ("a=rtcp:+1\r\n", 4001),
        ("a=rtcp:99999\r\n", 4001),
    ],
)
def test_where_rtcp_is_heard(attributes: str, port: int) -> None:
    [hearing] = hearings(parse_sdp(sdp(f"c=IN IP4 10.0.0.2\r\nt=0 0\r\n{SOUND}{attributes}")))
    assert hearing is not None
    assert hearing.rtcp_port == port


@pytest.mark.parametrize(
    ("attribute", "may_be_silent"),
    [("sendrecv", False), ("sendonly", True), ("recvonly", True), ("inactive", True)],
)
def test_who_is_on_hold_may_be_silent(attribute: str, may_be_silent: bool) -> None:
    [hearing] = hearings(parse_sdp(sdp(f"c=IN IP4 10.0.0.2\r\nt=0 0\r\n{SOUND}a={attribute}\r\n")))
    assert hearing is not None
    assert hearing.may_be_silent is may_be_silent


def test_a_name_instead_of_an_address_is_no_address() -> None:
    [hearing] = hearings(parse_sdp(sdp(f"c=IN IP4 phone.example.com\r\nt=0 0\r\n{SOUND}")))
    assert hearing is not None
    assert hearing.host == ""


@given(
    st.lists(
        st.sampled_from(
            [
                "a=ptime:20",
                "a=sendonly",
                "b=AS:64",
                "a=rtcp:9",
                "c=IN IP4 10.9.9.9",
                "i=x",
                "a=fmtp:101 0-15",
                "k=clear:x",
            ]
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_what_is_written_reads_as_the_relay_and_as_nobody_else(
    lines: list[str], has_session_address: bool
) -> None:
    address = "c=IN IP4 10.0.0.2\r\n" if has_session_address else ""
    body = sdp(f"{address}t=0 0\r\n{SOUND}" + "".join(f"{line}\r\n" for line in lines))
    text = rewritten(body, US)
    assert "10.0.0.2" not in text
    assert "10.9.9.9" not in text
    [hearing] = hearings(parse_sdp(text.encode()))
    assert hearing is not None
    assert (hearing.host, hearing.port) == (US.host, US.port)
