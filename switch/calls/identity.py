"""Who is calling: what the network vouches for, what may be shown, and whether it is withheld.

The *network number* is ours to assert: the line's own number, or what a carrier asserted. The *presentation number*
is what the callee is shown. Here they are read as claimed and written as decided; what a line may present is decided in
presentation.py, what of a carrier's goes through in cli_policy.py (Ofcom GC C6).
Withheld (RFC 3323, RFC 3325; 141 and 1470 per call) hides both from the callee, never from an emergency service and
never from the CDR.
"""

from typing import Final

import msgspec

from provisioning.model import Account, Line
from switch.calls.number_plan import (
    E164,
    NumberFormat,
    NumberPlan,
    format_number,
    read_dialled,
    read_trunk_number,
)
from switch.calls.passing import Fields
from switch.calls.refusal import Refusal
from switch.config import IdentityHeader, Trunk
from switch.sip.errors import SipParseError
from switch.sip.message import Request
from switch.sip.uri import NameAddr, SipUri, TelUri, parse_name_addr

ANONYMOUS: Final = '"Anonymous" <sip:anonymous@anonymous.invalid>'
# Where a line may say whom to show, when From does not; in this order.
_PREFERRED: Final = ("p-preferred-identity", "p-asserted-identity", "remote-party-id")
WITHHOLDING: Final = frozenset({"id", "user", "header", "full"})


class LineCaller:
    """An authenticated line, or the flow of its live binding in an emergency."""

    __slots__ = ("account", "line")

    def __init__(self, line: Line, account: Account | None) -> None:
        self.line = line
        self.account = account


class TrunkCaller:
    """A carrier, known by its address."""

    __slots__ = ("trunk",)

    def __init__(self, trunk: Trunk) -> None:
        self.trunk = trunk


Caller = LineCaller | TrunkCaller


def caller_name(caller: Caller) -> str:
    """The line's user or the trunk's name."""
    return caller.line.user if isinstance(caller, LineCaller) else caller.trunk.name


class CallerId(msgspec.Struct, frozen=True):
    """Both numbers are E.164 or "". `display` is a name that the callee may be shown.

    `is_emergency_callback`: a carrier that takes our emergency calls says that an emergency service calls (RFC 7090).
    """

    network_number: str
    presentation_number: str
    is_withheld: bool
    display: str = ""
    is_emergency_callback: bool = False


class CliDecision(msgspec.Struct, frozen=True):
    """What became of the numbers that a caller claimed. `rule` is "" where nothing had to be decided.

    `action` is the word for the metric. `words` are for the record (decisions.py) and name no number. `refused` is the
    answer where the call goes no further.
    """

    rule: str = ""
    action: str = ""
    words: str = ""
    refused: Refusal | None = None


NOTHING_DECIDED: Final = CliDecision()


class Claim(msgspec.Struct, frozen=True):
    """The numbers as a peer gives them: E.164, or "" for none. Unreadable is what looks like a number and is none."""

    network: str
    presentation: str
    is_withheld: bool
    is_network_unreadable: bool = False
    is_presentation_unreadable: bool = False


def line_claim(request: Request, line: Line, plan: NumberPlan) -> Claim:
    """What a phone says in From, or beside it where that names nobody: a PBX that logs in as the line, or withholds,
    has the number in P-Preferred-Identity (RFC 3325 9.2), and many in the fields of trunks. Nothing that it says is
    the network number; its own name is no number."""
    sender = request.from_
    user = _user_of(sender)
    claimed = _number_in(user, plan) if user != line.user else ""
    if not claimed:
        headers = request.headers
        for name in _PREFERRED:
            if name in headers and (claimed := _number_in(_user_in(headers.first_value(name) or ""), plan)):
                break
    return Claim("", claimed, _asks_privacy(request) or _is_anonymous(user, sender))


def trunk_claim(request: Request, trunk: Trunk, plan: NumberPlan) -> Claim:
    """What a carrier asserts: PAI (or Remote-Party-ID) is the network number, From the presentation number.

    Without an asserted number From is both, as carriers have it that assert nothing.
    """
    headers = request.headers
    user = _user_of(request.from_)
    withhold = _asks_privacy(request) or _is_anonymous(user, request.from_)
    number_format = trunk.inbound_number_format
    network, is_unreadable = "", False
    for asserted in headers.values("p-asserted-identity"):
        if not network:
            network, is_broken = _claimed(_user_in(asserted), number_format, plan)
            is_unreadable = is_unreadable or is_broken
    if (party := headers.first_value("remote-party-id")) is not None:
        withhold = withhold or _is_private(party)
        if not network:
            network, is_broken = _claimed(_user_in(party), number_format, plan)
            is_unreadable = is_unreadable or is_broken
    presentation, is_broken = _claimed(user, number_format, plan)
    if not network and not is_unreadable:
        return Claim(presentation, presentation, withhold, is_broken, is_broken)
    if not presentation and not withhold and not is_broken:
        presentation = network
    return Claim(network, presentation, withhold, is_unreadable and not network, is_broken)


