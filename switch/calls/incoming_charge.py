"""Calls to a number that its owner pays for: freephone (080), by where the call comes from.

A row `in:` of the owner's tariff prices them. They are a call's own meter: reserved before anything rings, running from
our 200 to the caller until the call ends, wherever plans, diverts and transfers lead meanwhile; on the record of the
caller's leg, which nobody else pays for, because it is that leg which the other network charges. Calls between lines of
this exchange cost their owner nothing: no other network is paid for them. Nor does a call-back of an emergency service.
"""

from typing import TYPE_CHECKING, Final

from provisioning.model import Line
from rating.rate import Rate
from switch.calls import refusal
from switch.calls.decisions import add_decision
from switch.calls.number_plan import E164, NumberClass, read_dialled
from switch.calls.refusal import Refusal
from switch.calls.terms import Price, Route
from switch.config import IncomingWithoutCredit

if TYPE_CHECKING:
    from rating.engine import Shortage
    from switch.calls.attempt import Attempt
    from switch.calls.call import Call
    from switch.calls.switchboard import Switchboard
    from switch.calls.terms import Admission
    from switch.sip.message import Request

LANDLINES: Final = frozenset(
    {NumberClass.GEOGRAPHIC, NumberClass.UK_WIDE, NumberClass.CORPORATE, NumberClass.VOIP, NumberClass.FREEPHONE}
)
# The calling party's category, as carriers pass it on in the URI of an identity (3GPP TS 24.229).
PAYPHONE: Final = ";cpc=payphone"
ON_THE_HOUSE: Final = "the owner had no credit for this incoming call: not charged"


def incoming_price(
    request: "Request", attempt: "Attempt", route: Route, board: "Switchboard", now: float
) -> Price | Refusal:
    """What the owner of the called number pays for a call from a carrier; nearly always nothing."""
    line = route.line
    account = None if line is None else board.books.account_of(line)
    tariff = None if account is None else board.conf.tariffs.get(account.tariff)
    if tariff is None or not tariff.has_incoming:
        return Price()
    assert account is not None
    assert line is not None
    if is_emergency_callback(attempt, line, board, now):
        return Price()
    origin = origin_of(request, attempt, board)
    rate: Rate | None = tariff.incoming_rate_for(route.ddi, origin, board.clock.ms(now))
    if rate is None or rate.is_free:
        return Price()
    if tariff.vat is not account.vat:
        return refusal.VAT_MISMATCH
    if board.journal.is_failed:
        return refusal.JOURNAL_FAILED
    return Price(account.id, rate, tariff.name, tariff.version, origin=origin)


def is_emergency_callback(attempt: "Attempt", line: Line, board: "Switchboard", now: float) -> bool:
    """Somebody may be calling who must get through, whoever pays: said by the carrier, or awaited."""
    return attempt.caller_id.is_emergency_callback or board.callbacks.is_awaited(line.user, now)


def origin_of(request: "Request", attempt: "Attempt", board: "Switchboard") -> str:
    """One of rating.rate.ORIGINS, by the network number; withheld or not, it is there or it is not."""
    if _is_payphone(request):
        return "payphone"
    number = attempt.caller_id.network_number
    destination = read_dialled(number, board.conf.routing.plan).destination if number else None
    if not isinstance(destination, E164):
        return "unknown"
    if destination.number_class is NumberClass.MOBILE:
        return "mobile"
    if destination.number_class is NumberClass.INTERNATIONAL:
        return "international"
    return "landline" if destination.number_class in LANDLINES else "unknown"


def _is_payphone(request: "Request") -> bool:
    headers = request.headers
    values = (*headers.values("p-asserted-identity"), headers.get("from") or "")
    return any(PAYPHONE in value.lower() for value in values)


def refusal_of_short_owner(board: "Switchboard") -> Refusal | None:
    """The owner of the number cannot pay: what the caller is told, who learns nothing of that; None where the operator
    has chosen to put such calls through for nothing."""
    if board.conf.prepaid.incoming_without_credit is IncomingWithoutCredit.CONNECT:
        return None
    return refusal.OWNER_NO_CREDIT


def on_short_owner(call: "Call", admission: "Admission", shortage: "Shortage") -> Refusal | None:
    """The same for a call that is to begin, with words for its record."""
    refused = refusal_of_short_owner(call.board)
    if refused is None:
        admission.price = Price()
        add_decision(call.rows[0], ON_THE_HOUSE)
    else:
        add_decision(call.rows[0], f"the number's owner: {refusal.of_shortage(shortage).words}")
    return refused
