"""What the SIP messages of a call say, leg by leg: repeats, missing ACKs, private addresses, BYEs, refreshes. Pure.

Each message is parsed once by the switch's own parser. What cannot be parsed says nothing here; the ladder shows it
all the same.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from care.alg import is_private
from switch.calls.q850 import read_reason
from switch.relay.reach import may_hear_at
from switch.sdp.description import SdpError, parse_sdp
from switch.sdp.door import is_session_description
from switch.sdp.offer_answer import codec_names
from switch.sip.errors import SipParseError
from switch.sip.host import canonical_ip
from switch.sip.message import Request, Response
from switch.sip.parser import parse_message
from switch.sip.uri import SipUri
from traces.call_trace import CallTrace

US_PER_S: Final = 1_000_000
IN_DIALOG_REFRESHES: Final = frozenset({"INVITE", "UPDATE"})
FORWARDED: Final = frozenset({181, 182})


class Seen(msgspec.Struct, frozen=True):
    """One message that could be read, with where it was seen."""

    at_us: int
    is_sent: bool
    leg: int
    source: str  # the peer's address as it really is
    message: Request | Response
    method: str
    cseq: int


class Bye(msgspec.Struct, frozen=True):
    """`is_from_peer` False: ours. `cause` is its Reason's Q.850 cause or SIP status, `reason` the whole of it."""

    at_us: int
    is_from_peer: bool
    reason: str
    cause: int | None


class Refresh(msgspec.Struct, frozen=True):
    """A change or refresh of a session that is up, and what became of it: `status` 0 is no answer at all."""

    at_us: int
    method: str
    is_from_peer: bool
    status: int
    copies: int


class DialogFacts(msgspec.Struct, frozen=True):
    """One SIP dialog. `is_incoming`: the peer called us. Times are seconds from the first INVITE.

    `answers` is how often the 2xx of the first INVITE was seen, over `answers_s` seconds, and `has_ack` whether an
    ACK ever was. `reaction_s` is when anything came back at all, None for nothing. `private_host` is an
    address in the peer's session description that nobody outside its network can reach, `rewritten` says that the
    description was changed on its way. `codecs` are the peer's.
    """

    call_id: str
    leg: int
    is_incoming: bool
    begun_us: int
    invites: int
    reaction_s: float | None
    final_status: int
    answers: int
    answers_s: float
    has_ack: bool
    retry_after: str
    warning: str
    private_host: str
    private_contact: str
    rewritten: str
    codecs: tuple[str, ...]
    has_forwarded: bool
    bye: Bye | None
    refreshes: tuple[Refresh, ...]
    refused_transfer: int


def dialogs_of(trace: CallTrace | None) -> list[DialogFacts]:
    """In the order in which they began; empty without a trace."""
    if trace is None:
        return []
    by_call_id: dict[str, list[Seen]] = {}
    for index in range(len(trace.messages)):
        found = _read(trace, index)
        if found is not None:
            by_call_id.setdefault(found[0], []).append(found[1])
    dialogs = [_dialog(call_id, seen) for call_id, seen in by_call_id.items()]
    return [dialog for dialog in dialogs if dialog is not None]


def _read(trace: CallTrace, index: int) -> tuple[str, Seen] | None:
    kept = trace.messages[index]
    if not 0 <= kept.flow < len(trace.flows):
        return None
    try:
        message = parse_message(kept.data)
        cseq = message.cseq
        seen = Seen(
            kept.at_us,
            kept.is_sent,
            kept.leg,
            trace.flows[kept.flow].remote_host,
            message,
            cseq.method,
            cseq.number,
        )
        return message.call_id, seen
    except SipParseError:
        return None


def _dialog(call_id: str, seen: Sequence[Seen]) -> DialogFacts | None:
    """None where its first INVITE was not kept."""
    first = next(
        (each for each in seen if isinstance(each.message, Request) and each.method == "INVITE"), None
    )
    if first is None:
        return None
    invites = _copies(first, seen)
    # A challenged INVITE comes again with a CSeq of its own (RFC 3261 22.2); the last that has no tag is what counts.
    attempts = [each for each in seen if _is_request(each, "INVITE") and not _has_to_tag(each)]
    numbers = {each.cseq for each in attempts}
    responses = [each for each in seen if isinstance(each.message, Response)]
    own = [each for each in responses if each.method == "INVITE" and each.cseq in numbers]
    finals = [each for each in own if _status(each) >= 200]
    answers = [each for each in finals if _status(each) < 300]
    peers = [each for each in seen if not each.is_sent]
    last = finals[-1] if finals else None
    return DialogFacts(
        call_id=call_id,
        leg=first.leg,
        is_incoming=not first.is_sent,
        begun_us=first.at_us,
        invites=invites,
        reaction_s=(own[0].at_us - first.at_us) / US_PER_S if own else None,
        final_status=0 if last is None else _status(last),
        answers=len(answers),
        answers_s=(answers[-1].at_us - answers[0].at_us) / US_PER_S if answers else 0.0,
        has_ack=any(_is_request(each, "ACK") and each.cseq in numbers for each in seen) if answers else False,
        retry_after=_field(last, "retry-after"),
        warning=_field(last, "warning"),
        private_host=_first(_private_host(each) for each in peers),
        private_contact=_first(_private_contact(each) for each in peers),
        rewritten=_first(_rewritten(each) for each in peers),
        codecs=_codecs(peers),
        has_forwarded=any(_status(each) in FORWARDED for each in own),
        bye=_bye(seen),
        refreshes=_refreshes(seen, responses),
        refused_transfer=_refused_transfer(seen, responses),
    )


