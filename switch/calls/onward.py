"""Sending a call on: on whose account, and whether that is allowed.

A line that diverts or transfers a call sends it on as if it had called the new number itself: by its own tariff, its
own account's limits. A line that a plan of its own account rings has a call that comes in: limits and bars of those
that go out are not asked, whatever the leg costs. What the caller pays for what he called does not change. The caller's
identity goes along; the lines that diverted the call are named beside it (Diversion, History-Info).
"""

from typing import TYPE_CHECKING, Final

from switch.calls import refusal
from switch.calls.attempt import Attempt
from switch.calls.identity import CallerId, LineCaller
from switch.calls.incoming_screen import outgoing_block
from switch.calls.number_plan import E164, NumberClass, Short, read_dialled
from switch.calls.outbound import account_refusal, price_of, route_outside
from switch.calls.refusal import Refusal
from switch.calls.restrictions import restricted, restricted_onward
from switch.calls.terms import Admission, Route, Sender

if TYPE_CHECKING:
    from provisioning.model import Line
    from switch.calls.switchboard import Switchboard

# ITU-T Q.732.2 gives a network's limit for one call; a carrier's Diversions count, too.
HOPS_MAX: Final = 5
# Where no call must be sent on to, by mistake or for money: nobody is there to say no.
NEVER_ONWARD: Final = frozenset({NumberClass.PREMIUM, NumberClass.DIRECTORY})


def terms_outside(
    number: str, sender: Sender, caller_id: CallerId, board: "Switchboard", now: float
) -> Admission | Refusal:
    """The call is sent to a number outside. Nothing is reserved yet."""
    dialled = read_dialled(number, board.conf.routing.plan)
    destination = dialled.destination
    if not isinstance(destination, E164 | Short) or destination.number_class in NEVER_ONWARD:
        return refusal.NOT_ONWARD
    if isinstance(destination, Short) and sender.hops:
        return refusal.NOT_ONWARD  # a transfer has somebody who knows why; a divert would send everybody there
    caller = _payer(sender, board)
    refused = account_refusal(caller, board) or board.safety.refusal_for(
        caller.line, caller.account, destination, now
    )
    refused = refused or restricted(caller.account, destination, None, board)
    refused = refused or outgoing_block(caller.line, caller.account, destination.number)
    if refused is not None:
        return refused
    route = route_outside(destination.number, Attempt(caller, caller_id, number, dialled, None), board, now)
    return route if isinstance(route, Refusal) else _terms(caller, route, sender, caller_id, board, now)


def terms_to_line(
    line: "Line", number: str, sender: Sender, caller_id: CallerId, board: "Switchboard", now: float
) -> Admission | Refusal:
    """The call is sent to another line. `number` is "" where that is named by its user."""
    caller = _payer(sender, board)
    if sender.is_plan and line.account_id == sender.line.account_id:
        return _terms(caller, Route(number, number, line, ()), sender, caller_id, board, now, is_counted=False)
    refused = account_refusal(caller, board) or board.safety.onward_refusal(
        caller.line, caller.account, number, now
    )
    refused = refused or restricted_onward(caller.account, number, line, board)
    if refused is not None:
        return refused
    return _terms(caller, Route(number, number, line, ()), sender, caller_id, board, now)


def _payer(sender: Sender, board: "Switchboard") -> LineCaller:
    return LineCaller(sender.line, board.books.account_of(sender.line))


def _terms(
    caller: LineCaller,
    route: Route,
    sender: Sender,
    caller_id: CallerId,
    board: "Switchboard",
    now: float,
    *,
    is_counted: bool = True,
) -> Admission | Refusal:
    price = price_of(caller, route, board, now)
    if isinstance(price, Refusal):
        return price
    return Admission(caller_id, route.number, route, price, sender, is_counted)
