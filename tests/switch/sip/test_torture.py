"""RFC 4475 and RFC 5118, section by section: what the parser reads and what the door says.

The RFC's messages that the shared corpus has are read from there; the others are our own transcriptions of
what each section describes.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from switch.sip.errors import SipParseError
from switch.sip.fields import CSeq
from switch.sip.framing import StreamBroken, StreamFramer
from switch.sip.message import Request, format_message, make_response
from switch.sip.parser import parse_message
from switch.sip.uri import SipUri, parse_name_addr, parse_uri, uris_equal
from switch.sip.validate import door_refusal, response_problem
from tests.switch.sip.samples import CORPORA, assert_prints_back_equal, request, response

RFC4475 = CORPORA / "rfc4475"
ENTERS = 0
DROPPED = -1
VERDICTS = {"enters": ENTERS, "dropped": DROPPED}


def transcriptions(file: str) -> dict[str, tuple[bytes, int]]:
    """name -> the message and its verdict, from one of the text files beside this one."""
    blocks = (Path(__file__).parent / file).read_text().split("\n=== ")[1:]
    messages = {}
    for block in blocks:
        title, _about, text = block.split("\n", 2)
        name, _, expected = title.partition(" -> ")
        messages[name] = (as_message(text), VERDICTS[expected] if expected in VERDICTS else int(expected))
    return messages


def as_message(text: str) -> bytes:
    """Text lines -> octets; "{CL}" becomes the length of the body."""
    head, _, body = text.strip("\n").replace("\n", "\r\n").encode().partition(b"\r\n\r\n")
    return head.replace(b"{CL}", b"%d" % len(body)) + b"\r\n\r\n" + body


TRANSCRIBED = transcriptions("rfc4475_own.txt") | transcriptions("rfc5118_own.txt")


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
        assert invite.cseq == CSeq(9, "INVITE")
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
    assert len(message.from_tag) == 155
    assert message.call_id.startswith("longreq.")
    assert len(message.call_id) == 141


def test_octets_after_content_length_are_not_part_of_a_datagram() -> None:
    message = request(corpus_message("dblreq"))
    assert message.method == "REGISTER"
    assert message.body == b""
    assert b"INVITE" not in format_message(message)


def test_the_same_octets_on_a_stream_are_two_messages() -> None:
    # One octet is left over at the end, which breaks the stream after both.
    with pytest.raises(StreamBroken) as broken:
        StreamFramer().feed(corpus_message("dblreq"))
    methods = [request(frame).method for frame in broken.value.frames if isinstance(frame, bytes)]
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


@pytest.mark.parametrize("name", TRANSCRIBED)
def test_a_transcribed_message_gets_the_verdict_of_its_section(name: str) -> None:
    data, expected = TRANSCRIBED[name]
    assert verdict(data) == expected
    if expected == ENTERS:
        assert_prints_back_equal(data)


def test_every_message_of_rfc_4475_is_here() -> None:
    own = transcriptions("rfc4475_own.txt")
    from_corpus = list(RFC4475.glob("*.dat")) if RFC4475.exists() else [Path()] * 23
    assert len(own) + len(from_corpus) == 49


def test_a_contact_parameter_and_a_uri_parameter_are_told_apart() -> None:
    header = request(TRANSCRIBED["cparam01"][0]).contact
    uri = request(TRANSCRIBED["cparam02"][0]).contact
    assert header is not None
    assert uri is not None
    assert (header.uri, header.params) == ("sip:+441632960001@gw1.example.net", {"unknownparam": None})
    assert (uri.uri, uri.params) == ("sip:+441632960001@gw1.example.net;unknownparam", {})


def test_the_port_of_an_ipv6_uri_is_what_follows_the_bracket() -> None:
    ambiguous = request(TRANSCRIBED["5118-4.3"][0]).request_uri
    unambiguous = request(TRANSCRIBED["5118-4.4"][0]).request_uri
    assert isinstance(ambiguous, SipUri)
    assert isinstance(unambiguous, SipUri)
    assert (ambiguous.host, ambiguous.port) == ("[2001:db8::10:5070]", None)
    assert (unambiguous.host, unambiguous.port) == ("[2001:db8::10]", 5070)


def test_both_forms_of_a_received_ipv6_address_are_read() -> None:
    bare = request(TRANSCRIBED["5118-4.5-bare"][0]).top_via
    bracketed = request(TRANSCRIBED["5118-4.5-bracketed"][0]).top_via
    assert bare.received == "2001:db8::9:255"
    assert bracketed.received == "[2001:db8::9:255]"
    assert bare.host == "[2001:db8::9:1]"


def test_three_and_two_colons_are_one_address() -> None:
    three = parse_uri("sip:bob@[2001:db8:::192.0.2.1]")
    assert uris_equal(three, parse_uri("sip:bob@[2001:db8::192.0.2.1]"))
    assert parse_name_addr("<sip:bob@[2001:db8:::192.0.2.1]>").parsed_uri == three
