"""The ABNF of RFC 3261 section 25 as small pieces, each named after its production.

Every pattern is linear in its input: repetitions are possessive and no two alternatives start alike. Nothing
here uses str.split(), str.strip() or int() without saying which characters: Python's own ideas of white space
and digits include characters that SIP does not know, and each of those is a way to smuggle a header past a
peer.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from switch.sip.errors import malformed
from switch.sip.quirks import PARAMETER_TWICE, THREE_COLONS, UNDERSCORE_IN_HOST, WIDE_PARAMETER

# SP and HTAB: the only white space inside an unfolded line (LWS after unfolding).
WSP: Final = " \t"

# A delta-seconds or CSeq in the field has at most 10 digits (2**32-1); leading zeros are legal (RFC 4475
# 3.1.1.1 has some), so a few more are read. Beyond that int() itself would become the attack.
DIGITS_MAX: Final = 20

TOKEN_CHARACTER: Final = r"[A-Za-z0-9\-.!%*_+`'~]"  # noqa: S105 - RFC 3261's word, no secret
# gen-value = token / host / quoted-string, without the last. Wider than token: tags and branches with "=",
# "/" or "@" are in the field, and no character here can end a parameter.
PARAM_VALUE: Final = r"[!#-+\--:=?-\[\]-~]++"
# host, hostname: a label may contain "_" because container networks name hosts so and phones repeat it.
_LABEL: Final = r"[A-Za-z0-9_][A-Za-z0-9_\-]*+"
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4: Final = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}"
HOST: Final = rf"(?:\[[0-9A-Fa-f:.]{{2,45}}\]|{_LABEL}(?:\.{_LABEL})*+\.?)"
# As two groups: an IPv4 address, which is then known to be sound, or any other host, for is_sound_host to
# look at.
IPV4_OR_HOST: Final = rf"(?:({_IPV4})(?![A-Za-z0-9_.\-])|({HOST}))"

_token: Final = re.compile(rf"{TOKEN_CHARACTER}++").fullmatch
_value: Final = re.compile(PARAM_VALUE).fullmatch
_plain_params: Final = re.compile(r";[!#-+\--;=?-\[\]-~]*+").fullmatch
# The same as RFC 3261 has it: token or host after the equals sign, and no second one.
_sound_params: Final = re.compile(
    rf"(?:;{TOKEN_CHARACTER}++(?:=[A-Za-z0-9\-.!%*_+`'~:\[\]]++)?+)++"
).fullmatch
_sound_value: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]]++").fullmatch
_quoted: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# What a separator can hide in. An unterminated one runs to the end of the text, so that no later position is
# tried again: with a plain failure, a line of quotes would take quadratic time.
_comma_or_shelter: Final = re.compile(r',|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|<[^>]*+(?:>|\Z)', re.DOTALL)
_semicolon_or_shelter: Final = re.compile(r';|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_host: Final = re.compile(HOST).fullmatch
_ipv4: Final = re.compile(_IPV4).fullmatch
_quoted_pair: Final = re.compile(r"\\(.)", re.DOTALL)
_needs_quoted_pair: Final = re.compile(r'[\x00-\x08\x0a-\x1f\x7f"\\]')

# Parameter names met in nearly every message: known to be tokens, so the pattern need not run.
_KNOWN_PARAMETERS: Final = frozenset(
    {"branch", "expires", "handling", "lr", "maddr", "ob", "q", "received"}
    | {"refresher", "rport", "tag", "transport", "ttl", "user"}
)


KNOWN_METHODS: Final = frozenset(
    {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH"}
    | {"REFER", "REGISTER", "SUBSCRIBE", "UPDATE"}
)


def is_method(text: str) -> bool:
    """Method: any token."""
    return text in KNOWN_METHODS or _token(text) is not None


def is_token(text: str) -> bool:
    return _token(text) is not None


def parse_digits(text: str, *, maximum: int, what: str) -> int:
    """1*DIGIT, ASCII only. int() alone would take "+1", "1_0", " 1", and the digits of every script."""
    if not (text.isascii() and text.isdigit()) or len(text) > DIGITS_MAX:
        raise malformed(what, text)
    number = int(text)
    if number > maximum:
        raise malformed(what, text)
    return number


def parse_port(text: str) -> int:
    """For text that matched 1*5DIGIT."""
    port = int(text)
    if not 0 < port <= 65535:
        raise malformed("port", text)
    return port


def is_host(text: str) -> bool:
    """hostname / IPv4address / IPv6reference."""
    return _host(text) is not None and is_sound_host(text)


def is_sound_host(host: str) -> bool:
    """For text that matched HOST: an all-numeric last label must be an IPv4 address, brackets an IPv6 one."""
    if host[0] == "[":
        return is_ipv6(host[1:-1])
    if host[-1] not in "0123456789." or _ipv4(host):
        return True
    return not host[host.rfind(".", 0, -1) + 1 :].rstrip(".").isdigit()


def is_ipv4(text: str) -> bool:
    """Four decimal parts without leading zeros, which are octal to some (RFC 6943 3.1.1)."""
    return _ipv4(text) is not None


def host_quirks(host: str) -> int:
    """The quirks of a sound host that is no IPv4 address."""
    quirks = UNDERSCORE_IN_HOST if "_" in host else 0
    return quirks | THREE_COLONS if ":::" in host else quirks


def is_ipv6(text: str) -> bool:
    """IPv6address without brackets."""
    return parse_ipv6(text) is not None


def parse_ipv6(text: str) -> IPv6Address | None:
    """None when it is no address. Zone ids are refused: they mean nothing beyond the sender's own machine."""
    if "%" in text or not text.isascii():
        return None
    if ":::" in text and "." in text:
        # RFC 5118 4.10: a slip in the grammar of 3261 allowed one colon too many before an IPv4 part.
        text = text.replace(":::", "::", 1)
    try:
        return IPv6Address(text)
    except AddressValueError:
        return None


