"""What an offer means: direction, hold, codecs, and what a rule about codecs leaves of it."""

from pathlib import Path

import pytest

from switch.sdp.description import SdpError, parse_sdp
from switch.sdp.offer_answer import (
    Direction,
    codec_names,
    direction,
    heard_sound,
    is_hold,
    is_speaking,
    keep_codecs,
)
from tests.switch.sdp.samples import BOTH, FAX, HEAD, PHONE, with_sound
from tests.switch.sip.samples import corpus, request, with_true_length


@pytest.mark.parametrize(
    ("session", "medium", "expected"),
    [
        ("", "", Direction.SENDRECV),
        ("", "a=sendonly", Direction.SENDONLY),
        ("a=inactive", "", Direction.INACTIVE),
        ("a=inactive", "a=recvonly", Direction.RECVONLY),
        ("a=sendonly", "a=sendrecv", Direction.SENDRECV),
        ("", "a=sendonly:x", Direction.SENDRECV),
        ("", "a=sendonly ", Direction.SENDONLY),
    ],
)
def test_direction_is_the_mediums_or_the_sessions_or_both_ways(
    session: str, medium: str, expected: Direction
) -> None:
    head = HEAD + (session + "\r\n" if session else "")
    parsed = parse_sdp(with_sound(*([medium] if medium else []), head=head))
    assert direction(parsed, parsed.media[0]) is expected


@pytest.mark.parametrize(
    ("body", "held"),
    [
        (PHONE, False),
        (with_sound("a=sendonly"), True),
        (with_sound("a=inactive"), True),
        (with_sound("a=recvonly"), False),
        (with_sound("c=IN IP4 0.0.0.0"), True),
        (with_sound(head=HEAD.replace("c=IN IP4 192.0.2.10", "c=IN IP4 0.0.0.0")), True),
        (
            with_sound("c=IN IP4 192.0.2.10", head=HEAD.replace("c=IN IP4 192.0.2.10", "c=IN IP4 0.0.0.0")),
            False,
        ),
        (with_sound("c=IN IP6 ::"), True),
        (with_sound("c=IN IP6 0:0:0:0:0:0:0:0"), True),
        (with_sound("c=IN IP6 ::1"), False),
        (BOTH.replace(b"a=sendrecv", b"a=sendonly"), True),
        (BOTH.replace(b"a=recvonly", b"a=inactive"), False),
        (with_sound("a=sendonly").replace(b"49170", b"0"), False),
        (FAX, False),
    ],
)
def test_hold_is_when_no_sound_of_the_other_side_is_wanted(body: bytes, held: bool) -> None:
    assert is_hold(parse_sdp(body)) is held


@pytest.mark.parametrize(
    ("body", "heard", "speaks"),
    [
        (PHONE, 0, True),
        (with_sound("a=recvonly"), 0, False),
        (with_sound("a=sendonly"), None, True),
        (with_sound("a=inactive"), None, False),
        (with_sound("c=IN IP4 0.0.0.0"), None, False),
        (with_sound(head=HEAD.replace("c=IN IP4 192.0.2.10\r\n", "")), 0, True),
        (with_sound().replace(b"49170", b"0"), None, False),
        (with_sound().replace(b"49170", b"0") + b"m=audio 49172 RTP/AVP 8\r\n", 1, True),
        (FAX, None, False),
    ],
)
def test_who_listens_and_who_speaks(body: bytes, heard: int | None, speaks: bool) -> None:
    session = parse_sdp(body)
    assert heard_sound(session) == heard
    assert is_speaking(session) is speaks


def test_codec_names_come_in_order_of_preference_each_once() -> None:
    assert codec_names(parse_sdp(BOTH)) == ["G722", "PCMA", "PCMU", "G729", "telephone-event", "opus"]
    assert codec_names(parse_sdp(FAX)) == []


class TestKeepCodecs:
    def test_the_others_go_with_their_attributes_and_nothing_else_does(self) -> None:
        kept = keep_codecs(BOTH, ["pcma", "G729"])
        expected = BOTH.replace(b"9 8 0 18 101 96 102", b"8 18 101")
        for gone in (b"a=rtpmap:9 ", b"a=rtpmap:96 ", b"a=fmtp:96 ", b"a=rtcp-fb:96 ", b"a=rtpmap:102 "):
            start = expected.index(gone)
            expected = expected[:start] + expected[expected.index(b"\r\n", start) + 2 :]
        assert kept == expected

    def test_digits_stay_with_a_codec_of_their_clock_rate(self) -> None:
        session = parse_sdp(keep_codecs(PHONE, ["opus"]))
        assert session.media[0].formats == ["96", "102"]

    def test_digits_alone_are_no_offer(self) -> None:
        assert keep_codecs(PHONE, ["telephone-event"]) == b""

    def test_nothing_left_is_empty(self) -> None:
        assert keep_codecs(PHONE, ["iLBC"]) == b""
        assert keep_codecs(PHONE, []) == b""

    def test_all_allowed_is_untouched(self) -> None:
        names = codec_names(parse_sdp(PHONE))
        assert keep_codecs(PHONE, names) is PHONE

    def test_a_fixed_payload_type_has_its_own_name_too(self) -> None:
        body = with_sound("a=rtpmap:18 G729a/8000").replace(b"RTP/AVP 8", b"RTP/AVP 8 18")
        assert parse_sdp(keep_codecs(body, ["G729"])).media[0].formats == ["18"]
        assert parse_sdp(keep_codecs(body, ["g729A"])).media[0].formats == ["18"]

    def test_media_without_sound_are_left_alone(self) -> None:
        assert keep_codecs(FAX, ["PCMA"]) == FAX
        assert parse_sdp(keep_codecs(BOTH, ["PCMA"])).media[1].formats == ["97"]

    def test_a_medium_that_is_switched_off_is_left_alone(self) -> None:
        body = PHONE + b"m=audio 0 RTP/AVP 9\r\n"
        assert parse_sdp(keep_codecs(body, ["PCMA"])).media[1].formats == ["9"]

    def test_what_is_no_session_description_is_refused(self) -> None:
        with pytest.raises(SdpError):
            keep_codecs(b"v=", ["PCMA"])

    @pytest.mark.parametrize("file", corpus("messages/phones", "*invite*.sip"))
    def test_of_a_phones_offer_a_shorter_one_is_left(self, file: Path) -> None:
        body = request(with_true_length(file.read_bytes())).body
        if not body:
            return
        kept = keep_codecs(body, ["PCMU", "PCMA"])
        assert 0 < len(kept) <= len(body)
        assert set(codec_names(parse_sdp(kept))) <= {"PCMU", "PCMA", "telephone-event"}
        assert keep_codecs(kept, ["PCMU", "PCMA"]) == kept
