"""The ladder that a message climbs: who sends, where to, at what price, may it? The first broken rule is the answer.

It is that of calls (switch/calls/admission.py) as far as a text is like a call: a suspended account sends none, a
carrier reaches numbers assigned here alone, without a price it is refused and never free, but between lines.
Emergency services take no texts: the answer is never one that a phone takes for "try again later".
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from provisioning.model import Line
from rating.rate import Rate
from rating.tariff import ON_NET
from switch.calls import refusal
from switch.calls.attempt import Attempt, is_for_us
from switch.calls.identity import LineCaller, TrunkCaller
from switch.calls.incoming_screen import incoming_refusal, outgoing_block
from switch.calls.number_plan import E164, Emergency, Short
from switch.calls.refusal import Refusal
from switch.calls.restrictions import restricted
from switch.calls.switchboard import Switchboard
from switch.calls.target import Target
from switch.calls.terms import Admission, Price, Route
from switch.messaging.limits import MESSAGE_BYTES_MAX
from switch.sip.media_types import content_type
from switch.sip.message import Request, Response, make_response

# "Is typing" is good for a moment: it is not kept, not charged and not on record, and it goes to lines alone (RFC
# 3994).
IS_COMPOSING: Final = "application/im-iscomposing+xml"
# An envelope with a From of its own, which nobody here opens (RFC 3862).
CPIM: Final = "message/cpim"

TOO_LARGE: Final = Refusal("message_too_large", 413, 127, "Message Too Large")
EMERGENCY: Final = Refusal("message_to_emergency", 403, 21, "Emergency Services Take Calls")
NO_TRUNK: Final = Refusal("message_no_trunk", 403, 21, "No Carrier Takes Messages For This Number")
TOO_FAST: Final = Refusal("message_too_fast", 480, 42, "Too Many Messages", 10)
NO_ROOM: Final = Refusal("message_no_room", 480, 42, "Too Many Messages Wait", 600)
CPIM_WITHHELD: Final = Refusal("message_names_sender", 415, 127, "Its Envelope Names Who Withholds The Number")
TYPING_TO_TRUNK: Final = Refusal("message_typing", 415, 127, "Not To A Carrier")


class Admitted(msgspec.Struct):
    """Where it goes. `line` is the recipient's; None: by `stages`, a trunk each. `rate` None is free."""

    admission: Admission
    line: Line | None
    is_fleeting: bool

    @property
    def number(self) -> str:
        """What was written to; "" for a line's name."""
        return self.admission.route.number

    @property
    def stages(self) -> Sequence[Sequence[Target]]:
        return self.admission.route.stages

    @property
    def price(self) -> Price:
        return self.admission.price


def admit_message(request: Request, attempt: Attempt, board: Switchboard, now: float) -> Admitted | Refusal:
    """Everything but the sender's pace."""
    destination = attempt.plan_result.destination
    if attempt.called_line is None and isinstance(destination, Emergency):
        return EMERGENCY
    if board.is_draining:
        return refusal.DRAINING
    if not is_for_us(request, board):
        return refusal.NOT_HERE
    if request.max_forwards == 0:
        return refusal.TOO_MANY_HOPS
    of_cli = None if attempt.cli is None else attempt.cli.refused
    kind = content_type(request)
    refused = of_cli or _sender_refusal(attempt, kind)
    if refused is not None:
        return refused
    if len(request.body) > MESSAGE_BYTES_MAX:
        return TOO_LARGE
    is_fleeting = kind == IS_COMPOSING
    line, number = attempt.called_line, ""
    if line is None:
        if not isinstance(destination, E164 | Short):
            return refusal.NOT_IN_USE
        number = destination.number
        assigned = board.books.numbers.get(number)
        line = board.books.lines.get(assigned.line) if assigned is not None else None
    refused = _barred(attempt, number, line, board, now) or _unwanted(line, attempt, board, now)
    if refused is not None:
        return refused
    if line is None and is_fleeting:
        return TYPING_TO_TRUNK
    route = Route(number, number, line, ()) if line is not None else _by_trunk(number, attempt, board, now)
    if isinstance(route, Refusal):
        return route
    price = Price() if is_fleeting else _price(attempt, route, board, now)
    if isinstance(price, Refusal):
        return price
    return Admitted(Admission(attempt.caller_id, attempt.dialled, route, price), line, is_fleeting)


