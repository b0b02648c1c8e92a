"""What is fuzzed, and what must hold of it: each target takes octets and raises when a promise is broken.

"No exception" would be too little to ask: a parser that reads one thing and prints another is two views of one call.
Here what is read prints back the same, what is refused is answered in well-formed SIP, any split of a stream gives the
same frames, and no login is taken that nobody made.
"""

from collections.abc import Callable
from random import Random
from typing import TypeVar

from fuzz.mutations import from_octets, mangle
from switch.sdp.description import SdpError, format_sdp, parse_sdp
from switch.sdp.door import is_session_description
from switch.sdp.offer_answer import codec_names, direction, is_hold, keep_codecs
from switch.sip.digest import OFFER_BOTH, DigestAuthority, Ha1s, Outcome, answer_challenge, parse_challenge
from switch.sip.digest_values import ha1, parse_parameters, unescaped
from switch.sip.errors import SipParseError
from switch.sip.fields import format_via, parse_content_length, parse_cseq, parse_delta_seconds, parse_via
from switch.sip.framing import Frame, StreamBroken, StreamFramer
from switch.sip.grammar import first_comma, format_params, parse_params, quote, split_commas, unquote
from switch.sip.headers import Headers
from switch.sip.message import Request, Response, format_message, make_response
from switch.sip.parser import parse_message
from switch.sip.uri import (
    escape_user,
    format_name_addr,
    format_uri,
    parse_name_addr,
    parse_uri,
    unescape,
    uris_equal,
)
from switch.sip.validate import door_refusal, response_problem

T = TypeVar("T")
# Returns how many messages it tried.
Target = Callable[[bytes], int]

# What our own answer adds to a refused request at most: a To tag, `received`, a status line, Content-Length.
ANSWER_GROWTH_MAX = 400


def parser(data: bytes) -> int:
    """One datagram."""
    try:
        message = parse_message(data)
    except SipParseError as error:
        _check_refusal(error, data)
        return 1
    printed = format_message(message)
    second = parse_message(printed)
    assert type(second) is type(message), "another kind of message"
    assert second.start_line == message.start_line
    assert second.body == message.body
    assert format_message(second) == printed, "printed twice it is not the same"
    if isinstance(message, Request):
        refusal = door_refusal(message)
        if refusal is None:
            _read_all(message)
            answer = format_message(make_response(message, 404, to_tag="x"))
            assert isinstance(parse_message(answer), Response)
            assert len(answer) <= len(data) + ANSWER_GROWTH_MAX
    elif response_problem(message) is None:
        _ = message.top_via, message.cseq, message.call_id, message.from_tag, message.to_tag
    for name in message.headers.keys():  # noqa: SIM118 - not a mapping
        for value in message.headers.values(name):
            assert "\r" not in value and "\n" not in value
        message.headers.first_value(name)
    return 1


def _check_refusal(error: SipParseError, data: bytes) -> None:
    str(error)
    if error.request is None:
        return
    assert data.lstrip(b"\r\n")[:4] != b"SIP/", "a response would be answered"
    assert error.request.method != "ACK", "an ACK would be answered"
    answer = format_message(make_response(error.request, error.status, error.reason, to_tag="x"))
    read = parse_message(answer)
    assert isinstance(read, Response)
    _ = read.top_via
    assert len(answer) <= len(data) + ANSWER_GROWTH_MAX


def _read_all(request: Request) -> None:
    """After the door no property that it vouches for raises."""
    _ = request.top_via, request.call_id, request.cseq, request.from_.tag, request.to.tag, request.request_uri
    if request.to_tag is None:
        _ = request.from_.parsed_uri, request.to.parsed_uri
    if request.method in ("INVITE", "REGISTER"):
        _ = [contact.parsed_uri for contact in request.contacts]


def stream(data: bytes) -> int:
    """Octets of a connection: whole, octet by octet, and in random pieces they are the same messages."""
    whole = _frames_of([data])
    assert _frames_of([data[at : at + 1] for at in range(len(data))]) == whole
    cut = Random(len(data)).randrange(len(data) + 1)
    assert _frames_of([data[:cut], data[cut:]]) == whole
    for frame in whole[0]:
        if isinstance(frame, bytes):
            parser(frame)
            try:
                message = parse_message(frame)
            except SipParseError:
                continue
            # The parser and the framer must agree on where the body ends.
            assert frame.endswith(b"\r\n\r\n" + message.body)
    return 1


def _frames_of(pieces: list[bytes]) -> tuple[list[Frame], str]:
    framer = StreamFramer()
    frames: list[Frame] = []
    for piece in pieces:
        try:
            frames += framer.feed(piece)
        except StreamBroken as broken:
            return frames + broken.frames, broken.reason
    return frames, "partial" if framer.has_partial else ""


