"""SIP, SIPS and tel URIs and the name-addr that carries them: RFC 3261 19.1, 20.10, RFC 3966.

Text is kept as it was received: escapes are undone only where somebody asks (`unescaped_user`) or compares
(19.1.4), once and never twice. What is not sip, sips or tel is an OtherUri, unopened. Left out: the
scheme-specific rules of anything else, and RFC 3986 relative references, which SIP has no use for.
"""

from __future__ import annotations

import re
from typing import Final

from switch.sip.errors import malformed
from switch.sip.grammar import (
    IPV4_OR_HOST,
    TOKEN_CHARACTER,
    WSP,
    format_params,
    host_quirks,
    is_sound_host,
    is_token,
    parse_ipv6,
    parse_port,
    quote,
    read_params,
    read_quoted,
)
from switch.sip.quirks import BARE_DISPLAY_NAME, HASH_IN_USER, HEADERS_IN_ADDRESS, PARAMETER_TWICE

_ESCAPED: Final = "%[0-9A-Fa-f]{2}"
# user: RFC 3261 25.1 plus "#", which phones send bare when a service code such as *31#... is dialled.
_USER: Final = r"[A-Za-z0-9\-_.!~*'()&=+$,;?/#]"
_PASSWORD: Final = r"[A-Za-z0-9\-_.!~*'()&=+$,]"  # noqa: S105 - the production, no secret
_PARAMETER: Final = r"[A-Za-z0-9\-_.!~*'()\[\]/:&+$]"
_HEADER: Final = r"[A-Za-z0-9\-_.!~*'()\[\]/?:+$&=]"


def _run(characters: str) -> str:
    return f"{characters}*+(?:{_ESCAPED}{characters}*+)*+"


_sip_uri: Final = re.compile(
    rf"(?:({_run(_USER)})(?::({_run(_PASSWORD)}))?@)?{IPV4_OR_HOST}(?::([0-9]{{1,5}}))?"
    rf"((?:;(?:{_PARAMETER}|[=%])++)*+)(?:\?({_run(_HEADER)}))?"
).fullmatch
_uri_parameter: Final = re.compile(_run(_PARAMETER)).fullmatch
_KNOWN_PARAMETERS: Final = frozenset({"lr", "maddr", "method", "ob", "transport", "ttl", "user"})
_tel_number: Final = re.compile(r"\+?[0-9A-Fa-f*#\-.()]++").fullmatch
_scheme: Final = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*+").fullmatch
# reserved, unreserved, escaped, and the few marks (RFC 3986) that other schemes use
_opaque: Final = re.compile(r"[!#-;=?-_a-z~]++").fullmatch
_escape: Final = re.compile("%([0-9A-Fa-f]{2})")
_escapes: Final = re.compile(f"(?:{_ESCAPED})+")
# 19.1.4: an escape of one of these is the character; the escape of any other stays different from it.
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")
# 19.1.4: these match only when both URIs have them, or neither.
_NEVER_IGNORED: Final[tuple[str, ...]] = ("user", "ttl", "method", "maddr", "transport")
# Without <>, a "," or "?" would belong to the header, and a ">" was opened by nobody (20.10).
_addr_spec: Final = re.compile(r'[^?,"<>]++').fullmatch
# display-name without quotes as 25.1 has it: tokens with white space between and after them
_tokens: Final = re.compile(rf"(?:{TOKEN_CHARACTER}|[ \t])*+").fullmatch
_in_display: Final = re.compile(r'[^\x00-\x08\x0a-\x1f\x7f",;<>\\]*+').fullmatch