def _sender_refusal(attempt: Attempt, kind: str) -> Refusal | None:
    caller = attempt.caller
    if kind == CPIM and attempt.caller_id.is_withheld:
        return CPIM_WITHHELD
    if isinstance(caller, TrunkCaller):
        return None
    if caller.account is None:
        return refusal.ACCOUNT_MISSING
    return refusal.SUSPENDED if caller.account.is_suspended else None


def _barred(attempt: Attempt, number: str, line: Line | None, board: Switchboard, now: float) -> Refusal | None:
    """Whom the line may not call it may not write to either."""
    caller, destination = attempt.caller, attempt.plan_result.destination
    if isinstance(caller, TrunkCaller):
        return None
    where = destination if number and isinstance(destination, E164 | Short) else None
    barred = restricted(caller.account, where, line, board)
    barred = barred or board.safety.refusal_for(caller.line, caller.account, where, now)
    return barred or outgoing_block(caller.line, caller.account, number)


def _unwanted(line: Line | None, attempt: Attempt, board: Switchboard, now: float) -> Refusal | None:
    """Whom the recipient does not let call may not write either; who is not to be disturbed may be written to."""
    if line is None:
        return None
    account = board.books.account_of(line)
    refused = incoming_refusal(line, account, attempt.caller_id, board, now)
    return None if refused is refusal.DO_NOT_DISTURB else refused


def _by_trunk(number: str, attempt: Attempt, board: Switchboard, now: float) -> Route | Refusal:
    names = board.conf.routing.targets(number)
    if not names:
        return refusal.NOT_IN_USE if isinstance(attempt.caller, LineCaller) else refusal.NOT_ASSIGNED
    if isinstance(attempt.caller, TrunkCaller):
        return refusal.TRUNK_TO_TRUNK
    names = tuple(name for name in names if board.conf.trunks[name].messages)
    if not names or not number.startswith("+"):
        return NO_TRUNK
    stages, skipped = board.trunks.ways(names, board.of_trunk, now, is_emergency=False)
    if not stages:
        return refusal.TRUNK_UNAVAILABLE
    return Route(number, "", None, stages, relay_prefix=attempt.plan_result.relay_prefix, skipped=skipped)


def _price(attempt: Attempt, route: Route, board: Switchboard, now: float) -> Price | Refusal:
    """What the sender's account pays for one; between lines of ours nothing, unless its tariff says so."""
    caller = attempt.caller
    if isinstance(caller, TrunkCaller) or caller.account is None:
        return Price()
    account = caller.account
    tariff = board.conf.tariffs.get(account.tariff)
    if tariff is None:
        return refusal.NO_TARIFF
    if tariff.vat is not account.vat:
        return refusal.VAT_MISMATCH
    is_on_net = route.line is not None
    rate: Rate | None = tariff.text_rate_for(ON_NET if is_on_net else route.number, board.clock.ms(now))
    if rate is None and not is_on_net:
        return refusal.NO_RATE
    if rate is not None and not rate.is_free and board.journal.is_failed:
        return refusal.JOURNAL_FAILED
    return Price(account.id, rate, tariff.name, tariff.version)


def refusal_response(request: Request, refused: Refusal) -> Response:
    """What the sender is told of a rule that was broken."""
    is_ours = refused.label.startswith("message_")
    response = make_response(request, refused.status, refused.words if is_ours else None)
    if refused.retry_after_s:
        response.headers.add("retry-after", str(refused.retry_after_s))
    return response
