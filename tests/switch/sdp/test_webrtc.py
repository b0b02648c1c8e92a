"""A browser's descriptions and plain ones: what is read, what is written, what stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sdp.description import SdpError, format_sdp, parse_sdp
from switch.sdp.relayed import Place
from switch.sdp.webrtc import CANDIDATES_MAX, Door, make_browsers, make_plain, plain_sound, read_browser

PLACE = Place("127.0.0.1", 40_000)
DIGEST = ":".join(["AB"] * 32)
HEAD = "v=0\r\no=- 77 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
# As Chromium writes it, shortened.
BROWSER = (
    HEAD
    + "a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS x\r\n"
    + "m=audio 47000 UDP/TLS/RTP/SAVPF 111 63 9 0 8 110 126\r\nc=IN IP4 198.51.100.9\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    + "a=candidate:1 1 udp 2122260223 198.51.100.9 47000 typ host generation 0\r\n"
    + "a=candidate:2 1 udp 2122194687 4f3d.local 47001 typ host generation 0\r\n"
    + "a=candidate:3 1 tcp 1518280447 198.51.100.9 9 typ host tcptype active\r\n"
    + "a=candidate:4 2 udp 2122194687 198.51.100.9 47002 typ host\r\n"
    + "a=ice-ufrag:Ab/1\r\na=ice-pwd:0123456789abcdefABCDEF+/\r\na=ice-options:trickle\r\n"
    + f"a=fingerprint:sha-256 {DIGEST}\r\na=setup:actpass\r\na=mid:0\r\n"
    + "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=msid:x y\r\na=rtcp-mux\r\n"
    + "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
    + "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:110 telephone-event/48000\r\n"
    + "a=rtpmap:126 telephone-event/8000\r\na=ssrc:1 cname:z\r\n"
).encode()
TELEPHONE = (
    HEAD + "c=IN IP4 127.0.0.1\r\nm=audio 20000 RTP/AVP 8 126\r\na=rtpmap:126 telephone-event/8000\r\n"
).encode()
DOOR = Door(
    "uf",
    "password",
    ("sha-256", DIGEST),
    "active",
    (("203.0.113.7", 30_000), ("192.0.2.1", 30_000)),
    ("0",),
)


def for_browser(body: bytes, door: Door = DOOR) -> str:
    session = parse_sdp(body)
    joined = plain_sound(session)
    assert joined is not None
    make_browsers(session, joined, door)
    return format_sdp(session).decode()


def test_what_a_browser_says_of_itself_is_read() -> None:
    browser = read_browser(parse_sdp(BROWSER))
    assert browser is not None
    assert browser.username == "Ab/1"
    assert browser.password == "0123456789abcdefABCDEF+/"
    assert browser.fingerprint == ("sha-256", DIGEST)
    assert (browser.setup, browser.mids) == ("actpass", ("0",))
    assert browser.candidates == (("198.51.100.9", 47_000),)


def test_a_telephone_is_told_of_codecs_and_of_nothing_else() -> None:
    session = parse_sdp(BROWSER)
    make_plain(session, PLACE)
    assert format_sdp(session).decode() == (
        "v=0\r\no=- 77 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 111 9 0 8 110 126\r\nc=IN IP4 127.0.0.1\r\na=sendrecv\r\n"
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
        "a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n"
    )


def test_a_browser_is_told_how_to_come_in() -> None:
    assert for_browser(TELEPHONE) == (
        HEAD + "a=group:BUNDLE 0\r\nm=audio 30000 UDP/TLS/RTP/SAVPF 8 126\r\nc=IN IP4 203.0.113.7\r\n"
        "a=rtpmap:126 telephone-event/8000\r\na=mid:0\r\na=rtcp-mux\r\na=ice-ufrag:uf\r\na=ice-pwd:password\r\n"
        f"a=fingerprint:sha-256 {DIGEST}\r\na=setup:active\r\n"
        "a=candidate:1 1 udp 2130706431 203.0.113.7 30000 typ host\r\n"
        "a=candidate:2 1 udp 2130706175 192.0.2.1 30000 typ host\r\na=end-of-candidates\r\n"
    )


def test_hold_by_the_old_way_is_hold_to_a_browser() -> None:
    assert "a=sendonly\r\n" in for_browser(TELEPHONE.replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 0.0.0.0"))
    assert "a=sendonly\r\n" not in for_browser(TELEPHONE)


def test_pictures_are_switched_off_and_keep_their_names() -> None:
    picture = b"m=video 47000 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=setup:actpass\r\n"
    session = parse_sdp(BROWSER + picture)
    browser = read_browser(session)
    assert browser is not None
    make_plain(session, PLACE)
    plain = format_sdp(session)
    assert b"m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n" in plain
    back = for_browser(TELEPHONE + b"m=video 0 UDP/TLS/RTP/SAVPF 96\r\n", DOOR._replace(mids=browser.mids))
    assert back.endswith("m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n")
    assert "a=group:BUNDLE 0\r\n" in back


@pytest.mark.parametrize("missing", ["ice-ufrag", "ice-pwd", "fingerprint", "setup"])
def test_a_description_that_lacks_a_way_to_find_its_maker_is_no_browsers(missing: str) -> None:
    assert read_browser(parse_sdp(BROWSER.replace(f"a={missing}:".encode(), b"a=x:"))) is None


@pytest.mark.parametrize(
    "change",
    [
        (b"a=setup:actpass", b"a=setup:holdconn"),
        (b"a=ice-ufrag:Ab/1", b"a=ice-ufrag:" + b"x" * 300),
        (b"UDP/TLS/RTP/SAVPF", b"RTP/SAVPF"),
        (b"m=audio 47000", b"m=audio 0"),
    ],
)
def test_what_is_no_browsers_is_left_alone(change: tuple[bytes, bytes]) -> None:
    assert read_browser(parse_sdp(BROWSER.replace(*change))) is None


def test_a_secured_telephone_cannot_be_joined() -> None:
    assert plain_sound(parse_sdp(TELEPHONE.replace(b"RTP/AVP", b"RTP/SAVP"))) is None


def test_candidates_have_a_limit() -> None:
    many = b"".join(
        b"a=candidate:1 1 udp 1 198.51.100.9 %d typ host\r\n" % port for port in range(1000, 1100)
    )
    browser = read_browser(parse_sdp(BROWSER + many))
    assert browser is not None
    assert len(browser.candidates) == CANDIDATES_MAX


@given(st.binary(max_size=40), st.integers(min_value=0, max_value=len(BROWSER)), st.integers(0, 60))
def test_whatever_a_browser_says_is_read_or_left_alone(junk: bytes, at: int, cut: int) -> None:
    try:
        session = parse_sdp(BROWSER[:at] + junk + BROWSER[at + cut :])
    except SdpError:
        return
    if read_browser(session) is not None:
        make_plain(session, PLACE)
        again = parse_sdp(format_sdp(session))
        assert read_browser(again) is None
        assert plain_sound(again) is not None
