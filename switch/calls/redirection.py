"""A phone that answers 3xx sends its calls on, as a divert of its line would: to lines and numbers of ours alone.

The Contacts of the answer are read as destinations, in the order of their q (RFC 3261 8.1.3.4), and meet everything
that a divert meets: the line pays, emergency and premium numbers are out of reach, circles end. An address of another
domain is not followed: nobody would know who pays.
"""

from typing import TYPE_CHECKING, Final

from provisioning.model import Divert, DivertCondition, DivertKind
from switch.calls.number_plan import E164, read_dialled
from switch.sip.errors import SipParseError
from switch.sip.uri import NameAddr, SipUri, parse_name_addr

if TYPE_CHECKING:
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.switchboard import Switchboard

CONTACT: Final = "contact"
# A phone that is set to send its calls on names one place. More are followed, as few as a person would try.
CONTACTS_MAX: Final = 5
Q_DEFAULT: Final = "1"


def is_redirection(outcome: "LegOutcome") -> bool:
    return 300 <= outcome.status < 400


def diverts_of(outcome: "LegOutcome", board: "Switchboard") -> list[Divert]:
    """Where a redirection leads; empty where that is nowhere that calls are sent to."""
    contacts: list[NameAddr] = []
    for name, value in outcome.fields:
        if name == CONTACT and len(contacts) < CONTACTS_MAX:
            try:
                contacts.append(parse_name_addr(value))
            except SipParseError:
                continue
    # Text order is the order of q: it is 0, 1 or 0 and up to three digits behind a point (25.1).
    contacts.sort(key=lambda contact: contact.params.get("q") or Q_DEFAULT, reverse=True)
    found = [_destination(contact, board) for contact in contacts]
    return [divert for divert in found if divert is not None]


def _destination(contact: NameAddr, board: "Switchboard") -> Divert | None:
    try:
        uri = contact.parsed_uri
    except SipParseError:
        return None
    if isinstance(uri, SipUri):
        if not board.is_here(uri.host):
            return None
        dialled = uri.unescaped_user
        if dialled in board.books.lines:
            return Divert(DivertCondition.DECLINED, DivertKind.LINE, dialled)
    else:
        dialled = contact.uri
    destination = read_dialled(dialled, board.conf.routing.plan).destination
    if not isinstance(destination, E164):
        return None
    return Divert(DivertCondition.DECLINED, DivertKind.NUMBER, destination.number)