class SipUri:
    """sip:user:password@host:port;params?headers, each part as received. `port` None means: not written.

    Every URI class compares by its text as it stands; `uris_equal` is the comparison of 19.1.4.
    """

    __slots__ = ("headers", "host", "params", "password", "port", "quirks", "scheme", "user")

    def __init__(
        self,
        scheme: str,
        user: str | None,
        password: str | None,
        host: str,
        port: int | None,
        params: dict[str, str | None],
        headers: str = "",
        quirks: int = 0,
    ) -> None:
        self.quirks = quirks
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.params = params
        self.headers = headers

    @property
    def unescaped_user(self) -> str:
        """The user part as a person would read it; empty when there is none."""
        return unescape(self.user) if self.user else ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SipUri) and format_uri(self) == format_uri(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return format_uri(self)

    def __repr__(self) -> str:
        return f"<SipUri {self}>"


class TelUri:
    """tel:number;params. The number as received, separators included."""

    __slots__ = ("number", "params", "quirks")

    def __init__(self, number: str, params: dict[str, str | None]) -> None:
        self.quirks = 0
        self.number = number
        self.params = params

    @property
    def digits(self) -> str:
        """The number without visual separators (RFC 3966 3): "+441632960001"."""
        return self.number.translate(_NO_SEPARATORS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TelUri) and format_uri(self) == format_uri(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return format_uri(self)

    def __repr__(self) -> str:
        return f"<TelUri {self}>"


class OtherUri:
    """Any other scheme: "urn:service:sos" is OtherUri("urn", "service:sos")."""

    __slots__ = ("quirks", "rest", "scheme")

    def __init__(self, scheme: str, rest: str) -> None:
        self.quirks = 0
        self.scheme = scheme
        self.rest = rest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OtherUri) and format_uri(self) == format_uri(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return format_uri(self)

    def __repr__(self) -> str:
        return f"<OtherUri {self}>"


Uri = SipUri | TelUri | OtherUri

_NO_SEPARATORS: Final = str.maketrans("", "", "-.()")


# A phone's From, To and Contact stand in every message while a call is set up: what was parsed is remembered, and when
# it has become much, all is forgotten. The values are shared, so nobody may change them. More than this costs more than
# it saves: what is old is not in the processor's caches. Longer texts than a real phone's are not worth it.
REMEMBERED_TEXTS: Final = 512
REMEMBERED_CHARS_MAX: Final = 256

_uris: Final[dict[str, Uri]] = {}
_name_addrs: Final[dict[str, NameAddr]] = {}


def parse_uri(text: str) -> Uri:
    """addr-spec. Raises SipParseError."""
    uri = _uris.get(text)
    if uri is None:
        uri = _parse_uri(text)
        if len(text) <= REMEMBERED_CHARS_MAX:
            if len(_uris) >= REMEMBERED_TEXTS:
                _uris.clear()
            _uris[text] = uri
    return uri


def _parse_uri(text: str) -> Uri:
    if text.startswith("sip:"):
        return _parse_sip(text, "sip", 4)
    scheme, colon, rest = text.partition(":")
    if not colon or not _scheme(scheme):
        raise malformed("URI", text)
    scheme = scheme.lower()
    if scheme in {"sip", "sips"}:
        return _parse_sip(text, scheme, len(scheme) + 1)
    if scheme == "tel":
        return _parse_tel(text, rest)
    if not _opaque(rest):
        raise malformed("URI", text)
    return OtherUri(scheme, rest)


def _parse_sip(text: str, scheme: str, start: int) -> SipUri:
    match = _sip_uri(text, start)
    if match is None:
        raise malformed("SIP URI", text)
    user, password, ipv4, host, port, params_text, headers = match.groups()
    if user == "" or headers == "" or (ipv4 is None and not is_sound_host(host)):
        raise malformed("SIP URI", text)
    params: dict[str, str | None] = {}
    quirks = 0
    if params_text:
        params, quirks = _read_uri_params(params_text)
    if ipv4 is None:
        quirks |= host_quirks(host)
    if user is not None and "#" in user:
        quirks |= HASH_IN_USER
    if headers:
        quirks |= HEADERS_IN_ADDRESS
    return SipUri(
        scheme,
        user,
        password,
        ipv4 or host,
        None if port is None else parse_port(port),
        params,
        headers or "",
        quirks,
    )


def _parse_tel(text: str, rest: str) -> TelUri:
    number, semicolon, params = rest.partition(";")
    if not _tel_number(number) or not number.translate(_NO_SEPARATORS).strip("+"):
        raise malformed("tel URI", text)
    return TelUri(number, _read_uri_params(semicolon + params)[0] if semicolon else {})


def _read_uri_params(text: str) -> tuple[dict[str, str | None], int]:
    """*( ";" uri-parameter ), from the first ";", and the quirks met in them.

    Stricter than header parameters: no spaces, no quotes."""
    params: dict[str, str | None] = {}
    pieces = text[1:].split(";")
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if name not in _KNOWN_PARAMETERS:
            if not name or not _uri_parameter(name):
                raise malformed("URI parameter", piece)
            name = name.lower()
        if equals and not (value and _uri_parameter(value)):
            raise malformed("URI parameter", piece)
        found = value if equals else None
        if name in params and params[name] != found:
            raise malformed("URI parameters, one name with two values", text)
        params[name] = found
    return params, 0 if len(params) == len(pieces) else PARAMETER_TWICE


def format_uri(uri: Uri) -> str:
    match uri:
        case SipUri():
            user = "" if uri.user is None else uri.user
            if uri.password is not None:
                user += ":" + uri.password
            at = "" if uri.user is None else "@"
            port = "" if uri.port is None else f":{uri.port}"
            headers = f"?{uri.headers}" if uri.headers else ""
            params = format_params(uri.params) if uri.params else ""
            return f"{uri.scheme}:{user}{at}{uri.host}{port}{params}{headers}"
        case TelUri():
            return f"tel:{uri.number}{format_params(uri.params)}"
        case OtherUri():
            return f"{uri.scheme}:{uri.rest}"


def unescape(text: str) -> str:
    """%HH -> the character, once: "%2541" is "%41", not "A" (RFC 4475 3.1.1.3). Octets are UTF-8."""
    if "%" not in text:
        return text

    def decode(match: re.Match[str]) -> str:
        return bytes.fromhex(match.group().replace("%", "")).decode("utf-8", "surrogateescape")

    return _escapes.sub(decode, text)


def escape_user(text: str) -> str:
    """Any text -> a user part: what the grammar does not allow there is written as %HH."""
    return "".join(
        character
        if character in _UNRESERVED or character in "&=+$,;?/"
        else "".join(f"%{octet:02X}" for octet in character.encode("utf-8", "surrogateescape"))
        for character in text
    )


def uris_equal(a: Uri, b: Uri) -> bool:
    """19.1.4 for SIP and SIPS URIs, RFC 3966 4 for tel, case-blind scheme and exact rest for others."""
    if isinstance(a, SipUri) and isinstance(b, SipUri):
        return (
            a.scheme == b.scheme
            and _same_escapes(a.user) == _same_escapes(b.user)
            and _same_escapes(a.password) == _same_escapes(b.password)
            and a.port == b.port
            and _plain_host(a.host) == _plain_host(b.host)
            and _same_params(a.params, b.params)
            and _plain_headers(a.headers) == _plain_headers(b.headers)
        )
    if isinstance(a, TelUri) and isinstance(b, TelUri):
        return a.digits.lower() == b.digits.lower() and _lower_params(a.params) == _lower_params(b.params)
    return a == b


def _same_escapes(text: str | None) -> str | None:
    if text is None or "%" not in text:
        return text

    def plain(match: re.Match[str]) -> str:
        character = chr(int(match.group(1), 16))
        return character if character in _UNRESERVED else match.group().upper()

    return _escape.sub(plain, text)


def _plain_host(host: str) -> str:
    return str(parse_ipv6(host[1:-1])) if host[0] == "[" else host.lower().rstrip(".")


def _lower_params(params: dict[str, str | None]) -> dict[str, str | None]:
    return {
        _same_escapes(name) or "": None if value is None else (_same_escapes(value) or "").lower()
        for name, value in params.items()
    }


def _same_params(a: dict[str, str | None], b: dict[str, str | None]) -> bool:
    if not a and not b:
        return True
    a, b = _lower_params(a), _lower_params(b)
    if any((name in a) != (name in b) for name in _NEVER_IGNORED):
        return False
    return all(b[name] == value for name, value in a.items() if name in b)


def _plain_headers(headers: str) -> list[str]:
    """The ?headers part as a set of components in a fixed order; names are case-blind."""
    if not headers:
        return []
    components = []
    for component in headers.split("&"):
        name, equals, value = component.partition("=")
        components.append(f"{name.lower()}{equals}{_same_escapes(value)}")
    return sorted(components)


class NameAddr:
    """name-addr or addr-spec with its header parameters (20.10): From, To, Contact, Route and their kin.

    `display` is the name without quotes and escapes, `uri` the text between <>, `params` those after it.
    Shared between messages: never changed once parsed.
    """

    __slots__ = ("_parsed_uri", "display", "params", "quirks", "uri")

    def __init__(
        self, display: str, uri: str, params: dict[str, str | None] | None = None, quirks: int = 0
    ) -> None:
        self.quirks = quirks
        self.display = display
        self.uri = uri
        self.params: dict[str, str | None] = {} if params is None else params
        self._parsed_uri: Uri | None = None

    @property
    def parsed_uri(self) -> Uri:
        """Raises SipParseError when the text between <> is no URI."""
        if self._parsed_uri is None:
            self._parsed_uri = parse_uri(self.uri)
        return self._parsed_uri

    @property
    def tag(self) -> str | None:
        return self.params.get("tag")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NameAddr):
            return NotImplemented
        return (self.display, self.uri, self.params) == (other.display, other.uri, other.params)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return format_name_addr(self)

    def __repr__(self) -> str:
        return f"<NameAddr {self}>"


def parse_name_addr(text: str) -> NameAddr:
    """( name-addr / addr-spec ) *( SEMI generic-param ). Raises SipParseError.

    Looser than the grammar in one place: an unquoted display name may hold any character that cannot be
    mistaken for structure, since phones send names in every script without quotes.
    """
    address = _name_addrs.get(text)
    if address is None:
        address = _parse_name_addr(text)
        if len(text) <= REMEMBERED_CHARS_MAX:
            if len(_name_addrs) >= REMEMBERED_TEXTS:
                _name_addrs.clear()
            _name_addrs[text] = address
    return address


def _parse_name_addr(text: str) -> NameAddr:
    quirks = 0
    if text[:1] == "<":
        display, start = "", 0
    elif text[:1] == '"':
        display, end = read_quoted(text)
        start = text.find("<", end)
        if start < 0 or text[end:start].strip(WSP):
            raise malformed("name-addr", text)
    else:
        start = text.find("<")
        if start < 0:
            return _parse_addr_spec(text)
        display = text[:start].strip(WSP)
        if not _in_display(display):
            raise malformed("display name", text)
        if not _tokens(display):
            quirks = BARE_DISPLAY_NAME
    end = text.find(">", start)
    if end <= start + 1:
        raise malformed("name-addr", text)
    tail = text[end + 1 :]
    if not tail:
        return NameAddr(display, text[start + 1 : end], {}, quirks)
    params, met = read_params(tail)
    return NameAddr(display, text[start + 1 : end], params, quirks | met)


def _parse_addr_spec(text: str) -> NameAddr:
    """Without <>, what follows the first ";" belongs to the header, and "," or "?" is not allowed (20.10)."""
    uri, semicolon, params = text.partition(";")
    uri = uri.strip(WSP)
    if not uri or not _addr_spec(uri):
        raise malformed("addr-spec", text)
    if not semicolon:
        return NameAddr("", uri, {})
    read, quirks = read_params(semicolon + params)
    return NameAddr("", uri, read, quirks)


def format_name_addr(address: NameAddr) -> str:
    """Always with <>: the form without them cannot carry every URI."""
    params = format_params(address.params) if address.params else ""
    if not address.display:
        return f"<{address.uri}>{params}"
    return f"{format_display(address.display)} <{address.uri}>{params}"


def format_display(display: str) -> str:
    """A one-token display name is written bare, anything else in quotes."""
    return display if is_token(display) else quote(display)
