"""Where peers break the RFC and their meaning is plain: each way by its name, let through and counted.

What is not in this table and breaks the grammar is refused. A message carries the quirks that were met in reading it as
bits, so that a sound one costs nothing but an empty number; `SipCounts` counts them by name, once a message.

Not here, because the RFC itself asks for it: empty lines before a message (7.5), octets beyond Content-Length of a
datagram (18.3), what RFC 2543 sent (no magic cookie, no tag, no Max-Forwards).
"""

from __future__ import annotations

from typing import Final

NO_CONTENT_LENGTH: Final = 1 << 0
NO_BLANK_LINE: Final = 1 << 1
SPACES_IN_REQUEST_LINE: Final = 1 << 2
HASH_IN_USER: Final = 1 << 3
UNDERSCORE_IN_HOST: Final = 1 << 4
THREE_COLONS: Final = 1 << 5
WIDE_PARAMETER: Final = 1 << 6
PARAMETER_TWICE: Final = 1 << 7
BARE_DISPLAY_NAME: Final = 1 << 8
HEADERS_IN_ADDRESS: Final = 1 << 9
EXPIRES_AS_DATE: Final = 1 << 10
LOST_FROM_TAG: Final = 1 << 11
NO_CONTACT_IN_2XX: Final = 1 << 12
DIGEST_QUOTES: Final = 1 << 13
DIGEST_NO_COMMA: Final = 1 << 14
DIGEST_URI_ELSEWHERE: Final = 1 << 15


class Quirk:
    """One row of the table: what the message says, what is meant, who was seen to do it, and what it breaks."""

    __slots__ = ("bit", "meant", "name", "says", "section", "seen")

    def __init__(self, bit: int, name: str, *, says: str, meant: str, seen: str, section: str) -> None:
        self.bit = bit
        self.name = name
        self.says = says
        self.meant = meant
        self.seen = seen
        self.section = section


QUIRKS: Final[tuple[Quirk, ...]] = (
    Quirk(
        NO_CONTENT_LENGTH,
        "no-content-length",
        says="a datagram without Content-Length",
        meant="the body is the rest of the datagram",
        seen="home-made clients, test tools",
        section="3261 20.14 (SHOULD), 18.3",
    ),
    Quirk(
        NO_BLANK_LINE,
        "no-blank-line",
        says="a datagram that ends with its last header line",
        meant="the head ends there, and there is no body",
        seen="home-made clients",
        section="3261 7",
    ),
    Quirk(
        SPACES_IN_REQUEST_LINE,
        "spaces-in-request-line",
        says="more than one space, or one at the end",
        meant="one space; they are never sent on",
        seen="RFC 4475 3.1.2.9, 3.1.2.10",
        section="3261 25.1 Request-Line",
    ),
    Quirk(
        HASH_IN_USER,
        "hash-in-user",
        says="`sip:*31#1234@host`",
        meant="`%23`: a service code as dialled",
        seen="phones with a star-and-hash dial plan",
        section="3261 25.1 user",
    ),
    Quirk(
        UNDERSCORE_IN_HOST,
        "underscore-in-host",
        says="`sip:pbx_1:5060`",
        meant="the host of that name",
        seen="whatever runs in a container network",
        section="3261 25.1 hostname",
    ),
    Quirk(
        THREE_COLONS,
        "three-colons",
        says="`[2001:db8:::192.0.2.1]`",
        meant="two colons",
        seen="parsers made from the grammar of RFC 3261 (RFC 5118 4.10)",
        section="4291 2.2",
    ),
    Quirk(
        WIDE_PARAMETER,
        "wide-parameter",
        says="`;tag=a=b/c@d`",
        meant="the text as it stands, compared octet by octet",
        seen="tags and branches made of base64",
        section="3261 25.1 gen-value",
    ),
    Quirk(
        PARAMETER_TWICE,
        "parameter-twice",
        says="`;lr;lr`: one name twice with one value",
        meant="once; two values are refused",
        seen="proxies that add what is there",
        section="3261 7.3.1",
    ),
    Quirk(
        BARE_DISPLAY_NAME,
        "bare-display-name",
        says="a name beyond tokens without quotes: `Зал 2 <sip:...>`",
        meant="the name up to the bracket; sent on in quotes",
        seen="phones whose owner typed a name in another script",
        section="3261 25.1 display-name",
    ),
    Quirk(
        HEADERS_IN_ADDRESS,
        "headers-in-address",
        says="`?header=value` in the URI of From or To",
        meant="the address alone; the headers are not looked at",
        seen="Yealink T22P",
        section="3261 19.1.1, table 1",
    ),
    Quirk(
        EXPIRES_AS_DATE,
        "expires-as-date",
        says="`Expires: Fri, 01 Jan 2010 16:00:00 GMT`",
        meant="nothing: the default holds",
        seen="RFC 2543 phones",
        section="3261 20.19",
    ),
    Quirk(
        LOST_FROM_TAG,
        "lost-from-tag",
        says="a response whose From has no tag",
        meant="the answer to the request of its branch",
        seen="ITLCS 7.2",
        section="3261 8.2.6.2",
    ),
    Quirk(
        NO_CONTACT_IN_2XX,
        "no-contact-in-2xx",
        says="a 2xx to an INVITE without Contact",
        meant="it is reached where the INVITE went",
        seen="gateways, test tools",
        section="3261 12.1.1",
    ),
    Quirk(
        DIGEST_QUOTES,
        "digest-quotes",
        says='`qop="auth"`, `algorithm="MD5"`, `nc="00000001"`',
        meant="the same without quotes",
        seen="phones that quote every parameter",
        section="3261 25.1, 7616 3.4",
    ),
    Quirk(
        DIGEST_NO_COMMA,
        "digest-no-comma",
        says="parameters of an answer parted by white space alone",
        meant="a comma",
        seen="RFC 3665 2.1 as printed",
        section="3261 25.1 digest-response",
    ),
    Quirk(
        DIGEST_URI_ELSEWHERE,
        "digest-uri-elsewhere",
        says="a digest URI with another host or other parameters, or without a user part",
        meant="the same target, seen through a border controller, or the server; another user part is refused",
        seen="Cisco SPA525G2 behind a border controller; SIPp",
        section="7616 3.4.6",
    ),
)


def names_of(quirks: int) -> list[str]:
    """The names of the bits that are set."""
    return [quirk.name for quirk in QUIRKS if quirks & quirk.bit]
