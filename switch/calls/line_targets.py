"""How a line is reached: by its bindings, which ring together, or by a trunk's addresses, one after another.

A customer's trunk (a PBX) is told the number that was dialled: in the Request-URI of its registration's Contact, whose
host and parameters stay as they are, or at its address. Left out: registering for a whole range in one go (RFC 6140).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from provisioning.model import Line, LineKind
from switch.calls.identity import CallerId
from switch.calls.incoming_screen import incoming_refusal
from switch.calls.refusal import CALLEE_FULL, NOT_REGISTERED, Refusal
from switch.calls.switchboard import Switchboard
from switch.calls.target import LineTarget
from switch.registrar.bindings import Binding
from switch.sip.errors import SipParseError
from switch.sip.uri import SipUri, escape_user, format_uri, parse_uri

# Answers of an address that say something of the PBX there and nothing of who was called: a trunk's default.
FAILOVER_CODES: Final = frozenset((408, *range(500, 600)))
# What is refused for this is refused for the flow, not by the phone (RFC 5626 11.1).
FLOW_FAILED: Final = 430


def line_targets(line: Line, board: Switchboard, now: float, instance: str | None = None) -> list[LineTarget]:
    """What rings together when the line is called, or that instance of it; empty where nothing is registered."""
    if line.addresses:
        return [_by_address(line, board)]
    bindings = board.bindings.contacts_for(line.user, now, instance)
    if len(bindings) > 1:
        return _by_instance(line, bindings)
    return [LineTarget(line, binding.flow, binding.contact, binding) for binding in bindings]


def line_refusal(
    line: Line, targets: Sequence[LineTarget], caller_id: CallerId, board: Switchboard, now: float
) -> Refusal | None:
    """Why the line's phones are not rung now."""
    unwanted = incoming_refusal(line, board.books.account_of(line), caller_id, board, now)
    if unwanted is not None:
        return unwanted
    if not targets:
        return NOT_REGISTERED
    return CALLEE_FULL if is_full(line, board) else None


def is_full(line: Line, board: Switchboard) -> bool:
    """Whether the line has as many calls as it may have; without call waiting that is one."""
    limit = line.calls_max or board.conf.calls.calls_per_line_max
    return board.of_line[line.user] >= (limit if line.settings.has_call_waiting else 1)


def request_uri(target: LineTarget, number: str) -> str:
    """`number` is what was dialled, "" where the line was called by its name."""
    if target.line.kind is not LineKind.TRUNK or not number:
        return target.contact
    try:
        uri = parse_uri(target.contact)
    except SipParseError:
        return target.contact
    if not isinstance(uri, SipUri):
        return target.contact
    return format_uri(SipUri(uri.scheme, escape_user(number), None, uri.host, uri.port, uri.params))


def backup_of(target: LineTarget, status: int, *, is_ours: bool, has_rung: bool) -> LineTarget | None:
    """The next way to the same peer, on the terms of this one, if this one failed and not the peer."""
    if target.backup is None or has_rung:
        return None
    failed = is_ours or status == FLOW_FAILED or (target.binding is None and status in FAILOVER_CODES)
    if not failed:
        return None
    onward = target.onward
    return target.backup if onward is None else msgspec.structs.replace(target.backup, onward=onward)


def _by_instance(line: Line, bindings: list[Binding]) -> list[LineTarget]:
    """A phone with several flows rings once (RFC 5626 7): its best flow, the others stand behind that."""
    chains: dict[str, LineTarget] = {}
    for place, binding in reversed(list(enumerate(bindings))):
        key = binding.instance if binding.reg_id else str(place)
        backup = chains.pop(key, None)
        chains[key] = LineTarget(line, binding.flow, binding.contact, binding, backup)
    return list(chains.values())[::-1]


def _by_address(line: Line, board: Switchboard) -> LineTarget:
    """The first address; the others stand behind it."""
    target: LineTarget | None = None
    for address in reversed(line.addresses):
        transport = address.transport.upper()
        suffix = "" if address.is_datagram else f";transport={address.transport}"
        uri = f"sip:{escape_user(line.user)}@{address.host_port}{suffix}"
        flow = board.flow_to(transport, address.host, address.port)
        target = LineTarget(line, flow, uri, None, target)
    assert target is not None
    return target
