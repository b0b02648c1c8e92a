"""Whether a request inside a dialog comes from the dialog's peer: its tags are right, and where is it from?

Tags are 64 random bits, but they stand in every message of the dialog, in logs, and in any Replaces or Refer-To that
carried them on. So:

- from the flow that the leg has, from a flow on which the leg's line is registered, or from an address of the line
  where that is a customer's trunk: taken;
- of a trunk, from any address of that trunk: taken. From elsewhere 403, and the log says which address to list;
- of a line from elsewhere (a router gave it another port, it came by another connection): challenged, 407, the BYE
  too. With the line's own password it is obeyed, also where the address is banned: whose router changes the port of a
  call may well sit behind one address with somebody who guesses;
- an ACK cannot be challenged. Without a body it only stops our repeats, and is taken; an answer to a late offer says
  where the sound goes, and is taken only from where the line is known to be.

Who moved is followed: the leg is reached at the new flow from then on. Not when only the transport differs and the old
flow is still a registered one: phones send a single large request over TCP (18.1.1) and close the connection after it.
"""

from typing import TYPE_CHECKING, Final

import structlog

from switch.calls.callee_leg import CalleeLeg
from switch.calls.caller_leg import CallerLeg
from switch.calls.identity import LineCaller
from switch.calls.request_pace import RETRY_AFTER_S, WRONG_LOGINS_MAX, RequestPace
from switch.calls.target import LineTarget
from switch.sip.flow import is_same_peer
from switch.sip.message import make_response

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.calls.switchboard import Switchboard
    from switch.screening import Screening
    from switch.sip.flow import Flow
    from switch.sip.message import Request, Response

# Addresses that a carrier sent from and that are not listed for it, named in the log once each.
ELSEWHERE_NAMED_MAX: Final = 100

log = structlog.get_logger(__name__)


class DialogScreening:
    """One a process. `challenged` and `moved` only grow."""

    __slots__ = ("_board", "_named", "_screening", "challenged", "moved", "refused", "throttled")

    def __init__(self, board: "Switchboard", screening: "Screening") -> None:
        self._board = board
        self._screening = screening
        self._named: set[tuple[str, str]] = set()
        self.challenged = 0
        self.refused = 0
        self.moved = 0
        self.throttled = 0

    def screen(self, leg: "Leg", request: "Request", flow: "Flow", now: float) -> "Response | None":
        """None when the leg may have the request."""
        if not self._is_known(leg, flow, now):
            refusal = self._screen_from_elsewhere(leg, request, flow, now)
            if refusal is not None:
                return refusal
        # Only what is the peer's counts: whoever else has the tags cannot use up its requests.
        if request.method != "BYE" and not _pace_of(leg, now).take(now):
            self.throttled += 1
            response = make_response(request, 500)
            response.headers.add("retry-after", str(RETRY_AFTER_S))
            return response
        return None

    def _screen_from_elsewhere(
        self, leg: "Leg", request: "Request", flow: "Flow", now: float
    ) -> "Response | None":
        if leg.trunk is not None:
            self._name(leg.trunk.name, flow.remote_host)
            self.refused += 1
            return make_response(request, 403, "Not From An Address Of This Trunk")
        pace = _pace_of(leg, now)
        is_guessing = pace.wrong_logins >= WRONG_LOGINS_MAX
        verdict = self._screening.screen_login_of(_line_of(leg), request, flow, now, heeds_bans=is_guessing)
        if verdict is None:
            self._move(leg, flow, now)
        else:
            self.challenged += 1
            pace.wrong_logins += "proxy-authorization" in request.headers
        return verdict

    def takes_ack(self, leg: "Leg", flow: "Flow", now: float) -> bool:
        """Whether the answer in an ACK is the peer's."""
        return self._is_known(leg, flow, now)

    def _is_known(self, leg: "Leg", flow: "Flow", now: float) -> bool:
        if is_same_peer(leg.flow, flow):
            return True
        if leg.trunk is not None:
            # A trunk that was taken out of the files goes on at the address that its calls began with.
            if flow.remote_host == leg.flow.remote_host:
                return True
            trunk = self._board.trunks.trunk_at(flow.remote_host, flow.remote_port)
            return trunk is not None and trunk.name == leg.trunk.name
        user = _line_of(leg)
        at_its_address = self._board.books.line_at(flow)
        if at_its_address is not None and at_its_address.user == user:
            return True
        if not self._board.bindings.is_live(flow, now, user):
            return False
        self._move(leg, flow, now)
        return True

    def _move(self, leg: "Leg", flow: "Flow", now: float) -> None:
        is_alive = self._board.bindings.is_live(leg.flow, now, _line_of(leg))
        if flow.transport == leg.flow.transport or not is_alive:
            leg.move(flow)
            self.moved += 1

    def _name(self, trunk: str, host: str) -> None:
        if (trunk, host) not in self._named and len(self._named) < ELSEWHERE_NAMED_MAX:
            self._named.add((trunk, host))
            log.warning(
                "request_of_trunk_from_elsewhere",
                trunk=trunk,
                remote=host,
                expected="it in the trunk's `sources`",
            )


def _pace_of(leg: "Leg", now: float) -> RequestPace:
    if leg.pace is None:
        leg.pace = RequestPace(now)
    return leg.pace


def _line_of(leg: "Leg") -> str:
    """The user of the line that this side of a call belongs to."""
    if isinstance(leg, CallerLeg) and isinstance(leg.call.caller, LineCaller):
        return leg.call.caller.line.user
    if isinstance(leg, CalleeLeg) and isinstance(leg.target, LineTarget):
        return leg.target.line.user
    return ""
