"""Header fields of transfers: Refer-To (RFC 3515 2.1), Referred-By (3892 3), Refer-Sub (4488 4), Replaces (3891 6.1).

What a REFER asks for and which dialog an INVITE wants to take the place of. Left out: Target-Dialog (RFC 4538), and the
signed body of a Referred-By.
"""

from __future__ import annotations

from typing import Final

from switch.sip.errors import SipParseError, malformed
from switch.sip.grammar import WSP, is_token, parse_params
from switch.sip.headers import Headers
from switch.sip.uri import NameAddr, SipUri, TelUri, parse_name_addr, unescape

NO_REFER_SUB: Final = "norefersub"  # option tag of RFC 4488
# Header components that a Refer-To may carry: Replaces and a few of a service's own. More is no phone.
URI_HEADERS_MAX: Final = 16


class Replaces:
    """RFC 3891 6.1: the dialog as the one who is asked knows it, `to_tag` its own tag. "0" is "without a tag"."""

    __slots__ = ("call_id", "from_tag", "is_early_only", "to_tag")

    def __init__(self, call_id: str, *, to_tag: str, from_tag: str, is_early_only: bool = False) -> None:
        self.call_id = call_id
        self.to_tag = to_tag
        self.from_tag = from_tag
        self.is_early_only = is_early_only

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Replaces) and str(self) == str(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        early = ";early-only" if self.is_early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"

    def __repr__(self) -> str:
        return f"<Replaces {self}>"


def parse_replaces(text: str) -> Replaces:
    """callid *( SEMI replaces-param ), both tags required. Raises SipParseError."""
    call_id, semicolon, rest = text.partition(";")
    call_id = call_id.strip(WSP)
    if not call_id or " " in call_id or "\t" in call_id or "," in call_id or not semicolon:
        raise malformed("Replaces", text)
    params = parse_params(semicolon + rest)
    to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
    if not to_tag or not from_tag or to_tag[0] == '"' or from_tag[0] == '"':
        raise malformed("Replaces", text)
    return Replaces(call_id, to_tag=to_tag, from_tag=from_tag, is_early_only="early-only" in params)


def replaces_of(headers: Headers) -> Replaces | None:
    """The Replaces of an INVITE, None without one. Two of them are 400 (RFC 3891 3)."""
    if "replaces" not in headers:
        return None
    values = headers.values("replaces")
    if len(values) != 1:
        raise SipParseError(400, "More Than One Replaces", found=", ".join(values))
    return parse_replaces(values[0])


class Refer:
    """What a REFER asks for. `target` is the Refer-To, `method` the one to send there, `headers` those that the
    URI carries, unescaped, `replaces` the one among them. `cseq` names the subscription that it begins."""

    __slots__ = ("cseq", "headers", "method", "referred_by", "replaces", "target", "wants_notifies")

    def __init__(
        self,
        *,
        target: NameAddr,
        method: str,
        headers: list[tuple[str, str]],
        replaces: Replaces | None,
        referred_by: NameAddr | None,
        wants_notifies: bool,
        cseq: int,
    ) -> None:
        self.target = target
        self.method = method
        self.headers = headers
        self.replaces = replaces
        self.referred_by = referred_by
        self.wants_notifies = wants_notifies
        self.cseq = cseq

    def __repr__(self) -> str:
        return f"<Refer {self.method} {self.target.uri}>"


def refer_of(headers: Headers, cseq: int) -> Refer:
    """The fields of a REFER. Raises SipParseError: 400 without exactly one Refer-To (RFC 3515 2.4.2), or when
    what it carries cannot be read; 416 for a scheme that no call can go to."""
    targets = headers.values("refer-to")
    if len(targets) != 1:
        raise SipParseError(400, "Exactly One Refer-To Is Needed", found=", ".join(targets))
    target = parse_name_addr(targets[0])
    uri = target.parsed_uri
    if not isinstance(uri, (SipUri, TelUri)):
        raise SipParseError(416, "Unsupported URI Scheme", found=target.uri)
    carried = uri_headers(uri.headers) if isinstance(uri, SipUri) else []
    replaces = [value for name, value in carried if name == "replaces"]
    if len(replaces) > 1:
        raise SipParseError(400, "More Than One Replaces", found=target.uri)
    return Refer(
        target=target,
        method=uri.params.get("method") or "INVITE",
        headers=carried,
        replaces=parse_replaces(replaces[0]) if replaces else None,
        referred_by=_referred_by(headers),
        wants_notifies=not _declines_notifies(headers),
        cseq=cseq,
    )


def uri_headers(text: str) -> list[tuple[str, str]]:
    """The ?headers part of a URI (19.1.1): names in lower case, both sides unescaped once.

    Raises SipParseError: a line end that was hidden in an escape would become a field of its own.
    """
    if not text:
        return []
    components = text.split("&")
    if len(components) > URI_HEADERS_MAX:
        raise malformed("URI headers", text)
    found = []
    for component in components:
        name, equals, value = component.partition("=")
        name, value = unescape(name), unescape(value)
        if not equals or not is_token(name) or "\r" in value or "\n" in value or "\0" in value:
            raise malformed("URI headers", text)
        found.append((name.lower(), value))
    return found


def _referred_by(headers: Headers) -> NameAddr | None:
    values = headers.values("referred-by")
    if len(values) > 1:
        raise malformed("Referred-By", ", ".join(values))
    if not values:
        return None
    sender = parse_name_addr(values[0])
    _ = sender.parsed_uri
    return sender


def _declines_notifies(headers: Headers) -> bool:
    """RFC 4488 4: "Refer-Sub: false" from one that knows what it says."""
    value = headers.get("refer-sub")
    if value is None or value.partition(";")[0].strip(WSP).lower() != "false":
        return False
    known = {*headers.tokens("supported"), *headers.tokens("require")}
    return NO_REFER_SUB in known
