"""Two offers that answer each other, and a last description as a new offer."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.sdp.description import STATIC_CODECS, SdpError, SessionDescription, parse_sdp
from switch.sdp.joining import answer, fresh_offer, join
from switch.sdp.offer_answer import Direction, direction, is_hold
from tests.switch.sdp.samples import BOTH, FAX, HEAD, PHONE, with_sound
from tests.switch.sip.samples import CORPORA, corpus, request, with_true_length

OTHER_HEAD = HEAD.replace("192.0.2.10", "198.51.100.20").replace("20001", "30001")
SPEAKS = (Direction.SENDRECV, Direction.SENDONLY)
LISTENS = (Direction.SENDRECV, Direction.RECVONLY)


def sound(formats: str, *lines: str, head: str = HEAD, protocol: str = "RTP/AVP", port: int = 4000) -> bytes:
    attributes = "".join(f"{line}\r\n" for line in lines)
    return f"{head}m=audio {port} {protocol} {formats}\r\n{attributes}".encode()


def rtpmaps(*texts: str) -> list[str]:
    return [f"a=rtpmap:{text}" for text in texts]


EVENT = "101 telephone-event/8000"
OPUS = "96 opus/48000/2"


# The first offer's formats and rtpmaps, the second's, the formats that both are answered; - for no common codec.
CODECS = """
    8                                   | 8                                     -> 8            8
    9 8 0                               | 0 8                                   -> 8 0          0 8
    8                                   | 0                                     -> -            -
    8 101; 101 telephone-event/8000     | 8 101; 101 telephone-event/8000       -> 8 101        8 101
    8 101; 101 telephone-event/8000     | 8 96; 96 telephone-event/8000         -> 8            8
    8 101; 101 telephone-event/8000     | 0 101; 101 telephone-event/8000       -> -            -
    8 13                                | 0 13                                  -> -            -
    96; 96 opus/48000/2                 | 96 8; 96 OPUS/48000/2                 -> 96           96
    96; 96 opus/48000/2                 | 107; 107 opus/48000/2                 -> -            -
    96; 96 opus/48000/2                 | 96; 96 iLBC/8000                      -> -            -
    96; 96 speex/8000                   | 96; 96 speex/16000                    -> -            -
    18 8; 18 G729a/8000                 | 18                                    -> 18           18
    8; 8 PCMA/8000                      | 8                                     -> 8            8
    97; 97 AMR/8000; fmtp 97 octet-align=1 | 97; 97 AMR/8000                    -> -            -
    97; 97 AMR/8000; fmtp 97 octet-align=0 | 97; 97 AMR/8000                    -> 97           97
    96; 96 opus/48000/2; fmtp 96 useinbandfec=1 | 96; 96 opus/48000/2           -> 96           96
    98                                  | 98                                    -> -            -
