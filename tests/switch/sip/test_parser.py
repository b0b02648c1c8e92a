"""Bytes to messages: line ends, names, folding, Content-Length, what may occur once, limits, what can be answered."""
# ruff: noqa: RUF001 - digits and letters that only look like ours are what some of these tests are about

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.sip.errors import SipParseError
from switch.sip.fields import CSeq
from switch.sip.message import Request, Response, format_message, make_response
from switch.sip.parser import (
    HEADER_FIELDS_MAX,
    HEADER_LINE_CHARS_MAX,
    MESSAGE_BYTES_MAX,
    VIAS_MAX,
    is_keepalive,
    parse_message,
)
from switch.sip.validate import CONTACT_MATTERS, door_refusal
from tests.switch.sip.samples import (
    INVITE,
    assert_prints_back_equal,
    invite_bytes,
    message_bytes,
    request,
    response,
)
from tests.tables import cases


def refusal(data: bytes) -> SipParseError:
    with pytest.raises(SipParseError) as caught:
        parse_message(data)
    return caught.value


def test_a_plain_invite_is_read() -> None:
    message = request(invite_bytes(body=b"v=0\r\n"))
    assert (message.method, message.uri) == ("INVITE", "sip:+441632960001@exchange.example")
    assert message.call_id == "a84b4c76e66710@192.0.2.10"
    assert message.cseq == CSeq(314159, "INVITE")
    assert (message.from_.display, message.from_tag, message.to_tag) == ("Ann", "1928301774", None)
    assert message.top_via.branch == "z9hG4bK776asdhds"
    assert message.body == b"v=0\r\n"


def test_a_response_is_read() -> None:
    message = response(message_bytes("SIP/2.0 486 Busy Here", *INVITE[1:]))
    assert (message.status, message.reason) == (486, "Busy Here")


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [("SIP/2.0 180", 180, ""), ("SIP/2.0 180 ", 180, ""), ("sip/2.0 699 A  B ", 699, "A  B ")],
)
def test_a_reason_phrase_may_be_anything(line: str, status: int, reason: str) -> None:
    message = response(message_bytes(line, *INVITE[1:]))
    assert (message.status, message.reason) == (status, reason)


@pytest.mark.parametrize(
    "line",
    [
        "SIP/2.0 099 Low",
        "SIP/2.0 700 High",
        "SIP/2.0 20 Short",
        "SIP/2.0 2000 Long",
        "SIP/2.0 +20 Sign",
        "SIP/2.0 1_0 Underscore",
        "SIP/2.0 ２００ Full width",
        "SIP/2.0 1٠٠ Arabic-Indic",
        "SIP/2.0  200 Two spaces",
        "SIP/3.0 200 OK",
        "SIP/2.0",
    ],
)
def test_a_malformed_status_line_is_dropped(line: str) -> None:
    assert refusal(message_bytes(line, *INVITE[1:])).request is None


@pytest.mark.parametrize(
    "line",
    [
        "INVITE",
        "INVITE sip:bob@exchange.example",
        "INVITE sip:bob@exchange.example SIP/2.0 more",
        "INVITE sip:bob@exchange.example; lr SIP/2.0",
        "INVITE\tsip:bob@exchange.example\tSIP/2.0",
        "INVITE\u00a0sip:bob@exchange.example SIP/2.0",
        "INV(ITE sip:bob@exchange.example SIP/2.0",
        "İNVITE sip:bob@exchange.example SIP/2.0",
        "INVITE sip:bob@exchange.example SIP/2",
        "INVITE sip:bob@exchange.example \u017fIP/2.0",
        "INVITE sip:bob@exchange.example HTTP/1.1",
        "",
    ],
)
def test_a_malformed_request_line_is_refused(line: str) -> None:
    assert refusal(message_bytes(line, *INVITE[1:])).status == 400


def test_another_version_is_read_so_that_the_door_can_name_it() -> None:
    assert request(message_bytes("INVITE sip:bob@exchange.example SIP/7.0", *INVITE[1:])).version == "SIP/7.0"
    assert request(message_bytes("INVITE sip:bob@exchange.example sip/2.0", *INVITE[1:])).version == "SIP/2.0"