def from_towards_line(caller_id: CallerId, *, user: str, domain: str, shows_name: bool) -> str:
    """The From name-addr (without tag) that a called line sees. `user` stands in where there is no number."""
    if caller_id.is_withheld:
        return ANONYMOUS
    shown = caller_id.presentation_number or user
    if not shown:
        return f"<sip:unavailable@{domain}>"
    display = f"{_quoted(caller_id.display)} " if shows_name and caller_id.display else ""
    return f"{display}<sip:{shown}@{domain}>"


def identity_towards_trunk(caller_id: CallerId, trunk: Trunk, domain: str) -> tuple[str, Fields]:
    """From and the asserted identity in the form the trunk asks for."""
    presentation = format_number(caller_id.presentation_number, trunk.number_format)
    network = format_number(caller_id.network_number, trunk.number_format)
    sender = f"<sip:{presentation}@{domain}>" if presentation else f"<sip:unavailable@{domain}>"
    if caller_id.is_withheld:
        sender = ANONYMOUS
    fields: Fields = []
    if network and trunk.identity is IdentityHeader.PAI:
        fields.append(("P-Asserted-Identity", f"<sip:{network}@{domain}>"))
    elif network and trunk.identity is IdentityHeader.RPID:
        privacy = "full" if caller_id.is_withheld else "off"
        fields.append(
            ("Remote-Party-ID", f"<sip:{network}@{domain}>;party=calling;screen=yes;privacy={privacy}")
        )
    if caller_id.is_withheld:
        fields.append(("Privacy", "id"))
    return sender, fields


def emergency_identity(number: str, trunk: Trunk, domain: str) -> tuple[str, Fields]:
    """The full network number and no Privacy, whatever was asked for (PECR 2003 reg. 16), and asserted to a trunk that
    is told no other."""
    shown = CallerId(number, number, is_withheld=False)
    if trunk.identity is IdentityHeader.NONE:
        trunk = msgspec.structs.replace(trunk, identity=IdentityHeader.PAI)
    return identity_towards_trunk(shown, trunk, domain)


def _asks_privacy(request: Request) -> bool:
    headers = request.headers
    if "privacy" not in headers:
        return False
    # A proxy on the way may have put its own beside the caller's.
    values = ";".join(headers.get_all("privacy"))
    return not WITHHOLDING.isdisjoint(values.lower().replace(",", ";").replace(" ", "").split(";"))


def _is_private(party: str) -> bool:
    """The parameter of a Remote-Party-ID (draft-ietf-sip-privacy-04 5.1): all of it, or its URI, is not to be shown."""
    try:
        privacy = parse_name_addr(party).params.get("privacy") or ""
    except SipParseError:
        return "privacy=full" in party.lower()
    return privacy.strip('"').lower() in ("full", "uri")


def _is_anonymous(user: str, sender: NameAddr) -> bool:
    return user.lower() == "anonymous" or "@anonymous.invalid" in sender.uri.lower()


def _user_of(sender: NameAddr) -> str:
    uri = sender.parsed_uri
    if isinstance(uri, SipUri):
        return uri.unescaped_user or ""
    if isinstance(uri, TelUri):
        return uri.number
    return ""


def _number_in(user: str, plan: NumberPlan) -> str:
    if not user or not (user[0] == "+" or user[0].isdigit()):
        return ""
    dialled = read_dialled(user, plan).destination
    return dialled.number if isinstance(dialled, E164) else ""


def _user_in(field: str) -> str:
    """The user part of a name-addr, "" of what is none."""
    try:
        return _user_of(parse_name_addr(field))
    except SipParseError:
        return ""


def _claimed(user: str, number_format: NumberFormat, plan: NumberPlan) -> tuple[str, bool]:
    """The number in a user part, and whether it is written like one and is none. A name ("unavailable") is neither."""
    if not user or not (user[0] == "+" or user[0].isdigit()):
        return "", False
    number = read_trunk_number(user, number_format, plan)
    return (number, False) if number else ("", True)


def _quoted(display: str) -> str:
    return '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'
