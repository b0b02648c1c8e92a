"""RFC 4475 and RFC 5118, section by section: what the parser reads and what the door says.

The RFC's messages that the shared corpus has are read from there; the others are our own transcriptions of
what each section describes.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from switch.sip.errors import SipParseError
from switch.sip.framing import StreamBroken, StreamFramer
from switch.sip.message import Request, format_message, make_response
from switch.sip.parser import parse_message
from switch.sip.uri import SipUri, parse_name_addr, parse_uri, uris_equal
from switch.sip.validate import door_refusal, response_problem
from tests.switch.sip.samples import CORPORA, assert_prints_back_equal, request, response, transcribed

RFC4475 = CORPORA / "rfc4475"
ENTERS = 0
DROPPED = -1


def verdict(data: bytes) -> int:
    """The status that answers the request, ENTERS when it may come in, DROPPED when nothing is answered."""
    try:
        message = parse_message(data)
    except SipParseError as error:
        return DROPPED if error.request is None else error.status
    if isinstance(message, Request):
        refusal = door_refusal(message)
        return ENTERS if refusal is None else refusal.status
    return ENTERS if response_problem(message) is None else DROPPED


def corpus_cases() -> list[Any]:
    if not (RFC4475 / "expected.json").exists():
        skip = pytest.mark.skip(reason=f"the corpus is not at {RFC4475}")
        return [pytest.param({}, id="rfc4475-absent", marks=skip)]
    cases = json.loads((RFC4475 / "expected.json").read_text())["messages"]
    return [pytest.param(case, id=case["name"]) for case in cases]


def corpus_message(name: str) -> bytes:
    path = RFC4475 / f"{name}.dat"
    if not path.exists():
        pytest.skip(f"the corpus is not at {RFC4475}")
    return path.read_bytes()


@pytest.mark.parametrize("case", corpus_cases())
def test_a_corpus_message_gets_the_verdict_of_the_rfc(case: dict[str, Any]) -> None:
    found = verdict((RFC4475 / case["file"]).read_bytes())
    if case["must_parse"]:
        assert found == ENTERS
    elif case["kind"] == "response":
        assert found == DROPPED
    else:
        may_enter = any("process" in str(other) for other in case["response_codes_also_acceptable"])
        assert found in {*case["response_codes_rfc"], *([ENTERS] if may_enter else [])}


@pytest.mark.parametrize("case", corpus_cases())
def test_a_corpus_message_that_enters_prints_back_equal(case: dict[str, Any]) -> None:
    data = (RFC4475 / case["file"]).read_bytes()
    if verdict(data) == ENTERS:
        assert_prints_back_equal(data)
    else:
        assert not case["must_parse"]


@pytest.mark.parametrize("case", [case for case in corpus_cases() if not case.values[0].get("must_parse")])
def test_a_refused_corpus_request_is_answered_in_well_formed_sip(case: dict[str, Any]) -> None:
    data = (RFC4475 / case["file"]).read_bytes()
    status = verdict(data)
    if status in {ENTERS, DROPPED}:
        assert case["kind"] == "response" or case["response_codes_also_acceptable"]
        return
    try:
        refused = request(data)
    except SipParseError as error:
        assert error.request is not None
        refused = error.request
    answer = response(format_message(make_response(refused, status, to_tag="local")))
    assert answer.status == 400
    assert answer.top_via == refused.top_via
    assert answer.call_id == refused.call_id
    assert answer.headers.get("cseq") == refused.headers.get("cseq")


class TestShortTortuousInvite:
    """3.1.1.1"""

    @pytest.fixture
    def invite(self) -> Request:
        return request(corpus_message("wsinv"))

    def test_folds_spaces_and_case_do_not_matter(self, invite: Request) -> None:
        assert invite.method == "INVITE"
        assert invite.uri == "sip:vivekg@chair-dnrc.example.com;unknownparam"
        assert invite.max_forwards == 68
        assert invite.cseq == (9, "INVITE")
        assert invite.call_id == "wsinv.ndaksdj@192.0.2.1"
        assert invite.to.uri == "sip:vivekg@chair-dnrc.example.com"
        assert invite.to_tag == "1918181833n"
        assert invite.from_.display == 'J Rosenberg \\"'
        assert invite.from_tag == "98asjd8"

    def test_the_via_list_has_three_elements_over_two_fields(self, invite: Request) -> None:
        assert invite.headers.count("via") == 2
        assert len(invite.headers.values("via")) == 3
        assert invite.top_via.host == "192.0.2.2"
        assert invite.top_via.branch == "390skdjuw"

    def test_contact_in_compact_form_with_quoted_quotes(self, invite: Request) -> None:
        assert invite.contact is not None
        assert invite.contact.display == 'Quoted string ""'
        assert invite.contact.uri == "sip:jdrosen@example.com"
        assert invite.contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}

    def test_unknown_fields_are_kept_as_they_are(self, invite: Request) -> None:
        assert invite.headers.get("newfangledheader") == "newfangled value continued newfangled value"
        assert invite.headers.get("unknownheaderwithunusualvalue") == ";;,,;;,;"
        assert invite.headers.get("subject") == ""


class TestWideRangeOfCharacters:
    """3.1.1.2"""

    def test_every_token_character_may_be_in_a_method(self) -> None:
        message = request(corpus_message("intmeth"))
        assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
        assert message.cseq.method == message.method

    def test_the_user_part_keeps_what_looks_like_structure(self) -> None:
        uri = request(corpus_message("intmeth")).request_uri
        assert isinstance(uri, SipUri)
        assert uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
        assert uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
        assert uri.host == "example.com"
        assert uri.params == {}

    def test_quoted_pairs_may_be_control_characters(self) -> None:
        assert request(corpus_message("intmeth")).to.display == "BEL:\a NUL:\0 DEL:\x7f"

    def test_display_names_and_parameters_of_odd_tokens(self) -> None:
        address = request(corpus_message("intmeth")).from_
        assert address.display == "token1~` token2'+_ token3*%!.-"
        assert address.tag == "_token~1'+`*%!-."
        assert address.params["fromparam''~+*_!.-%"] == '"работающий"'


class TestEscapes:
    """3.1.1.3, 3.1.1.4, 3.1.1.5"""

    def test_an_escaped_at_sign_stays_in_the_user_part(self) -> None:
        uri = request(corpus_message("esc01")).request_uri
        assert isinstance(uri, SipUri)
        assert uri.user == "sips%3Auser%40example.com"
        assert uri.unescaped_user == "sips:user@example.com"
        assert uri.host == "example.net"

    def test_escapes_are_undone_once(self) -> None:
        contact = request(corpus_message("esc01")).contact
        assert contact is not None
        assert isinstance(contact.parsed_uri, SipUri)
        assert contact.parsed_uri.params == {"%6c%72": None, "n%61me": "v%61lue%25%34%31"}
        same = parse_uri("sip:caller@host5.example.net;lr;name=value%2541")
        assert uris_equal(contact.parsed_uri, same)

    def test_an_escaped_nul_does_not_end_a_user_part(self) -> None:
        message = request(corpus_message("escnull"))
        assert isinstance(message.to.parsed_uri, SipUri)
        assert message.to.parsed_uri.unescaped_user == "null-\0-null"
        one, two = (contact.parsed_uri for contact in message.contacts)
        assert not uris_equal(one, two)

    def test_a_percent_sign_outside_a_uri_escapes_nothing(self) -> None:
        message = request(corpus_message("esc02"))
        assert message.method == "RE%47IST%45R"
        assert [contact.uri for contact in message.contacts] == [
            "sip:alias1@host1.example.com",
            "sip:alias3@host3.example.com",
        ]
        assert message.headers.get("c%6fntact") == "<sip:alias2@host2.example.com>"
        assert message.to.display == "%Z%45"
        assert message.top_via.branch == "z9hG4bK209%fzsnel234"


def test_a_display_name_may_touch_the_angle_bracket() -> None:
    address = request(corpus_message("lwsdisp")).from_
    assert (address.display, address.uri) == ("caller", "sip:caller@example.com")


def test_long_values_are_read_whole() -> None:
    message = request(corpus_message("longreq"))
    assert len(message.headers.values("via")) == 34
    assert message.to.display.startswith("I have a user name of extreme")
    assert message.from_tag is not None
    assert len(message.from_tag) == 96
    assert message.call_id.startswith("longreq.")
    assert len(message.call_id) == 138


def test_octets_after_content_length_are_not_part_of_a_datagram() -> None:
    message = request(corpus_message("dblreq"))
    assert message.method == "REGISTER"
    assert message.body == b""
    assert b"INVITE" not in format_message(message)


def test_the_same_octets_on_a_stream_are_two_messages() -> None:
    frames = StreamFramer().feed(corpus_message("dblreq"))
    methods = [request(frame).method for frame in frames if isinstance(frame, bytes)]
    assert methods == ["REGISTER", "INVITE"]


def test_semicolons_may_be_in_a_user_part() -> None:
    uri = request(corpus_message("semiuri")).request_uri
    assert isinstance(uri, SipUri)
    assert (uri.unescaped_user, uri.host) == ("user;par=u@example.net", "example.com")


def test_unknown_transports_are_read() -> None:
    message = request(corpus_message("transports"))
    transports = [value.split("/")[2].split(" ")[0] for value in message.headers.values("via")]
    assert transports == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_a_binary_body_comes_through_octet_for_octet() -> None:
    data = corpus_message("mpart01")
    message = request(data)
    assert b"\0" in message.body
    assert message.body == data.partition(b"\r\n\r\n")[2]
    assert format_message(message) == data


def test_reason_phrases_may_be_utf_8_or_empty() -> None:
    odd = response(corpus_message("unreason"))
    assert odd.status == 200
    assert odd.reason.startswith("= 2**3 * 5**2 но сто")
    assert response(corpus_message("noreason")).reason == ""


def test_a_stream_waits_for_a_body_that_never_comes_and_breaks_on_a_negative_length() -> None:
    framer = StreamFramer()
    assert framer.feed(corpus_message("clerr")) == []
    assert framer.has_partial
    with pytest.raises(StreamBroken):
        StreamFramer().feed(corpus_message("ncl"))


def test_extra_spaces_in_a_request_line_are_not_sent_on() -> None:
    assert format_message(request(corpus_message("lwsstart"))).startswith(
        b"INVITE sip:user@example.com SIP/2.0\r\n"
    )
    assert format_message(request(corpus_message("trws"))).startswith(
        b"OPTIONS sip:remote-target@example.com SIP/2.0\r\n"
    )


# name: what the section is about, the verdict, the message
TRANSCRIBED: dict[str, tuple[str, int, str]] = {
    "escruri": (
        "3.1.2.11 header components in the Request-URI",
        400,
        """
    INVITE sip:bob@example.com?Route=%3Csip:proxy.example.com%3E SIP/2.0
    To: sip:bob@example.com
    From: sip:ann@example.net;tag=341518
    Max-Forwards: 7
    Contact: <sip:ann@host39923.example.net>
    Call-ID: escruri.own-transcription
    CSeq: 149209342 INVITE
    Via: SIP/2.0/UDP host-of-the-hour.example.com;branch=z9hG4bKkdjuw
    Content-Type: application/sdp
    Content-Length: {CL}

    v=0
    """,
    ),
    "baddate": (
        "3.1.2.12 a Date that is not GMT: nobody here reads it",
        ENTERS,
        """
    INVITE sip:bob@example.com SIP/2.0
    To: sip:bob@example.com
    From: sip:ann@example.net;tag=2234923
    Max-Forwards: 70
    Call-ID: baddate.own-transcription
    CSeq: 1392934 INVITE
    Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw
    Date: Fri, 01 Jan 2010 16:00:00 EST
    Contact: <sip:ann@host5.example.net>
    Content-Length: {CL}

    """,
    ),
    "regbadct": (
        "3.1.2.13 a Contact with header components and no angle brackets",
        400,
        """
    REGISTER sip:example.com SIP/2.0
    To: sip:bob@example.com
    From: sip:bob@example.com;tag=998332
    Max-Forwards: 70
    Call-ID: regbadct.own-transcription
    CSeq: 1 REGISTER
    Via: SIP/2.0/UDP 135.180.130.133:5060;branch=z9hG4bKkdjuw
    Contact: sip:bob@example.com?Route=%3Csip:sip.example.com%3E
    l: 0

    """,
    ),
    "badaspec": (
        "3.1.2.14 spaces inside the angle brackets",
        400,
        """
    OPTIONS sip:bob@example.org SIP/2.0
    Via: SIP/2.0/UDP host4.example.com:5060;branch=z9hG4bKkdju43234
    Max-Forwards: 70
    From: "Bell, Alex" <sip:a.bell@example.com>;tag=433423
    To: "Watson, Tom" < sip:t.watson@example.org >
    Call-ID: badaspec.own-transcription
    Accept: application/sdp
    CSeq: 3923239 OPTIONS
    l: 0

    """,
    ),
    "baddn": (
        "3.1.2.15 a comma in an unquoted display name",
        400,
        """
    OPTIONS sip:t.watson@example.org SIP/2.0
    Via: SIP/2.0/UDP c.example.com:5060;branch=z9hG4bKkdjuw
    Max-Forwards: 70
    From: Bell, Alex <sip:a.bell@example.com>;tag=43
    To: Watson, Tom <sip:t.watson@example.org>
    Call-ID: baddn.own-transcription
    Accept: application/sdp
    CSeq: 3923239 OPTIONS
    l: 0

    """,
    ),
    "badvers": (
        "3.1.2.16 a SIP version that nobody has written yet",
        505,
        """
    OPTIONS sip:t.watson@example.org SIP/7.0
    Via: SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw
    Max-Forwards: 70
    From: A. Bell <sip:a.bell@example.com>;tag=qweoiqpe
    To: T. Watson <sip:t.watson@example.org>
    Call-ID: badvers.own-transcription
    CSeq: 1 OPTIONS
    l: 0

    """,
    ),
    "mismatch01": (
        "3.1.2.17 CSeq names another method",
        400,
        """
    OPTIONS sip:bob@example.com SIP/2.0
    To: sip:bob@example.com
    From: sip:ann@example.net;tag=34525
    Max-Forwards: 6
    Call-ID: mismatch01.own-transcription
    CSeq: 8 INVITE
    Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw
    l: 0

    """,
    ),
    "mismatch02": (
        "3.1.2.18 the same with a method that nobody knows",
        400,
        """
    NEWMETHOD sip:bob@example.com SIP/2.0
    To: sip:bob@example.com
    From: sip:ann@example.net;tag=34525
    Max-Forwards: 6
    Call-ID: mismatch02.own-transcription
    CSeq: 8 INVITE
    Contact: <sip:ann@host.example.net>
    Via: SIP/2.0/UDP host.example.net;branch=z9hG4bKkdjuw
    l: 0

    """,
    ),
    "bigcode": (
        "3.1.2.19 a status beyond every class",
        DROPPED,
        """
    SIP/2.0 4294967301 better not break the receiver
    Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
    Call-ID: bigcode.own-transcription
    CSeq: 353494 INVITE
    From: <sip:bob@example.com>;tag=39ansfi3
    To: <sip:bob@example.edu>;tag=902jndnke3
    Content-Length: 0
    Contact: <sip:bob@host105.example.com>

    """,
    ),
    "badbranch": (
        "3.2.1 a branch that is the magic cookie and nothing else: the transaction layer treats it as RFC 2543's",
        ENTERS,
        """
    OPTIONS sip:bob@example.com SIP/2.0
    To: sip:bob@example.com
    From: sip:ann@example.org;tag=33242
    Max-Forwards: 3
    Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK
    Accept: application/sdp
    Call-ID: badbranch.own-transcription
    CSeq: 8 OPTIONS
    l: 0

    """,
    ),
    "insuf": (
        "3.3.1 no Call-ID, From or To",
        400,
        """
    INVITE sip:bob@example.com SIP/2.0
    CSeq: 193942 INVITE
    Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf
    Content-Type: application/sdp
    l: {CL}

    v=0
    """,
    ),
    "unkscm": (
        "3.3.2 a Request-URI of an unknown scheme",
        416,
        """
    OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0
    To: sip:bob@example.com
    From: sip:ann@example.net;tag=384
    Max-Forwards: 3
    Call-ID: unkscm.own-transcription
    CSeq: 3923423 OPTIONS
    Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234
    Content-Length: 0

    """,
    ),
    "novelsc": (
        "3.3.3 a registered scheme that is not SIP's",
        416,
        """
    OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0
    To: sip:bob@example.com
    From: sip:ann@example.net;tag=384
    Max-Forwards: 3
    Call-ID: novelsc.own-transcription
    CSeq: 3923423 OPTIONS
    Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234
    Content-Length: 0

    """,
    ),
    "unksm2": (
        "3.3.4 unknown schemes elsewhere are the registrar's to refuse",
        ENTERS,
        """
    REGISTER sip:example.com SIP/2.0
    To: isbn:2983792873
    From: <http://www.example.com>;tag=3234233
    Call-ID: unksm2.own-transcription
    CSeq: 234902 REGISTER
    Max-Forwards: 70
    Via: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKkdjuw
    Contact: <name:John_Smith>
    l: 0

    """,
    ),
    "bext01": (
        "3.3.5 unknown option tags are the TU's to refuse (420)",
        ENTERS,
        """
    OPTIONS sip:bob@example.com SIP/2.0
    To: sip:b_user@example.com
    From: sip:ann@example.net;tag=242etr
    Max-Forwards: 6
    Call-ID: bext01.own-transcription
    Require: nothingSupportsThis, nothingSupportsThisEither
    Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis
    CSeq: 8 OPTIONS
    Via: SIP/2.0/TLS fold-and-staple.example.com;branch=z9hG4bKkdjuw
    Content-Length: 0

    """,
    ),
    "invut": (
        "3.3.6 an unknown body type is the TU's to refuse (415)",
        ENTERS,
        """
    INVITE sip:bob@example.com SIP/2.0
    Contact: <sip:ann@host5.example.net>
    To: sip:b.user@example.com
    From: sip:ann@example.net;tag=8392034
    Max-Forwards: 70
    Call-ID: invut.own-transcription
    CSeq: 235448 INVITE
    Via: SIP/2.0/UDP somehost.example.com;branch=z9hG4bKkdjuw
    Content-Type: application/unknownformat
    Content-Length: {CL}

    <audio>
     <pcmu port="443"/>
    </audio>
    """,
    ),
    "regaut01": (
        "3.3.7 an unknown authorization scheme is no credential",
        ENTERS,
        """
    REGISTER sip:example.com SIP/2.0
    To: sip:b.user@example.com
    From: sip:b.user@example.com;tag=87321hj23128
    Max-Forwards: 8
    Call-ID: regaut01.own-transcription
    CSeq: 9338 REGISTER
    Via: SIP/2.0/TCP 192.0.2.253;branch=z9hG4bKkdjuw
    Authorization: NoOneKnowsThisScheme opaque-data=here
    Content-Length:0

    """,
    ),
    "multi01": (
        "3.3.8 several of what a request has once",
        400,
        """
    INVITE sip:bob@company.example SIP/2.0
    Contact: <sip:ann@host25.example.net>
    Via: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw
    Max-Forwards: 70
    CSeq: 5 INVITE
    Call-ID: multi01.own-transcription
    CSeq: 59 INVITE
    Call-ID: multi01.another-one
    From: sip:ann@example.com;tag=3413415
    To: sip:bob@example.com
    To: sip:other@example.net
    From: sip:other@example.net;tag=2923420123
    Content-Type: application/sdp
    l: {CL}
    Contact: <sip:ann@host36.example.net>
    Max-Forwards: 5

    v=0
    """,
    ),
    "mcl01": (
        "3.3.9 two Content-Lengths that differ",
        400,
        """
    OPTIONS sip:bob@example.com SIP/2.0
    Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK293423
    To: sip:bob@example.com
    From: sip:other@example.net;tag=3923942
    Call-ID: mcl01.own-transcription
    CSeq: 15932 OPTIONS
    Content-Length: 13
    Max-Forwards: 60
    Content-Length: 5
    Content-Type: text/plain

    There's no way to know how many octets are supposed to be here.
    """,
    ),
    "bcast": (
        "3.3.10 a response whose second Via is the broadcast address: matched by the first, forwarded nowhere",
        ENTERS,
        """
    SIP/2.0 200 OK
    Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
    Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23
    Call-ID: bcast.own-transcription
    CSeq: 35 INVITE
    From: sip:bob@example.com;tag=11141343
    To: sip:bob@example.edu;tag=2229
    Content-Length: {CL}
    Content-Type: application/sdp
    Contact: <sip:bob@host28.example.com>

    v=0
    """,
    ),
    "zeromf": (
        "3.3.11 Max-Forwards 0 on a request that ends here",
        ENTERS,
        """
    OPTIONS sip:bob@example.com SIP/2.0
    To: sip:bob@example.com
    From: sip:ann@example.net;tag=3ghsd41
    Call-ID: zeromf.own-transcription
    CSeq: 39234321 OPTIONS
    Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw2349i
    Max-Forwards: 0
    Content-Length: 0

    """,
    ),
    "cparam01": (
        "3.3.12 an unknown parameter of the Contact header",
        ENTERS,
        """
    REGISTER sip:example.com SIP/2.0
    Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw
    Max-Forwards: 70
    From: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe
    To: sip:watson@example.com
    Call-ID: cparam01.own-transcription
    CSeq: 2 REGISTER
    Contact: sip:+441632960001@gw1.example.net;unknownparam
    l: 0

    """,
    ),
    "cparam02": (
        "3.3.13 an unknown parameter of the Contact URI",
        ENTERS,
        """
    REGISTER sip:example.com SIP/2.0
    Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw
    Max-Forwards: 70
    From: sip:watson@example.com;tag=838293
    To: sip:watson@example.com
    Call-ID: cparam02.own-transcription
    CSeq: 3 REGISTER
    Contact: <sip:+441632960001@gw1.example.net;unknownparam>
    l: 0

    """,
    ),
    "regescrt": (
        "3.3.14 header components in a Contact, as they are allowed",
        ENTERS,
        """
    REGISTER sip:example.com SIP/2.0
    To: sip:bob@example.com
    From: sip:bob@example.com;tag=8
    Max-Forwards: 70
    Call-ID: regescrt.own-transcription
    CSeq: 14398234 REGISTER
    Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw
    M: <sip:bob@example.com?Route=%3Csip:sip.example.com%3E>
    L:0

    """,
    ),
    "sdp01": (
        "3.3.15 an Accept that leaves no answer is the TU's to refuse (406)",
        ENTERS,
        """
    INVITE sip:bob@example.com SIP/2.0
    To: sip:b_user@example.com
    Contact: <sip:ann@host15.example.net>
    From: sip:ann@example.net;tag=234
    Max-Forwards: 5
    Call-ID: sdp01.own-transcription
    Accept: text/nobodyKnowsThis
    CSeq: 8 INVITE
    Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw
    Content-Length: {CL}
    Content-Type: application/sdp

    v=0
    """,
    ),
    "inv2543": (
        "3.4.1 an INVITE of RFC 2543: no branch, no From tag, no Max-Forwards",
        ENTERS,
        """
    INVITE sip:bob@example.com SIP/2.0
    Via: SIP/2.0/UDP iftgw.example.com
    From: <sip:+441632960111@ift.client.example.net;user=phone>
    Record-Route: <sip:bob@example.com;maddr=ss1.example.com>
    To: sip:+441632960001@ss1.example.net;user=phone
    Call-ID: inv2543.own-transcription
    CSeq: 56 INVITE
    Contact: <sip:+441632960111@ift.client.example.net>
    Content-Type: application/sdp

    v=0
    """,
    ),
    "5118-4.1": (
        "4.1 IPv6 references",
        ENTERS,
        """
    REGISTER sip:[2001:db8::10] SIP/2.0
    To: sip:bob@example.com
    From: sip:bob@example.com;tag=81x2
    Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
    Call-ID: ipv6-good.own-transcription
    Max-Forwards: 70
    Contact: "Caller" <sip:caller@[2001:db8::1]>
    CSeq: 98176 REGISTER
    Content-Length: 0

    """,
    ),
    "5118-4.2": (
        "4.2 an IPv6 address without brackets in a URI",
        400,
        """
    REGISTER sip:2001:db8::10 SIP/2.0
    To: sip:bob@example.com
    From: sip:bob@example.com;tag=81x2
    Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
    Call-ID: ipv6-bad.own-transcription
    Max-Forwards: 70
    Contact: "Caller" <sip:caller@[2001:db8::1]>
    CSeq: 98176 REGISTER
    Content-Length: 0

    """,
    ),
    "5118-4.3": (
        "4.3 a port inside the brackets is part of the address",
        ENTERS,
        """
    REGISTER sip:[2001:db8::10:5070] SIP/2.0
    To: sip:bob@example.com
    From: sip:bob@example.com;tag=81x2
    Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
    Call-ID: port-ambiguous.own-transcription
    Max-Forwards: 70
    Contact: "Caller" <sip:caller@[2001:db8::1]>
    CSeq: 98176 REGISTER
    Content-Length: 0

    """,
    ),
    "5118-4.4": (
        "4.4 a port outside the brackets is a port",
        ENTERS,
        """
    REGISTER sip:[2001:db8::10]:5070 SIP/2.0
    To: sip:bob@example.com
    From: sip:bob@example.com;tag=81x2
    Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
    Call-ID: port-unambiguous.own-transcription
    Max-Forwards: 70
    Contact: "Caller" <sip:caller@[2001:db8::1]>
    CSeq: 98176 REGISTER
    Content-Length: 0

    """,
    ),
    "5118-4.5-bare": (
        "4.5 received without brackets",
        ENTERS,
        """
    BYE sip:[2001:db8::10] SIP/2.0
    To: sip:bob@example.com;tag=bd76ya
    From: sip:ann@example.com;tag=81x2
    Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3-111
    Call-ID: via-received.own-transcription
    Max-Forwards: 70
    CSeq: 321 BYE
    Content-Length: 0

    """,
    ),
    "5118-4.5-bracketed": (
        "4.5 received with brackets",
        ENTERS,
        """
    OPTIONS sip:[2001:db8::10] SIP/2.0
    To: sip:bob@example.com
    From: sip:ann@example.com;tag=81x2
    Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3
    Call-ID: via-received-brackets.own-transcription
    Max-Forwards: 70
    CSeq: 921 OPTIONS
    Content-Length: 0

    """,
    ),
    "5118-4.6": (
        "4.6, 4.8 IPv6 and both families in the SDP, which is no business of the parser",
        ENTERS,
        """
    INVITE sip:bob@[2001:db8::10] SIP/2.0
    To: sip:bob@[2001:db8::10]
    From: sip:ann@example.com;tag=81x2
    Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111
    Call-ID: ipv6-in-sdp.own-transcription
    Contact: "Caller" <sip:ann@[2001:db8::20]>
    CSeq: 8612 INVITE
    Max-Forwards: 70
    Content-Type: application/sdp
    Content-Length: {CL}

    v=0
    o=assistant 971731711378798081 0 IN IP6 2001:db8::20
    s=-
    c=IN IP6 2001:db8::20
    t=0 0
    m=audio 6000 RTP/AVP 0
    c=IN IP4 192.0.2.1
    """,
    ),
    "5118-4.7": (
        "4.7 both families in the Vias",
        ENTERS,
        """
    BYE sip:bob@host.example.net SIP/2.0
    Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111
    Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144
    Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200
    Call-ID: mult-ip.own-transcription
    Max-Forwards: 70
    CSeq: 89187 BYE
    To: sip:bob@example.net;tag=9817--94
    From: sip:ann@example.com;tag=81x2
    Content-Length: 0

    """,
    ),
    "5118-4.9": (
        "4.9 IPv4-mapped addresses",
        ENTERS,
        """
    INVITE sip:bob@example.com SIP/2.0
    To: sip:bob@example.com
    From: sip:ann@east.example.com;tag=81x2
    Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19
    Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111
    Call-ID: mapped.own-transcription
    Contact: "T. Desk" <sip:ann@[::ffff:192.0.2.2]>
    CSeq: 612 INVITE
    Max-Forwards: 70
    Content-Length: 0

    """,
    ),
    "5118-4.10-three-colons": (
        "4.10 the colon too many that RFC 3261's grammar allowed must be tolerated",
        ENTERS,
        """
    OPTIONS sip:bob@[2001:db8:::192.0.2.1] SIP/2.0
    To: sip:bob@[2001:db8:::192.0.2.1]
    From: sip:ann@example.com;tag=810x2
    Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111
    Call-ID: three-colons.own-transcription
    CSeq: 689 OPTIONS
    Max-Forwards: 70
    Content-Length: 0

    """,
    ),
    "5118-4.10-two-colons": (
        "4.10 as it should be",
        ENTERS,
        """
    OPTIONS sip:bob@[2001:db8::192.0.2.1] SIP/2.0
    To: sip:bob@[2001:db8::192.0.2.1]
    From: sip:ann@example.com;tag=810x2
    Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111
    Call-ID: two-colons.own-transcription
    CSeq: 689 OPTIONS
    Max-Forwards: 70
    Content-Length: 0

    """,
    ),
}


@pytest.mark.parametrize(
    ("expected", "text"),
    [pytest.param(status, text, id=name) for name, (_, status, text) in TRANSCRIBED.items()],
)
def test_a_transcribed_message_gets_the_verdict_of_its_section(expected: int, text: str) -> None:
    data = transcribed(text)
    assert verdict(data) == expected
    if expected == ENTERS:
        assert_prints_back_equal(data)


def test_every_message_of_rfc_4475_is_here() -> None:
    own = [name for name in TRANSCRIBED if not name.startswith("5118")]
    from_corpus = [path for path in RFC4475.glob("*.dat")] if RFC4475.exists() else [Path()] * 23
    assert len(own) + len(from_corpus) == 49


def test_a_contact_parameter_and_a_uri_parameter_are_told_apart() -> None:
    header = request(transcribed(TRANSCRIBED["cparam01"][2])).contact
    uri = request(transcribed(TRANSCRIBED["cparam02"][2])).contact
    assert header is not None
    assert uri is not None
    assert (header.uri, header.params) == ("sip:+441632960001@gw1.example.net", {"unknownparam": None})
    assert (uri.uri, uri.params) == ("sip:+441632960001@gw1.example.net;unknownparam", {})


def test_the_port_of_an_ipv6_uri_is_what_follows_the_bracket() -> None:
    ambiguous = request(transcribed(TRANSCRIBED["5118-4.3"][2])).request_uri
    unambiguous = request(transcribed(TRANSCRIBED["5118-4.4"][2])).request_uri
    assert isinstance(ambiguous, SipUri)
    assert isinstance(unambiguous, SipUri)
    assert (ambiguous.host, ambiguous.port) == ("[2001:db8::10:5070]", None)
    assert (unambiguous.host, unambiguous.port) == ("[2001:db8::10]", 5070)


def test_both_forms_of_a_received_ipv6_address_are_read() -> None:
    bare = request(transcribed(TRANSCRIBED["5118-4.5-bare"][2])).top_via
    bracketed = request(transcribed(TRANSCRIBED["5118-4.5-bracketed"][2])).top_via
    assert bare.received == "2001:db8::9:255"
    assert bracketed.received == "[2001:db8::9:255]"
    assert bare.host == "[2001:db8::9:1]"


def test_three_and_two_colons_are_one_address() -> None:
    three = parse_uri("sip:bob@[2001:db8:::192.0.2.1]")
    assert uris_equal(three, parse_uri("sip:bob@[2001:db8::192.0.2.1]"))
    assert parse_name_addr("<sip:bob@[2001:db8:::192.0.2.1]>").parsed_uri == three
