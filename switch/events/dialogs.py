"""Event package dialog: the calls of a line, for the lamps of its colleagues and for itself (RFC 4235).

Lines of one account see each other, as with presence. Every document is full and is made from the legs that live at
that moment; the version rises with each, so that phones of every kind take it as it is. A call that has ended is in
it once more as terminated, because some phones put out a lamp at that word alone. Who calls is what the watched line
itself was told, so a withheld number is withheld here, too; whom an emergency call goes to is said to nobody. Of a
call that rings the ids are given that an INVITE with Replaces needs to pick it up, of others they are not. Left out:
partial documents, session descriptions, `sip.rendering` and the durations.
"""

from typing import Final

from provisioning.model import Line
from switch.calls.callee_leg import CalleeLeg
from switch.calls.leg import Leg
from switch.calls.line_calls import LineCalls
from switch.calls.number_plan import E164, Short
from switch.events.package import Document
from switch.events.xml_text import escaped
from switch.sip.errors import SipParseError
from switch.sip.uri import escape_user, parse_name_addr

DIALOG: Final = "dialog"
CONTENT_TYPE: Final = "application/dialog-info+xml"

TRYING: Final = "trying"
EARLY: Final = "early"
CONFIRMED: Final = "confirmed"
TERMINATED: Final = "terminated"
INITIATOR: Final = "initiator"
RECIPIENT: Final = "recipient"

# Some 350 bytes each, and the document shall not become a handful of fragments over UDP. A lamp shows one anyway, and
# those that ring, which can be picked up, go first.
DIALOGS_MAX: Final = 8
_ORDER: Final = (EARLY, CONFIRMED, TRYING)


class Dialogs:
    """The package."""

    name: Final = DIALOG
    content_type: Final = CONTENT_TYPE
    interval_s: Final = 1.0  # RFC 4235 3.10
    follows_calls: Final = True

    def __init__(self, line_calls: LineCalls, domain: str) -> None:
        self._line_calls = line_calls
        self._domain = domain

    def may_watch(self, watcher: Line, resource: Line) -> bool:
        return watcher.account_id == resource.account_id

    def document(self, resource: Line, version: int, now: float) -> Document:
        user = resource.user
        live = [leg for leg in self._line_calls.of(user) if not leg.is_over]
        ended = self._line_calls.ended_of(user, now)
        live.sort(key=lambda leg: _ORDER.index(state_of(leg)))
        entity = escaped(f"sip:{escape_user(user)}@{self._domain}")
        lines = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="full" '
            f'entity="{entity}">',
        ]
        lines += [self._dialog(leg, entity) for leg in live[:DIALOGS_MAX]]
        lines += [
            f'<dialog id="{escaped(tag)}" direction="{INITIATOR if is_caller else RECIPIENT}">'
            f"<state>{TERMINATED}</state></dialog>"
            for tag, is_caller in list(ended.items())[: max(0, DIALOGS_MAX - len(live))]
        ]
        lines.append("</dialog-info>")
        return Document(CONTENT_TYPE, "\r\n".join(lines).encode())

    def _dialog(self, leg: Leg, entity: str) -> str:
        state = state_of(leg)
        if isinstance(leg, CalleeLeg):
            direction, ids = RECIPIENT, _ids_of_ringing(leg) if state == EARLY else ""
            remote = _identity(leg.shown_caller)
        else:
            called = _called(leg)
            direction, ids = INITIATOR, ""
            remote = f"<identity>{escaped(f'sip:{escape_user(called)}@{self._domain}')}</identity>"
            remote = remote if called else ""
        # An INVITE with Replaces goes to the exchange, which is the other end of every call of the line.
        return (
            f'<dialog id="{escaped(leg.local_tag)}"{ids} direction="{direction}"><state>{state}</state>'
            f'<local><identity>{entity}</identity><target uri="{entity}"/></local>'
            f'<remote>{remote}<target uri="{entity}"/></remote></dialog>'
        )


def state_of(leg: Leg) -> str:
    """Of a leg that is not over (RFC 4235 3.7.1)."""
    if leg.is_up:
        return CONFIRMED
    return EARLY if leg.ringing_at is not None else TRYING


def is_on_the_phone(line_calls: LineCalls, user: str) -> bool:
    """Whether somebody there talks or makes a call; one whose phone rings may be anywhere."""
    return any(leg.is_up or leg.index == 0 for leg in line_calls.of(user) if not leg.is_over)


def _ids_of_ringing(leg: CalleeLeg) -> str:
    """As the phone has them: our tag is its remote one (RFC 3891 3 reads them the other way round)."""
    local = f' local-tag="{escaped(leg.peer_tag)}"' if leg.peer_tag else ""
    return f' call-id="{escaped(leg.sip_call_id)}"{local} remote-tag="{escaped(leg.local_tag)}"'


def _identity(name_addr: str) -> str:
    """ "" where there is none to be read."""
    try:
        shown = parse_name_addr(name_addr)
    except SipParseError:
        return ""
    display = f' display="{escaped(shown.display)}"' if shown.display else ""
    return f"<identity{display}>{escaped(shown.uri)}</identity>"


def _called(leg: Leg) -> str:
    """The line or number that was called; "" for an emergency service and for what is none."""
    attempt = leg.call.attempt
    if attempt.called_line is not None:
        return attempt.called_line.user
    destination = attempt.plan_result.destination
    return destination.number if isinstance(destination, E164 | Short) else ""
