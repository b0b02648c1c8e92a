"""The columns of a ladder: the caller, the exchange, and whoever was called, in order of the legs."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from care.ladder.model import Participant, Role
from care.story import CallStory
from provisioning.printable import shorten
from rating.records import Cdr
from switch.calls.attempt_fee import ATTEMPT_LEG
from switch.calls.target import VOICEMAIL
from switch.sip.host import host_port
from traces.call_trace import TraceFlow

NAME_CHARS_MAX: Final = 40  # a line's name or a trunk's; more than a column can show
AGENT_CHARS_MAX: Final = 60


class Columns:
    """Who stands where, the exchange in the column `exchange`. Peers that no record names are added as they speak."""

    def __init__(self, story: CallStory) -> None:
        flows = dict(_first_flows(story))
        rows = [view.cdr for view in story.legs if view.cdr.leg < ATTEMPT_LEG]
        self.participants: list[Participant] = []
        self._of_leg: dict[int, int] = {}
        self._of_address: dict[str, int] = {}
        caller = next((row for row in rows if row.leg == 0), None)
        # One carrier's view of a call (care/export/carrier_view.py) has no caller of ours.
        if caller is not None or 0 in flows or not rows:
            self._add(_caller(caller, flows.get(0)), 0)
        self.exchange = self._add(_exchange(rows, flows), None)
        for row in sorted(rows, key=lambda row: row.leg):
            if row.leg:
                self._add(_called(row, flows.get(row.leg)), row.leg)

    def column_of(self, leg: int, flow: TraceFlow | None) -> int:
        """Where a message of this leg goes to or comes from."""
        column = self._of_leg.get(leg)
        if column is not None:
            return column
        address = "" if flow is None else address_words(flow)
        column = self._of_address.get(address)
        if column is None:
            column = self._add(Participant(role=Role.OTHER, name="another", address=address, legs=[leg]), leg)
        return column

    def column_of_leg(self, leg: int) -> int | None:
        return self._of_leg.get(leg)

    def _add(self, one: Participant, leg: int | None) -> int:
        """The same peer, tried twice, has one column."""
        column = next((index for index, other in enumerate(self.participants) if _is_same(one, other)), None)
        if column is None:
            column = len(self.participants)
            self.participants.append(one)
        elif leg is not None:
            other = self.participants[column]
            self.participants[column] = msgspec.structs.replace(other, legs=[*other.legs, leg])
        if leg is not None and leg >= 0:
            self._of_leg[leg] = column
        if one.address and one.role is not Role.EXCHANGE:
            self._of_address.setdefault(one.address, column)
        return column


def address_words(flow: TraceFlow) -> str:
    """ "UDP 192.0.2.1:5060": the peer's end."""
    return shorten(f"{flow.transport} {host_port(flow.remote_host, flow.remote_port)}", 80)


def together(participants: Sequence[Participant], columns_max: int) -> list[int]:
    """Which new column each old one becomes, so that there are at most so many.

    Phones of one line are put together first, then whoever came last.
    """
    assert columns_max > 2, "a caller, the exchange and somebody"
    kept: list[Participant] = []
    places: list[int] = []
    is_full = len(participants) > columns_max
    for one in participants:
        same = next((at for at, other in enumerate(kept) if is_full and _is_same_line(one, other)), None)
        if same is None:
            same = len(kept)
            kept.append(one)
        places.append(same)
    return [min(place, columns_max - 1) for place in places]


def joined(participants: Sequence[Participant]) -> Participant:
    """One column for several."""
    first = participants[0]
    if len(participants) == 1:
        return first
    legs = [leg for one in participants for leg in one.legs]
    if all(_is_same_line(one, first) for one in participants):
        address = f"{len(participants)} phones"
        return msgspec.structs.replace(first, address=address, user_agent="", legs=legs)
    names = ", ".join(dict.fromkeys(one.name for one in participants))
    name = shorten(names, NAME_CHARS_MAX)
    role = first.role if all(one.role is first.role for one in participants) else Role.CALLED
    return Participant(role=role, name=name, address=f"{len(participants)} ends", legs=legs)


def _first_flows(story: CallStory) -> Iterator[tuple[int, TraceFlow]]:
    """Of each leg the flow of its first message, the last of these pairs."""
    if story.trace is None:
        return
    for message in reversed(story.trace.messages):
        if 0 <= message.flow < len(story.trace.flows):
            yield message.leg, story.trace.flows[message.flow]


def _caller(row: Cdr | None, flow: TraceFlow | None) -> Participant:
    address = _address(flow, "" if row is None else row.source_address)
    if row is None:
        return Participant(role=Role.CALLER, name="caller", address=address, legs=[0])
    name = row.line or (f"trunk {row.trunk}" if row.trunk else "caller")
    return Participant(
        role=Role.CALLER,
        name=shorten(name, NAME_CHARS_MAX),
        address=address,
        number=shorten(row.presentation_number or row.network_number, NAME_CHARS_MAX),
        user_agent=shorten(row.user_agent, AGENT_CHARS_MAX),
        legs=[0],
    )


def _exchange(rows: Sequence[Cdr], flows: dict[int, TraceFlow]) -> Participant:
    """Its address is the one that the first leg arrived at or left from."""
    first = min(rows, key=lambda row: row.leg, default=None)
    flow = flows.get(0 if first is None else first.leg)
    address = ""
    if flow is not None:
        address = f"{flow.transport} {host_port(flow.local_host, flow.local_port)}"
    elif first is not None:
        address = _record_address(first.source_address if first.leg else first.destination_address)
    return Participant(role=Role.EXCHANGE, name="Offhook", address=address)


def _called(row: Cdr, flow: TraceFlow | None) -> Participant:
    role, name = Role.CALLED, row.line or "called"
    if row.trunk:
        role, name = Role.CARRIER, f"trunk {row.trunk}"
    elif _is_media_server(row):
        role, name = Role.MEDIA_SERVER, "voicemail" if row.line else "media server"
    return Participant(
        role=role,
        name=shorten(name, NAME_CHARS_MAX),
        address=_address(flow, row.destination_address),
        number=shorten(row.destination, NAME_CHARS_MAX) if role is not Role.MEDIA_SERVER else "",
        user_agent=shorten(row.user_agent, AGENT_CHARS_MAX),
        legs=[row.leg],
    )


def _is_media_server(row: Cdr) -> bool:
    """Its records have the target's name for a destination, and no phone in the reason (switch/calls/cdr.py)."""
    return row.destination == VOICEMAIL and " of line " not in row.leg_reason


def _address(flow: TraceFlow | None, recorded: str) -> str:
    return _record_address(recorded) if flow is None else address_words(flow)


def _record_address(recorded: str) -> str:
    """ "udp:192.0.2.1:5060" -> "UDP 192.0.2.1:5060"."""
    transport, colon, address = recorded.partition(":")
    return shorten(f"{transport.upper()} {address}" if colon else recorded, 80)


def _is_same(one: Participant, other: Participant) -> bool:
    if one.role is Role.MEDIA_SERVER:
        return other.role is Role.MEDIA_SERVER and other.name == one.name
    return (
        one.role is other.role
        and one.name == other.name
        and bool(one.address)
        and one.address == other.address
    )


def _is_same_line(one: Participant, other: Participant) -> bool:
    return one.role is Role.CALLED and other.role is Role.CALLED and one.name == other.name
