"""What a line presents: its own numbers, or one that it has an undertaking for (Ofcom's types of presentation numbers).

Types 1 and 2 are the numbers assigned to the line, a PBX's among them; types 3 to 5 stand in `LineSettings.presents`,
each up to a day. What it may not present falls back to its network number, and is counted. 09 is never a CLI at all.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from provisioning.model import Line
from rating.calendar import day_in_london
from switch.books import Books
from switch.calls.decisions import SEPARATOR
from switch.calls.identity import NOTHING_DECIDED, CallerId, CliDecision, line_claim
from switch.calls.number_pattern import is_listed
from switch.calls.number_plan import NumberPlan
from switch.conf_cli import CliRules
from switch.sip.message import Request

if TYPE_CHECKING:
    from switch.calls.switchboard import WallClock

PREMIUM: Final = "+449"

NOT_OWN: Final = CliDecision(
    "not_own", "replaced", "presentation number not the line's own: network number shown"
)
NOT_PRESENTABLE: Final = CliDecision(
    "not_presentable",
    "replaced",
    "presentation number of a range that is not presented: network number shown",
)
UNDERTAKING_OVER: Final = CliDecision(
    "undertaking_over", "replaced", "presentation number's undertaking is over: network number shown"
)

BY_UNDERTAKING: Final = CliDecision("by_undertaking")
WITHHELD_BY_LINE: Final = "withheld by the line's setting"
WITHHELD_BY_CALLER: Final = "withheld by the caller for this call"
# Not a rule that was broken, but the record says who withheld.
_BY_LINE: Final = CliDecision(words=WITHHELD_BY_LINE)
_BY_CALLER: Final = CliDecision(words=WITHHELD_BY_CALLER)


def line_caller_id(
    request: Request,
    line: Line,
    books: Books,
    plan: NumberPlan,
    rules: CliRules,
    *,
    withhold: bool | None,
    is_emergency: bool,
    clock: "WallClock",
    now: float,
) -> tuple[CallerId, CliDecision]:
    """The identity of a call from a line. `withhold` is what 141 (True) or 1470 (False) asked for.

    An emergency call gets no stand-in for a missing number: nobody could call it back.
    """
    network = network_number(line, books)
    claim = line_claim(request, line, plan)
    presentation, decision = network, NOTHING_DECIDED
    if claim.presentation and claim.presentation != network:
        decision = _refused_claim(line, claim.presentation, books, rules)
        if decision is BY_UNDERTAKING:
            decision = _by_undertaking(line, claim.presentation, day_in_london(clock.ms(now)))
        if decision is NOTHING_DECIDED:
            presentation = claim.presentation
    if withhold is None:
        withhold = line.withholds_cli or claim.is_withheld
        by_line = line.withholds_cli
    else:
        by_line = False
    if withhold:
        decision = _with_words(decision, WITHHELD_BY_LINE if by_line else WITHHELD_BY_CALLER)
    stand_in = "" if is_emergency else rules.inserted_number
    return CallerId(network or stand_in, presentation, withhold, request.from_.display), decision


def _with_words(decision: CliDecision, words: str) -> CliDecision:
    if decision is NOTHING_DECIDED:
        return _BY_LINE if words is WITHHELD_BY_LINE else _BY_CALLER
    return msgspec.structs.replace(decision, words=f"{decision.words}{SEPARATOR}{words}")


def network_number(line: Line, books: Books) -> str:
    """The number that we vouch for; a line that has nothing but premium rate numbers has none."""
    number = books.network_number_of(line)
    if not number.startswith(PREMIUM):
        return number
    own = books.numbers_of_line.get(line.user, ())
    return next((other for other in own if not other.startswith(PREMIUM)), "")


def _refused_claim(line: Line, claimed: str, books: Books, rules: CliRules) -> CliDecision:
    """Why a line may not present the number that it claims; BY_UNDERTAKING: that is still to be seen."""
    if (
        claimed.startswith((PREMIUM, *rules.never_presented, *rules.inserted_ranges))
        or claimed in rules.listed
    ):
        return NOT_PRESENTABLE
    if books.may_present(line, claimed):
        return NOTHING_DECIDED
    return BY_UNDERTAKING if line.settings.presents else NOT_OWN


def _by_undertaking(line: Line, claimed: str, today: str) -> CliDecision:
    """Types 3 to 5. A pattern is for type 4, where the number is whoever called the customer."""
    promised = [number for number in line.settings.presents if is_listed(claimed, (number.e164,))]
    if not promised:
        return NOT_OWN
    is_kept = any(not number.until or number.until >= today for number in promised)
    return NOTHING_DECIDED if is_kept else UNDERTAKING_OVER