def split_commas(text: str) -> list[str]:
    """The elements of a comma-separated field (7.3.1). Commas in quotes and in <> do not count."""
    if "," not in text:
        return [text] if text else []
    if '"' not in text and "<" not in text:
        return [piece.strip(WSP) for piece in text.split(",")]
    return _split(text, ",", _comma_or_shelter)


def first_comma(text: str) -> int:
    """Where the first element of a comma-separated field ends, or -1 when it is the only one."""
    at = text.find(",")
    if at < 0 or ('"' not in text and "<" not in text):
        return at
    for match in _comma_or_shelter.finditer(text):
        if match.group() == ",":
            return match.start()
    return -1


def _split(text: str, separator: str, separator_or_shelter: re.Pattern[str]) -> list[str]:
    pieces = []
    start = 0
    for match in separator_or_shelter.finditer(text):
        if match.group() == separator:
            pieces.append(text[start : match.start()].strip(WSP))
            start = match.end()
    pieces.append(text[start:].strip(WSP))
    return pieces


def parse_params(text: str) -> dict[str, str | None]:
    """*( SEMI generic-param ): names in lower case, values as written, quotes and all, None without "=".
    A name given twice with one value is taken once; with two values it is refused, because our peer and we
    might each believe a different one (7.3.1 forbids both).
    """
    return read_params(text)[0]


def read_params(text: str) -> tuple[dict[str, str | None], int]:
    """The parameters, and the quirks met in them."""
    if _sound_params(text):
        return _read_plain_params(text, 0)
    if _plain_params(text):
        return _read_plain_params(text, WIDE_PARAMETER)
    pieces = _split(text, ";", _semicolon_or_shelter)
    if pieces[0]:
        raise malformed("parameters", text)
    params: dict[str, str | None] = {}
    quirks = 0
    for piece in pieces[1:]:
        name, equals, value = piece.partition("=")
        value = value.strip(WSP)
        if equals and not _quoted.fullmatch(value):
            if not _value(value):
                raise malformed("parameter value", piece)
            if not _sound_value(value):
                quirks |= WIDE_PARAMETER
        _add_param(params, name.rstrip(WSP), value if equals else None)
    return params, quirks if len(params) == len(pieces) - 1 else quirks | PARAMETER_TWICE


def _read_plain_params(text: str, quirks: int) -> tuple[dict[str, str | None], int]:
    """The usual form, without white space and quotes: every character is known to be fit for a value."""
    params: dict[str, str | None] = {}
    pieces = text[1:].split(";")
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if name in _KNOWN_PARAMETERS and value and name not in params:
            params[name] = value
        elif equals and not value:
            raise malformed("parameter value", piece)
        else:
            _add_param(params, name, value if equals else None)
    return params, quirks if len(params) == len(pieces) else quirks | PARAMETER_TWICE


def _add_param(params: dict[str, str | None], name: str, value: str | None) -> None:
    if name not in _KNOWN_PARAMETERS:
        if not _token(name):
            raise malformed("parameter name", name)
        name = name.lower()
    if name in params and params[name] != value:
        raise malformed("parameters, one name with two values", name)
    params[name] = value


def format_params(params: dict[str, str | None]) -> str:
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params.items())


def read_quoted(text: str) -> tuple[str, int]:
    """A quoted-string at the start of the text: what it says, and where it ends."""
    end = text.find('"', 1)
    if end > 0 and "\\" not in text:
        return text[1:end], end + 1
    match = _quoted.match(text)
    if match is None:
        raise malformed("quoted string", text)
    return unquote(match.group()), match.end()


def unquote(text: str) -> str:
    """quoted-string -> what it says. Text without quotes is returned as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return _quoted_pair.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    """Text -> quoted-string. A line end cannot be written in one (25.1), so it becomes a space."""
    if "\r" in text or "\n" in text:
        text = text.replace("\r", " ").replace("\n", " ")
    return '"' + _needs_quoted_pair.sub(r"\\\g<0>", text) + '"'
