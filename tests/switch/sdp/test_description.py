"""Session descriptions are read without loss, and what cannot be read with certainty is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sdp.description import (
    FORMATS_MAX,
    LINES_MAX,
    MEDIA_MAX,
    SDP_BYTES_MAX,
    Codec,
    SdpError,
    format_sdp,
    parse_sdp,
)
from tests.switch.sdp.samples import BOTH, FAX, HEAD, PHONE, with_sound
from tests.switch.sip.samples import corpus, request, with_true_length

# Old ways that sofia-sip reads and we do not: none. `message-1` is only a version, and that a wrong one.
NOT_SDP = {"message-1.sdp"}


def test_a_phones_offer_has_its_parts() -> None:
    session = parse_sdp(BOTH)
    sound, picture = session.media
    assert (sound.media, sound.port, sound.port_count, sound.protocol) == ("audio", 49170, None, "RTP/AVP")
    assert sound.formats == ["9", "8", "0", "18", "101", "96", "102"]
    assert sound.codecs[:4] == [
        Codec(9, "G722", 8000),
        Codec(8, "PCMA", 8000),
        Codec(0, "PCMU", 8000),
        Codec(18, "G729", 8000),
    ]
    assert sound.codecs[5] == Codec(96, "opus", 48000, 2)
    assert (sound.fmtp(18), sound.fmtp(101), sound.fmtp(8)) == ("annexb=no", "0-16", None)
    assert sound.ptime_ms == 20
    assert sound.attributes("candidate") == ["1 1 UDP 2130706431 192.0.2.10 49170 typ host"]
    assert session.connection_of(sound).address == "192.0.2.10"
    assert session.connection_of(picture).address == "2001:db8::1"
    origin = session.origin
    assert (origin.session_id, origin.version, origin.address) == (20001, 20001, "192.0.2.10")


def test_fax_has_formats_and_no_codecs() -> None:
    (medium,) = parse_sdp(FAX).media
    assert (medium.protocol, medium.formats, medium.codecs) == ("udptl", ["t38"], [])


@pytest.mark.parametrize(
    "body", [PHONE, BOTH, FAX, with_sound("a=x\u2028y", "a=\x85"), PHONE.replace(b"\r\n", b"\n")]
)
def test_what_is_read_prints_back_octet_for_octet(body: bytes) -> None:
    assert format_sdp(parse_sdp(body)) == body
    assert format_sdp(parse_sdp(body.rstrip(b"\r\n"))) == body.rstrip(b"\r\n")


@pytest.mark.parametrize("file", corpus("messages/sofia-sdp_tests", "*.sdp"))
def test_the_bodies_of_sofia_sip_are_read_and_print_back_equal(file: Path) -> None:
    body = file.read_bytes()
    if file.name in NOT_SDP:
        with pytest.raises(SdpError, match="v="):
            parse_sdp(body)
        return
    session = parse_sdp(body)
    assert format_sdp(session) == body
    assert session.media
    assert all(medium.codecs or not medium.is_rtp for medium in session.media)


@pytest.mark.parametrize("file", corpus("messages/phones", "*invite*.sip"))
def test_the_offers_of_phones_are_read_and_print_back_equal(file: Path) -> None:
    body = request(with_true_length(file.read_bytes())).body
    if body:
        session = parse_sdp(body)
        assert format_sdp(session) == body
        assert session.media[0].codecs[0].name in {"PCMU", "PCMA", "opus", "G722"}


def test_several_addresses_of_both_families_in_one_description() -> None:
    """RFC 5118 4.8."""
    body = (
        b"v=0\r\no=bob 280744730 28977631 IN IP6 2001:db8::20\r\ns=\r\nt=0 0\r\n"
        b"m=audio 22334 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\nm=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\n"
        b"a=rtpmap:107 H263-1998/90000\r\n"
    )
    session = parse_sdp(body)
    assert [session.connection_of(medium).address for medium in session.media] == ["192.0.2.1", "2001:db8::1"]
    assert session.origin.address == "2001:db8::20"
    assert format_sdp(session) == body


def test_a_changed_medium_is_written_from_its_fields_and_the_rest_as_it_came() -> None:
    session = parse_sdp(PHONE.replace(b"49170 RTP/AVP", b"49170  RTP/AVP"))
    assert b"49170  RTP/AVP" in format_sdp(session)
    session.media[0].port = 30000
    assert format_sdp(session) == PHONE.replace(b"49170 RTP/AVP", b"30000 RTP/AVP")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"v=",
        b"v=1\r\n",
        b"v=0 \r\n",
        b"o=- 1 1 IN IP4 192.0.2.1\r\n",
        PHONE.replace(b"\r\n", b"\r"),
        PHONE + b"\r\n",
        PHONE + b"nonsense\r\n",
        PHONE + b"x=1\r\n",
        PHONE + b"v=0\r\n",
        PHONE + b"o=- 1 1 IN IP4 192.0.2.1\r\n",
        PHONE + b"a=\0\r\n",
        PHONE + b"a=one\rtwo\r\n",
        PHONE + b" a=folded\r\n",
        PHONE + "\u2028a=x\r\n".encode(),
    ],
)
def test_what_is_no_session_description_is_refused(body: bytes) -> None:
    with pytest.raises(SdpError):
        parse_sdp(body)


@pytest.mark.parametrize(
    "line",
    [
        "m=audio",
        "m=audio 49170 RTP/AVP",
        "m=audio RTP/AVP 8",
        "m=audio 1_0 RTP/AVP 8",
        "m=audio +10 RTP/AVP 8",
        "m=audio ٤٩ RTP/AVP 8",
        "m=audio 65536 RTP/AVP 8",
        "m=audio 999999999999 RTP/AVP 8",
        "m=audio 49170 RTP/AVP 128",
        "m=audio 49170 RTP/AVP 1_0",
        "m=audio 49170 RTP/AVP ٨",
        "m=audio 49170 RTP/AVP *",
        "m=audio\t49170 RTP/AVP 8",
        "c=IN IP4",
        "c=192.0.2.1",
        "c=IN IP4 192.0.2.1/1_0",
        "c=IN IP4 192.0.2.1 x",
    ],
)
def test_a_malformed_medium_or_connection_is_refused(line: str) -> None:
    with pytest.raises(SdpError):
        parse_sdp((HEAD + line + "\r\n").encode())


@pytest.mark.parametrize("value", ["20.5", "20", " 20 "])
def test_ptime_is_whole_milliseconds(value: str) -> None:
    assert parse_sdp(with_sound(f"a=ptime:{value}")).media[0].ptime_ms == 20


@pytest.mark.parametrize("value", ["", "x", "2_0", "+20", "-20", "٢٠", "9" * 30, "1e2"])
def test_a_ptime_that_is_no_number_is_none(value: str) -> None:
    assert parse_sdp(with_sound(f"a=ptime:{value}")).media[0].ptime_ms is None


@pytest.mark.parametrize("value", ["8 X/1_0", "٨ X/8000", "8 X/8000/٢x", "999999 X/8000", "8", ""])
def test_an_rtpmap_that_cannot_be_read_names_nothing(value: str) -> None:
    (codec,) = parse_sdp(with_sound(f"a=rtpmap:{value}")).media[0].codecs
    assert codec.payload_type == 8
    assert codec.clock_rate in (0, 8000)


def test_an_origin_with_spaces_in_its_name_is_let_be() -> None:
    body = PHONE.replace(b"o=- ", b"o=Hall phone ")
    assert parse_sdp(body).origin is None
    assert format_sdp(parse_sdp(body)) == body


class TestLimits:
    def test_size(self) -> None:
        fitting = PHONE + b"a=" + b"x" * (SDP_BYTES_MAX - len(PHONE) - 2)
        assert len(format_sdp(parse_sdp(fitting))) == SDP_BYTES_MAX
        with pytest.raises(SdpError, match="octets"):
            parse_sdp(fitting + b"x")

    def test_lines(self) -> None:
        lines = b"v=0\r\n" + b"a=x\r\n" * (LINES_MAX - 1)
        assert len(parse_sdp(lines).lines) == LINES_MAX
        with pytest.raises(SdpError, match="lines"):
            parse_sdp(lines + b"a=x\r\n")

    def test_media(self) -> None:
        media = HEAD.encode() + b"m=audio 1 RTP/AVP 8\r\n" * MEDIA_MAX
        assert len(parse_sdp(media).media) == MEDIA_MAX
        with pytest.raises(SdpError, match="media"):
            parse_sdp(media + b"m=audio 1 RTP/AVP 8\r\n")

    def test_formats(self) -> None:
        formats = " ".join(["8"] * FORMATS_MAX)
        body = f"{HEAD}m=audio 1 RTP/AVP {formats}"
        assert len(parse_sdp(body.encode()).media[0].formats) == FORMATS_MAX
        with pytest.raises(SdpError, match="formats"):
            parse_sdp(f"{body} 8".encode())


@given(st.binary(max_size=300))
def test_any_octets_are_refused_or_print_back_equal(tail: bytes) -> None:
    for body in (tail, PHONE + tail):
        try:
            session = parse_sdp(body)
        except SdpError as error:
            assert str(error).isascii()
        else:
            assert format_sdp(session) == body


VALUES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=30)


@given(st.lists(st.tuples(st.sampled_from("aibk"), VALUES), max_size=10), st.sampled_from(["\r\n", "\n"]))
def test_parse_and_print_are_inverse(lines: list[tuple[str, str]], end: str) -> None:
    text = HEAD.replace("\r\n", end) + f"m=audio 4000 RTP/AVP 8{end}"
    body = (text + "".join(f"{kind}={value}{end}" for kind, value in lines)).encode()
    session = parse_sdp(body)
    assert format_sdp(session) == body
    assert [(line.type, line.value) for line in session.media[0].lines] == lines