"""


def offer_of(text: str, head: str) -> bytes:
    formats, *rest = (part.strip() for part in text.split(";"))
    lines = [f"a=fmtp:{each[5:]}" if each.startswith("fmtp ") else f"a=rtpmap:{each}" for each in rest]
    return sound(formats, *lines, head=head)


@pytest.mark.parametrize("row", [line.strip() for line in CODECS.strip().split("\n")])
def test_the_codecs_are_those_that_both_mean_alike_each_in_its_own_order(row: str) -> None:
    offers, expected = row.split(" -> ")
    first, second = offers.split("|")
    to_first, to_second = (part.strip() for part in expected.strip().split("  ", 1))
    joined = join(offer_of(first, HEAD), offer_of(second, OTHER_HEAD))
    if to_first == "-":
        assert joined is None
        return
    assert joined is not None
    assert parse_sdp(joined.to_first).media[0].formats == to_first.split()
    assert parse_sdp(joined.to_second).media[0].formats == to_second.split()


@pytest.mark.parametrize(
    ("offered", "other", "answered"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendrecv", "recvonly", "recvonly"),
        ("sendrecv", "inactive", "inactive"),
        ("sendonly", "sendrecv", "recvonly"),
        ("sendonly", "sendonly", "inactive"),
        ("sendonly", "recvonly", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("recvonly", "recvonly", "inactive"),
        ("inactive", "sendrecv", "inactive"),
    ],
)
def test_the_direction_is_what_the_offer_leaves_of_what_the_other_would_do(
    offered: str, other: str, answered: str
) -> None:
    given_answer = answer(with_sound(f"a={offered}"), with_sound(f"a={other}", head=OTHER_HEAD))
    assert given_answer is not None
    session = parse_sdp(given_answer)
    assert direction(session, session.media[0]).value == answered


def test_an_answer_says_where_the_other_hears_and_what_of_its_codecs_stays() -> None:
    mine = sound("8 96 101", *rtpmaps(OPUS, EVENT), "a=mid:voice", "a=ptime:20")
    other = sound(
        "8 0 101",
        *rtpmaps(EVENT, "0 PCMU/8000"),
        "a=fmtp:101 0-16",
        "a=ptime:30",
        "a=mid:1",
        "a=rtcp-mux",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        head=OTHER_HEAD,
        port=6000,
    ).replace(b"t=0 0", b"t=0 3600\r\na=group:BUNDLE 1")
    assert (
        answer(mine, other)
        == (
            OTHER_HEAD
            + "m=audio 6000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
            "a=ptime:30\r\na=mid:voice\r\na=sendrecv\r\n"
        ).encode()
    )


def test_media_stay_in_the_order_of_the_offer_and_what_has_no_partner_is_refused() -> None:
    video = b"m=video 4002 RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\na=mid:v\r\n"
    mine = HEAD.encode() + video + sound("8")[len(HEAD) :] + FAX[len(HEAD) :]
    joined = join(mine, sound("8", head=OTHER_HEAD, port=6000))
    assert joined is not None
    media = parse_sdp(joined.to_first).media
    assert [(each.media, each.port) for each in media] == [("video", 0), ("audio", 6000), ("image", 0)]
    assert media[0].attribute("mid") == "v"
    assert [each.port for each in parse_sdp(joined.to_second).media] == [4000]


def test_sound_is_needed_where_sound_was_offered() -> None:
    video = b"m=video 4002 RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\n"
    assert join(sound("8") + video, sound("0") + video) is None
    assert join(HEAD.encode() + video, OTHER_HEAD.encode() + video) is not None
    assert join(FAX, FAX) is not None
    assert join(FAX, PHONE) is None


def test_a_medium_that_is_switched_off_is_nobodys_partner() -> None:
    assert join(sound("8"), sound("8", port=0)) is None
    joined = join(sound("8"), sound("8", port=0) + b"m=audio 7000 RTP/AVP 8\r\n")
    assert joined is not None
    assert parse_sdp(joined.to_first).media[0].port == 7000
    assert [each.port for each in parse_sdp(joined.to_second).media] == [0, 4000]


def test_a_refused_medium_has_an_address_where_the_session_has_none() -> None:
    head = HEAD.replace("c=IN IP4 192.0.2.10\r\n", "")
    other = sound("8", "c=IN IP4 198.51.100.20", head=head)
    given_answer = answer(PHONE + b"m=video 4002 RTP/AVP 97\r\n", other)
    assert given_answer is not None
    session = parse_sdp(given_answer)
    assert all(session.connection_of(medium) is not None for medium in session.media)


@pytest.mark.parametrize(
    ("protocol", "other", "joins"),
    [
        ("RTP/AVP", "RTP/AVP", True),
        ("RTP/AVP", "rtp/avp", False),  # no RTP that we know
        ("RTP/AVP", "RTP/SAVP", False),
        ("RTP/AVP", "RTP/AVPF", False),
        ("TCP/RTP/AVP", "TCP/RTP/AVP", False),
        ("RTP/SAVP", "RTP/SAVP", False),  # without keys
    ],
)
def test_the_protocol_is_the_same_at_both_ends(protocol: str, other: str, joins: bool) -> None:
    joined = join(sound("8", protocol=protocol), sound("8", protocol=other))
    assert (joined is not None) is joins


def test_keys_are_answered_with_the_tag_of_the_offer_and_the_key_of_the_other() -> None:
    mine = sound(
        "8", "a=crypto:1 SUITE_A inline:mineA", "a=crypto:2 SUITE_B inline:mineB", protocol="RTP/SAVP"
    )
    other = sound(
        "8", "a=crypto:7 SUITE_B inline:theirsB", "a=crypto:8 SUITE_C inline:theirsC", protocol="RTP/SAVP"
    )
    joined = join(mine, other)
    assert joined is not None
    assert parse_sdp(joined.to_first).media[0].attributes("crypto") == ["2 SUITE_B inline:theirsB"]
    assert parse_sdp(joined.to_second).media[0].attributes("crypto") == ["7 SUITE_B inline:mineB"]
    assert join(mine, sound("8", "a=crypto:1 SUITE_C inline:x", protocol="RTP/SAVP")) is None


@pytest.mark.parametrize("mine", [b"", b"v=1\r\n", b"hello"])
def test_what_is_no_description_is_refused(mine: bytes) -> None:
    for first, second in ((mine, PHONE), (PHONE, mine)):
        with pytest.raises(SdpError):
            join(first, second)
    with pytest.raises(SdpError):
        fresh_offer(mine)


# As a new offer


@pytest.mark.parametrize("word", ["sendonly", "recvonly", "inactive", "sendrecv", "inactive "])
def test_a_fresh_offer_speaks_and_listens(word: str) -> None:
    for body in (
        with_sound(f"a={word}", "a=ptime:20"),
        with_sound("a=ptime:20").replace(b"t=0 0\r\n", f"t=0 0\r\na={word}\r\n".encode()),
    ):
        assert fresh_offer(body) == with_sound("a=ptime:20", "a=sendrecv")


def test_a_fresh_offer_of_one_who_held_in_the_older_way_names_the_address_of_its_origin() -> None:
    held = PHONE.replace(b"c=IN IP4 192.0.2.10", b"c=IN IP4 0.0.0.0")
    assert parse_sdp(fresh_offer(held)).connection.address == "192.0.2.10"
    nowhere = held.replace(b"o=- 20001 20001 IN IP4 192.0.2.10", b"o=- 20001 20001 IN IP4 phone.example.com")
    assert parse_sdp(fresh_offer(nowhere)).connection.address == "0.0.0.0"
    mixed = held.replace(b"c=IN IP4 0.0.0.0", b"c=IN IP6 ::")
    assert parse_sdp(fresh_offer(mixed)).connection.address == "::"


def test_what_is_switched_off_stays_so() -> None:
    body = PHONE.replace(b"49170", b"0")
    assert parse_sdp(fresh_offer(body)).media[0].is_rejected


# Whatever is offered


NAMES = st.sampled_from(["opus/48000/2", "telephone-event/8000", "iLBC/8000", "AMR/8000", "PCMA/8000"])
NUMBERS = st.sampled_from([0, 8, 9, 13, 18, 96, 97, 101])
WORDS = st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive", ""])


@st.composite
def media(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["audio", "audio", "video", "image"]))
    if kind == "image":
        return f"m=image {draw(st.sampled_from([0, 4004]))} udptl t38\r\n"
    numbers = draw(st.lists(NUMBERS, min_size=1, max_size=5, unique=True))
    protocol = draw(st.sampled_from(["RTP/AVP", "RTP/AVP", "RTP/SAVP"]))
    text = f"m={kind} {draw(st.sampled_from([0, 4000, 4002]))} {protocol} {' '.join(map(str, numbers))}\r\n"
    if draw(st.booleans()):
        text += "c=IN IP4 203.0.113.9\r\n"
    text += "".join(f"a=rtpmap:{number} {draw(NAMES)}\r\n" for number in numbers if draw(st.booleans()))
    if protocol == "RTP/SAVP" and draw(st.booleans()):
        text += f"a=crypto:{draw(st.integers(1, 3))} {draw(st.sampled_from(['X', 'Y']))} inline:key\r\n"
    word = draw(WORDS)
    return text + (f"a={word}\r\n" if word else "")


@st.composite
def offers(draw: st.DrawFn) -> bytes:
    word = draw(WORDS)
    head = draw(st.sampled_from([HEAD, OTHER_HEAD])) + (f"a={word}\r\n" if word else "")
    body = (head + "".join(draw(st.lists(media(), max_size=3)))).encode()
    return body if draw(st.booleans()) else body[:-2]  # without an end of its last line


def assert_answers(offer: SessionDescription, given_answer: SessionDescription) -> None:
    """RFC 3264 6: what makes a description a valid answer, whatever the other end has."""
    assert [line.value for line in given_answer.lines if line.type == "t"] == [
        line.value for line in offer.lines if line.type == "t"
    ]
    assert len(given_answer.media) == len(offer.media)
    for asked, said in zip(offer.media, given_answer.media, strict=True):
        assert (said.media, said.protocol) == (asked.media, asked.protocol)
        if said.is_rejected:
            continue
        assert not asked.is_rejected
        assert said.formats == [each for each in asked.formats if each in said.formats]
        if asked.is_rtp:
            meant = {codec.payload_type: codec for codec in asked.codecs}
            for codec in said.codecs:
                if codec.payload_type in STATIC_CODECS:
                    continue
                assert codec.clock_rate == meant[codec.payload_type].clock_rate
        way, wanted = direction(given_answer, said), direction(offer, asked)
        assert way not in SPEAKS or wanted in LISTENS
        assert way not in LISTENS or wanted in SPEAKS


def check_joined(first: bytes, second: bytes) -> None:
    joined = join(first, second)
    backwards = join(second, first)
    assert (joined is None) is (backwards is None)
    if joined is None or backwards is None:
        return
    assert joined == (backwards.to_second, backwards.to_first)
    answers = [parse_sdp(each) for each in joined]
    for offer, given_answer in zip((first, second), answers, strict=True):
        assert_answers(parse_sdp(offer), given_answer)
    taken = [
        sorted((each.media, sorted(each.formats)) for each in given_answer.media if not each.is_rejected)
        for given_answer in answers
    ]
    assert taken[0] == taken[1]
    assert taken[0]


@settings(max_examples=300)
@given(offers(), offers())
def test_both_answers_are_valid_and_take_the_same(first: bytes, second: bytes) -> None:
    check_joined(first, second)


@given(offers())
def test_a_fresh_offer_holds_nobody_and_stays_what_it_is(body: bytes) -> None:
    fresh = fresh_offer(body)
    assert not is_hold(parse_sdp(fresh))
    assert fresh_offer(fresh) == fresh
    assert len(parse_sdp(fresh).media) == len(parse_sdp(body).media)


SDP_FILES = corpus("messages/sofia-sdp_tests", "*.sdp")
PHONES = corpus("messages/phones", "*invite*.sip")


@pytest.mark.parametrize("file", SDP_FILES)
def test_other_peoples_descriptions_are_joined_or_not_but_never_badly(file: Path) -> None:
    check_all_with(file.read_bytes())


@pytest.mark.parametrize("file", PHONES)
def test_phones_offers_are_joined_with_each_other(file: Path) -> None:
    check_all_with(request(with_true_length(file.read_bytes())).body)


def check_all_with(body: bytes) -> None:
    others = [PHONE, BOTH, FAX]
    phones = sorted((CORPORA / "messages/phones").glob("*invite*.sip"))
    others += [request(with_true_length(each.read_bytes())).body for each in phones]
    for other in others:
        try:
            check_joined(body, other)
            fresh_offer(body)
        except SdpError:
            continue