def _copies(first: Seen, seen: Sequence[Seen]) -> int:
    return sum(
        1
        for each in seen
        if _is_request(each, first.method) and each.cseq == first.cseq and each.is_sent == first.is_sent
    )


def _is_request(seen: Seen, method: str) -> bool:
    return isinstance(seen.message, Request) and seen.message.method == method


def _status(seen: Seen) -> int:
    return seen.message.status if isinstance(seen.message, Response) else 0


def _has_to_tag(seen: Seen) -> bool:
    try:
        return seen.message.to_tag is not None
    except SipParseError:
        return False


def _field(seen: Seen | None, name: str) -> str:
    return "" if seen is None else seen.message.headers.get(name) or ""


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")


def is_out_of_reach(host: str, source: str) -> bool:
    """Whether a peer says that it is to be reached at `host`, and is heard from `source`, outside that network.

    The switch judges so, too, and sends no sound there.
    """
    if not is_private(host) or canonical_ip(source) is None:
        return False
    return not may_hear_at(host, source)


def _private_host(seen: Seen) -> str:
    """The address of c= that a peer names and that is out of reach where it is."""
    body = seen.message.body
    if not is_session_description(body):
        return ""
    try:
        session = parse_sdp(body)
    except SdpError:
        return ""
    for medium in session.media:
        connection = session.connection_of(medium)
        if connection is not None and medium.port and is_out_of_reach(connection.address, seen.source):
            return connection.address
    return ""


def _rewritten(seen: Seen) -> str:
    """Who wrote the description knew a private address only, and the one that stands in it now is its router's.

    A phone that asks a STUN server does the same, but with its Contact, too.
    """
    if not is_session_description(seen.message.body):
        return ""
    try:
        session = parse_sdp(seen.message.body)
    except SdpError:
        return ""
    origin = session.origin
    hosts = [
        found.address for medium in session.media if (found := session.connection_of(medium)) is not None
    ]
    if origin is None or not is_out_of_reach(origin.address, seen.source) or seen.source not in hosts:
        return ""
    return f"{origin.address} became {seen.source}"


def _private_contact(seen: Seen) -> str:
    try:
        contact = seen.message.contact
        uri = None if contact is None else contact.parsed_uri
    except SipParseError:
        return ""
    if isinstance(uri, SipUri) and is_out_of_reach(uri.host, seen.source):
        return uri.host
    return ""


def _codecs(peers: Sequence[Seen]) -> tuple[str, ...]:
    """Of the first description that the peer sent."""
    for seen in peers:
        if is_session_description(seen.message.body):
            try:
                return tuple(codec_names(parse_sdp(seen.message.body)))
            except SdpError:
                continue
    return ()


def _bye(seen: Sequence[Seen]) -> Bye | None:
    for each in seen:
        if _is_request(each, "BYE"):
            values = each.message.headers.values("reason")
            return Bye(each.at_us, not each.is_sent, ", ".join(values), read_reason(values))
    return None


def _refreshes(seen: Sequence[Seen], responses: Sequence[Seen]) -> tuple[Refresh, ...]:
    """Each INVITE or UPDATE inside the dialog once, with its last answer."""
    found: dict[tuple[bool, int, str], list[Seen]] = {}
    for each in seen:
        if isinstance(each.message, Request) and each.method in IN_DIALOG_REFRESHES and _has_to_tag(each):
            found.setdefault((each.is_sent, each.cseq, each.method), []).append(each)
    refreshes = []
    for (is_sent, cseq, method), copies in found.items():
        answers = [
            _status(each)
            for each in responses
            if each.is_sent is not is_sent
            and each.cseq == cseq
            and each.method == method
            and _status(each) >= 200
        ]
        status = answers[-1] if answers else 0
        refreshes.append(Refresh(copies[0].at_us, method, not is_sent, status, len(copies)))
    return tuple(refreshes)


def _refused_transfer(seen: Sequence[Seen], responses: Sequence[Seen]) -> int:
    """The status with which a peer's REFER was refused, 0 for none."""
    asked = {each.cseq for each in seen if _is_request(each, "REFER") and not each.is_sent}
    return next(
        (
            _status(each)
            for each in responses
            if each.is_sent and each.method == "REFER" and each.cseq in asked and _status(each) >= 400
        ),
        0,
    )