def uri(data: bytes) -> int:
    """One field value, read as everything that a value can be."""
    text = data.decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ")
    _check_inverse(text, parse_uri, format_uri)
    _check_inverse(text, parse_name_addr, format_name_addr)
    _check_inverse(text, parse_via, format_via)
    _check_inverse(text, parse_cseq, str)
    _check_inverse(text, parse_params, format_params)
    for parse, most in (
        (parse_delta_seconds, 2**32 - 1),
        (lambda digits: parse_content_length([digits]), 2**32 - 1),
    ):
        try:
            assert 0 <= parse(text) <= most
        except SipParseError:
            continue
        assert text.isascii() and text.isdigit()
    try:
        read = parse_uri(text)
    except SipParseError:
        pass
    else:
        assert uris_equal(read, read)
        assert uris_equal(read, parse_uri(format_uri(read)))
    elements = split_commas(text)
    comma = first_comma(text)
    assert comma < 0 or elements[0] == text[:comma].strip(" \t")
    assert unquote(quote(text)) == text
    assert unescape(escape_user(text)) == text or "%" in text
    return 1


def _check_inverse(text: str, parse: Callable[[str], T], write: Callable[[T], str]) -> None:
    try:
        value = parse(text)
    except SipParseError as error:
        assert str(error).isascii()
        return
    written = write(value)
    assert "\r" not in written and "\n" not in written
    assert write(parse(written)) == written
    assert parse(written) == value


REALM = "exchange.example"
_LINES = {
    "1001": Ha1s(ha1("1001", REALM, "secret", "MD5"), ha1("1001", REALM, "secret", "SHA-256"), OFFER_BOTH)
}
_NOBODY = Ha1s("", "", OFFER_BOTH)
_SIGNED = ("username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce")


def digest_server(data: bytes) -> int:
    """A right answer with mutations: taken only if nothing that was signed has changed."""
    pick = from_octets(data)
    authority = DigestAuthority(REALM, b"a secret for the fuzzer only", nonce_lifetime_s=300)
    algorithm = pick(2)
    sent_uri = "sip:1002@exchange.example"
    answer = answer_challenge(
        authority.challenges(0.0, OFFER_BOTH)[algorithm:],
        method="INVITE",
        uri=sent_uri,
        username="1001",
        password="secret",
        cnonce="0a4f113b",
    )
    assert answer is not None
    text = (
        mangle(answer.encode(), pick).decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ")
    )
    request = Request(
        ("INVITE", "BYE")[pick(8) == 7], (sent_uri, "sip:1003@exchange.example")[pick(8) == 7], Headers()
    )
    values = [text, answer][pick(16) == 15 :] if pick(2) else [text]
    first = authority.verify(request, values, 0.5, lambda user: _LINES.get(user, _NOBODY))
    if first.outcome is Outcome.OK:
        assert request.method == "INVITE" and request.uri == sent_uri and first.user == "1001"
        if answer not in values:
            _check_same_login(text, answer)
        again = authority.verify(request, values, 0.6, lambda user: _LINES.get(user, _NOBODY))
        assert again.outcome is Outcome.REPLAYED, "one answer was taken twice"
    assert authority.verify(request, values, 400.0, lambda _: _NOBODY).outcome is not Outcome.OK
    return 1


def _check_same_login(text: str, answer: str) -> None:
    found, sent = parse_parameters(text.strip(" \t")[6:]), parse_parameters(answer[6:])
    assert found is not None and sent is not None
    for name in _SIGNED:
        left, right = unescaped(found[name]), unescaped(sent[name])
        if name in ("response", "nc"):
            left, right = left.lower(), right.lower()
        assert left == right, f"{name} is {left!r} and was {right!r}"


def digest_client(data: bytes) -> int:
    """What another server may challenge us with."""
    text = data.decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ").replace("\0", " ")
    challenge = parse_challenge(text)
    answer = answer_challenge(
        [text], method="INVITE", uri="sip:1@h", username='a"b\\c', password="secret", cnonce="0a4f113b"
    )
    if answer is None:
        return 1
    assert challenge is not None
    assert "\r" not in answer and "\n" not in answer
    assert len(answer) <= len(text) + 400
    read = parse_parameters(answer[6:])
    assert read is not None, "our own answer cannot be read"
    assert unescaped(read["username"]) == 'a"b\\c'
    assert (read["realm"], read["nonce"], read["uri"]) == (challenge.realm, challenge.nonce, "sip:1@h")
    Headers([("authorization", answer)])
    elsewhere = answer_challenge(
        [text], method="INVITE", uri="sip:1@h", username="a", password="b", cnonce="c", realm="elsewhere"
    )
    assert (elsewhere is not None) == (unescaped(challenge.realm) == "elsewhere")
    return 1


def sdp(data: bytes) -> int:
    """One body."""
    try:
        session = parse_sdp(data)
    except SdpError as error:
        assert str(error).isascii()
        return 1
    assert format_sdp(session) == data, "printed it is not the same"
    types = {line.type for line in session.lines} | {
        line.type for medium in session.media for line in medium.lines
    }
    has_medium = bool(session.media) or "c" in types
    if has_medium and types & {"o", "s"}:
        assert is_session_description(data), "the door would refuse what can be read"
    for medium in session.media:
        _ = (
            direction(session, medium),
            medium.ptime_ms,
            session.connection_of(medium),
            medium.fmtp(8),
            medium.codecs,
        )
    _ = session.origin, is_hold(session), codec_names(session)
    kept = keep_codecs(data, {"PCMA", "opus"})
    if kept:
        assert len(kept) <= len(data)
        assert keep_codecs(kept, {"PCMA", "opus"}) == kept
        assert len(parse_sdp(kept).media) == len(session.media), "a medium was lost"
    return 1
