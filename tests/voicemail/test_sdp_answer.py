"""The answer to an offer: the first sound we speak, in the caller's order; the rest refused in its place."""

from switch.sdp.offer_answer import Direction
from voicemail.sdp_answer import agree, format_answer, format_offer, read_session

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


def answer(body: str) -> str | None:
    session = read_session((HEAD + body).encode())
    assert session is not None
    agreed = agree(session)
    if agreed is None:
        return None
    return format_answer(session, agreed, host="127.0.0.1", port=4000, session_id=7, version=2).decode()


# what the m= line and its rtpmaps offer -> the m= line of the answer
OFFERS = (
    ("m=audio 9000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n", "m=audio 4000 RTP/AVP 8 101"),
    ("m=audio 9000 RTP/AVP 0 8\r\n", "m=audio 4000 RTP/AVP 0"),
    ("m=audio 9000 RTP/AVP 18 9 8\r\n", "m=audio 4000 RTP/AVP 9"),
    (
        "m=audio 9000 RTP/AVP 96 97 98 8\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/8000\r\n"
        "a=rtpmap:98 telephone-event/48000\r\n",
        "m=audio 4000 RTP/AVP 96 98",
    ),
    ("m=audio 9000 RTP/AVPF 8\r\n", "m=audio 4000 RTP/AVPF 8"),
    ("m=video 9002 RTP/AVP 31\r\nm=audio 9000 RTP/AVP 8\r\n", "m=audio 4000 RTP/AVP 8"),
)


def test_the_first_codec_of_the_caller_that_we_speak_is_taken() -> None:
    for body, expected in OFFERS:
        assert expected in (answer(body) or "").split("\r\n"), body


def test_what_cannot_be_spoken_is_refused() -> None:
    for body in (
        "m=audio 9000 RTP/AVP 18\r\n",
        "m=audio 0 RTP/AVP 8\r\n",
        "m=audio 9000 RTP/SAVP 8\r\n",
        "m=image 9000 udptl t38\r\n",
        "m=audio 9000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n",
    ):
        assert answer(body) is None, body
    assert read_session(b"nonsense") is None


def test_other_media_are_refused_in_their_place() -> None:
    lines = (answer("m=video 9002 RTP/AVP 31 34\r\nm=audio 9000 RTP/AVP 8\r\n") or "").split("\r\n")
    media = [line for line in lines if line.startswith("m=")]
    assert media == ["m=video 0 RTP/AVP 31 34", "m=audio 4000 RTP/AVP 8"]


def test_a_caller_who_holds_is_sent_nothing() -> None:
    # what the caller says, what we answer, whether anything is sent
    for said, answered, may_send in (
        ("a=sendrecv", Direction.SENDRECV, True),
        ("a=sendonly", Direction.RECVONLY, False),
        ("a=recvonly", Direction.SENDONLY, True),
        ("a=inactive", Direction.INACTIVE, False),
        ("c=IN IP4 0.0.0.0", Direction.SENDRECV, False),
    ):
        session = read_session(f"{HEAD}m=audio 9000 RTP/AVP 8\r\n{said}\r\n".encode())
        assert session is not None
        agreed = agree(session)
        assert agreed is not None
        assert (agreed.direction, agreed.may_send) == (answered, may_send), said


def test_an_address_that_is_a_name_is_sent_nothing() -> None:
    session = read_session(f"{HEAD}m=audio 9000 RTP/AVP 8\r\nc=IN IP4 host.example\r\n".encode())
    assert session is not None
    agreed = agree(session)
    assert agreed is not None and not agreed.may_send


def test_our_own_offer_can_be_agreed_to() -> None:
    session = read_session(format_offer(host="::1", port=4000, session_id=7, version=1))
    assert session is not None
    agreed = agree(session)
    assert agreed is not None
    assert (agreed.host, agreed.port, agreed.payload_type, agreed.event_type) == ("::1", 4000, 8, 101)