def test_line_ends_before_a_message_are_ignored() -> None:
    assert request(b"\r\n\r\n" + invite_bytes()).method == "INVITE"
    assert refusal(b"\r\n\r" + invite_bytes()).status == 400


def test_the_blank_line_may_be_forgotten_but_not_half_a_line() -> None:
    assert request(invite_bytes()[:-2]).body == b""
    assert refusal(invite_bytes()[:-4]).status == 400
    assert refusal(invite_bytes("Content-Length: 4")[:-2]).status == 400


class TestLineEnds:
    @pytest.mark.parametrize("end", ["\n", "\r", "\n\r", "\r\r\n", "\n\n"])
    def test_only_crlf_ends_a_line(self, end: str) -> None:
        data = invite_bytes(f"X-One: 1{end}X-Two: 2")
        error = refusal(data)
        assert error.status == 400
        assert error.request is not None
        assert "x-two" not in error.request.headers

    def test_a_line_end_is_not_echoed_in_the_answer_either(self) -> None:
        error = refusal(invite_bytes("Timestamp: 1\nX-Two: 2"))
        assert error.request is not None
        assert b"X-Two" not in format_message(make_response(error.request, 100))

    @pytest.mark.parametrize("octet", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
    def test_what_python_calls_a_line_end_is_a_character(self, octet: str) -> None:
        message = request(invite_bytes(f"X-One: 1{octet}Route: <sip:smuggled.example>"))
        assert message.headers.get("x-one") == f"1{octet}Route: <sip:smuggled.example>"
        assert "route" not in message.headers
        assert_prints_back_equal(format_message(message))

    @pytest.mark.parametrize("space", ["\x1f", "\xa0", "\u2003", "\u3000", "\x0b"])
    def test_what_python_calls_white_space_is_part_of_the_value(self, space: str) -> None:
        message = request(invite_bytes(f"X-One: {space}1{space}"))
        assert message.headers.get("x-one") == f"{space}1{space}"

    @pytest.mark.parametrize("space", ["\xa0", "\u2003", "\x0b", "\x85"])
    def test_such_a_space_does_not_fold_a_line(self, space: str) -> None:
        assert refusal(invite_bytes("X-One: 1", f"{space}X-Two: 2")).status == 400

    def test_octets_that_are_no_utf_8_come_through(self) -> None:
        data = invite_bytes("X-One: \udcff\udc80 caf\udce9")
        assert b"X-One: \xff\x80 caf\xe9\r\n" in format_message(request(data))

    def test_nul_is_refused_except_as_a_quoted_pair(self) -> None:
        assert refusal(invite_bytes("X-One: a\0b")).status == 400
        assert request(invite_bytes('X-One: "a\\\0b"')).headers.get("x-one") == '"a\\\0b"'


class TestNames:
    @pytest.mark.parametrize("line", ["X-One:1", "X-One: 1", "X-One : 1", "X-One\t:\t1 ", "x-oNE   :1\t"])
    def test_case_and_spaces_round_the_colon_do_not_matter(self, line: str) -> None:
        assert request(invite_bytes(line)).headers.get("x-one") == "1"

    @pytest.mark.parametrize(
        "line",
        [
            "X One: 1",
            ": 1",
            "X-One",
            "Via",
            "X\x0b: 1",
            "X-\u212aelvin: 1",
            "X(1): 1",
            "\xa0X: 1",
            "X\xa0: 1",
        ],
    )
    def test_a_name_is_a_token(self, line: str) -> None:
        assert refusal(message_bytes(INVITE[0], "X-First: 1", line, *INVITE[1:])).status == 400

    def test_letters_beyond_ascii_never_spell_a_known_name(self) -> None:
        # U+017F is an s and U+212A a k to str.lower() and to patterns that ignore case.
        assert refusal(invite_bytes("\u017fupported: 100rel")).status == 400

    def test_a_value_may_be_empty(self) -> None:
        assert request(invite_bytes("Supported:")).headers.get("supported") == ""
        assert request(invite_bytes("Supported:  ")).headers.values("supported") == []


class TestFolding:
    def test_a_fold_is_one_space(self) -> None:
        message = request(invite_bytes("Subject: one", " two", "\t  three  ", " ", "X-Next: 1"))
        assert message.headers.get("subject") == "one two three"
        assert message.headers.get("x-next") == "1"
        assert b"Subject: one two three \r\n" in format_message(message) or b"Subject: one two three\r\n" in (
            format_message(message)
        )

    def test_a_name_and_its_colon_may_be_on_two_lines(self) -> None:
        message = request(invite_bytes("X-One", " : 1"))
        assert message.headers.get("x-one") == "1"

    def test_the_start_line_does_not_fold(self) -> None:
        assert refusal(message_bytes(INVITE[0], " X-One: 1", *INVITE[1:])).status == 400

    def test_a_folded_content_length_counts(self) -> None:
        assert request(invite_bytes("Content-Length:", " 3", body=b"v=0junk")).body == b"v=0"


CONTENT_LENGTHS = """
# written   -> body
  5         -> hello
  005       -> hello
  0         -> -
  3         -> hel
  6         -> refused
  99999     -> refused
  -1        -> refused
  +5        -> refused
  5_0       -> refused
  1_0       -> refused
  0x5       -> refused
  5.0       -> refused
  ５        -> refused
  ٥         -> refused
  ²         -> refused
  5,5       -> refused
  5;5       -> refused
  -         -> refused
"""


@pytest.mark.parametrize(("written", "body"), cases(CONTENT_LENGTHS))
def test_content_length_is_ascii_digits_and_no_more_than_the_datagram(written: str, body: str) -> None:
    data = invite_bytes(f"Content-Length: {written}", body=b"hello")
    if body == "refused":
        error = refusal(data)
        assert error.status == 400
        assert error.request is not None
    else:
        assert request(data).body == body.encode()


def test_thousands_of_digits_are_refused_without_being_added_up() -> None:
    assert refusal(invite_bytes("Content-Length: " + "9" * 5000)).status == 400
    assert refusal(invite_bytes("Content-Length: " + "0" * 5000)).status == 400


def test_without_content_length_the_body_is_the_rest_of_the_datagram() -> None:
    assert request(invite_bytes(body=b"a\r\n\r\nb\0")).body == b"a\r\n\r\nb\0"


@pytest.mark.parametrize("second", ["Content-Length: 4", "l: 4", "CONTENT-LENGTH : 4"])
def test_two_content_lengths_that_differ_are_refused(second: str) -> None:
    assert (
        refusal(invite_bytes("Content-Length: 5", second, body=b"hello")).reason
        == "Content-Length Fields Differ"
    )


def test_two_content_lengths_that_agree_are_one() -> None:
    message = request(invite_bytes("Content-Length: 5", "l: 05", body=b"hello there"))
    assert message.body == b"hello"
    assert format_message(message).lower().count(b"content-length") == 1


@pytest.mark.parametrize(
    "second",
    [
        "From: <sip:other@exchange.example>;tag=2",
        "f: <sip:other@exchange.example>;tag=2",
        "To: <sip:other@exchange.example>",
        "t : <sip:other@exchange.example>",
        "Call-ID: another",
        "i: another",
        "CSeq: 2 INVITE",
        "cseq: 314159 INVITE",
        "Max-Forwards: 5",
    ],
)
def test_what_a_message_has_once_may_not_occur_twice(second: str) -> None:
    error = refusal(invite_bytes(second))
    assert error.reason == "Header Field Occurs Twice"
    assert error.request is not None
    assert error.request.call_id == "a84b4c76e66710@192.0.2.10"
    assert error.request.cseq == CSeq(314159, "INVITE")
    assert refusal(message_bytes("SIP/2.0 200 OK", *INVITE[1:], second)).request is None


class TestWhatCanBeAnswered:
    def test_a_broken_request_is_answered_by_what_is_left_of_it(self) -> None:
        error = refusal(invite_bytes("no colon here", "Record-Route: <sip:a.example>", "Timestamp: 54"))
        assert error.request is not None
        answer = format_message(make_response(error.request, error.status, to_tag="x"))
        assert answer.startswith(
            b"SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK776asdhds\r\n"
        )
        assert b"no colon" not in answer
        assert response(answer).to_tag == "x"

    @pytest.mark.parametrize(
        ("via", "salvaged"),
        [
            ("SIP/2.0/UDP 192.0.2.15;;,;,,", "SIP/2.0/UDP 192.0.2.15"),
            ("SIP/2.0/UDP a.example:5070;branch=z9hG4bK1;;", "SIP/2.0/UDP a.example:5070;branch=z9hG4bK1"),
            ('SIP/2.0/TCP [2001:db8::1];x="; branch=z9hG4bK1', "SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK1"),
            ("SIP/2.0/UDP a.example:99999;branch=z9hG4bK1", "SIP/2.0/UDP a.example;branch=z9hG4bK1"),
        ],
    )
    def test_a_broken_via_is_mended_as_far_as_it_can_be_read(self, via: str, salvaged: str) -> None:
        error = refusal(
            message_bytes(INVITE[0], f"Via: {via}", "Via: SIP/2.0/UDP b.example;branch=2", *INVITE[2:])
        )
        assert error.request is not None
        assert error.request.headers.get_all("via") == [salvaged, "SIP/2.0/UDP b.example;branch=2"]
        assert str(error.request.top_via) == salvaged

    @pytest.mark.parametrize("missing", ["Via", "From", "To", "Call-ID", "CSeq"])
    def test_a_broken_request_without_one_of_the_five_is_dropped(self, missing: str) -> None:
        assert refusal(invite_bytes("no colon here", without=missing)).request is None

    @pytest.mark.parametrize(
        "line",
        ["Via: nonsense", "Via: SIP/2.0/UDP 999.1.1.1", "Via: SIP/2.0/UDP", "Via: SIP/2.0/UDP ;branch=1"],
    )
    def test_without_a_legible_sender_it_is_dropped(self, line: str) -> None:
        assert refusal(invite_bytes(line, without="Via")).request is None

    def test_an_ack_is_never_answered(self) -> None:
        error = refusal(message_bytes("ACK sip:bob@exchange.example SIP/2.0", *INVITE[1:], "no colon here"))
        assert error.request is None

    def test_a_call_id_with_spaces_cannot_be_echoed(self) -> None:
        assert refusal(invite_bytes("no colon here", "Call-ID: a b", without="Call-ID")).request is None

    def test_a_folded_field_is_echoed_whole(self) -> None:
        error = refusal(invite_bytes("no colon here", "To: Bob", " <sip:bob@exchange.example>", without="To"))
        assert error.request is not None
        assert error.request.to.uri == "sip:bob@exchange.example"


class TestLimits:
    def test_header_fields(self) -> None:
        room = HEADER_FIELDS_MAX - len(INVITE) + 1
        assert len(request(invite_bytes(*["X-One: 1"] * room)).headers) == HEADER_FIELDS_MAX
        error = refusal(invite_bytes(*["X-One: 1"] * (room + 1)))
        assert error.status == 513
        assert error.request is not None

    def test_the_length_of_a_line(self) -> None:
        longest = "Subject: " + "a" * (HEADER_LINE_CHARS_MAX - 9)
        assert request(invite_bytes(longest)).headers.get("subject") == longest[9:]
        assert refusal(invite_bytes(longest + "a")).status == 513

    def test_the_length_of_a_message(self) -> None:
        room = MESSAGE_BYTES_MAX - len(invite_bytes())
        assert len(request(invite_bytes(body=b"a" * room)).body) == room
        assert refusal(invite_bytes(body=b"a" * (room + 1))).status == 513

    @pytest.mark.parametrize("separator", ["\r\nVia: ", ",", " , "])
    def test_vias(self, separator: str) -> None:
        def invite(count: int) -> bytes:
            vias = separator.join(f"SIP/2.0/UDP h{n}.example;branch=z9hG4bK{n}" for n in range(count))
            return invite_bytes(f"Via: {vias}", without="Via")

        assert len(request(invite(VIAS_MAX)).headers.values("via")) == VIAS_MAX
        assert refusal(invite(VIAS_MAX + 1)).reason == "Too Many Vias"

    @pytest.mark.parametrize("separator", [", ", "\r\nVia: "])
    def test_the_answer_to_too_many_vias_keeps_to_the_limit(self, separator: str) -> None:
        vias = separator.join(f"SIP/2.0/UDP h{n}.example, SIP/2.0/UDP i{n}.example" for n in range(VIAS_MAX))
        refused = refusal(invite_bytes(f"Via: {vias}", without="Via")).request
        assert refused is not None
        answer = response(format_message(make_response(refused, 400)))
        assert len(answer.headers.values("via")) == VIAS_MAX
        assert answer.top_via.host == "h0.example"


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0", b" \r\n"])
def test_what_only_keeps_a_hole_open_is_told_apart(data: bytes) -> None:
    assert is_keepalive(data)
    assert refusal(data).request is None


def test_a_message_is_no_keepalive() -> None:
    assert not is_keepalive(invite_bytes())
    assert not is_keepalive(b"jaK")


def test_an_error_shows_the_value_short_and_escaped() -> None:
    text = str(refusal(invite_bytes("Content-Length: \x1b[31m" + "é" * 500)))
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 500


WORDS = st.sampled_from(
    [
        *(
            "Via",
            "v",
            "To",
            "X",
            ":",
            ": ",
            " :",
            ",",
            ";",
            "=",
            '"',
            "\\",
            "<",
            ">",
            "%",
            "%4",
            "[",
            "]",
            "*",
            "@",
        ),
        *(
            "?",
            "\0",
            "\t",
            " ",
            "\r",
            "\n",
            "\r\n",
            "\r\n ",
            "\x0b",
            "\x1c",
            "\x85",
            "\u2028",
            "\xa0",
            "\udcff",
        ),
        *(
            "sip:",
            "a",
            "1",
            "SIP/2.0/UDP h",
            "Content-Length: 1",
            "CSeq: 1 INVITE",
            "branch=",
            "tag=",
            "é",
            "１",
        ),
    ]
)
LINES = st.lists(WORDS, max_size=8).map("".join)


@given(st.lists(LINES, max_size=6))
@settings(deadline=None, max_examples=400)
def test_field_lines_are_what_a_plain_reading_of_the_rfc_says(lines: list[str]) -> None:
    """One parser, one view: against a second reader that knows only CRLF, folds and the first colon."""
    data = invite_bytes(*lines)
    try:
        message = request(data)
    except SipParseError:
        return
    head = data.partition(b"\r\n\r\n")[0]
    assert b"\n" not in head.replace(b"\r\n", b"")
    fields = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")[1:]
    plain = [field.partition(b":") for field in fields]
    assert [name.strip(b" \t") for name, _, _ in plain] == [
        name.encode("utf-8", "surrogateescape") for name, _ in message.headers.items()
    ]
    assert [b" ".join(value.split(b" ")).replace(b" ", b"").replace(b"\t", b"") for _, _, value in plain] == [
        value.encode("utf-8", "surrogateescape").replace(b" ", b"").replace(b"\t", b"")
        for _, value in message.headers.items()
    ]


@given(st.binary(max_size=300) | st.lists(LINES, max_size=6).map(lambda lines: invite_bytes(*lines)))
@settings(deadline=None, max_examples=400)
def test_any_octets_are_refused_or_print_back_equal(data: bytes) -> None:
    try:
        message = parse_message(data)
    except SipParseError as error:
        assert error.status in {400, 505, 513}
        if error.request is not None:
            format_message(make_response(error.request, error.status, to_tag="x"))
        return
    assert_prints_back_equal(data)
    if isinstance(message, Request) and door_refusal(message) is None:
        read_everything(message)


def read_everything(message: Request | Response) -> None:
    """After the door, no property may surprise."""
    _ = message.call_id, message.cseq, message.top_via.branch, message.top_via.rport
    _ = message.from_tag, message.to_tag, message.has_wildcard_contact
    if message.cseq.method in CONTACT_MATTERS:
        _ = [contact.parsed_uri for contact in message.contacts]
    if isinstance(message, Request):
        _ = message.request_uri, message.max_forwards
    for name in set(message.headers.keys()):
        message.headers.values(name)
        message.headers.tokens(name)
        message.headers.first_value(name)
