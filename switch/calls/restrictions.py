"""What an account may still do whose bills are overdue: `AccountSettings.restriction`, step by step.

    step                        own account, services   0800, helplines   provider   ordinary   dear    incoming
    none                        yes                     yes               yes        yes        yes     yes
    premium_and_international   yes                     yes               yes        yes        no      yes
    outgoing                    yes                     yes               yes        no         no      yes
    suspended                   no                      no                yes        no         no      no
    ceased                      no                      no                no         no         no      no

Dear is 09, 118, 084, 087, 070 and everything abroad: what the provider owes to others at once. Helplines are 080,
116xxx, 101, 105, 111, 119 and 195 (directory enquiries for people who cannot use a book). The provider's own numbers
are those of safety.toml, [restricted]. An account's own lines stay in reach of each other while calls come in: a call
that one of them takes may be for another. Emergency calls never come here, and calls that are up go on.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from provisioning.model import Account, Line
from provisioning.settings import Restriction
from switch.calls import refusal
from switch.calls.number_plan import E164, NumberClass, Short, read_dialled
from switch.calls.refusal import Refusal

if TYPE_CHECKING:
    from switch.calls.switchboard import Switchboard

DEAR: Final = frozenset(
    {
        NumberClass.PREMIUM,
        NumberClass.DIRECTORY,
        NumberClass.UNBUNDLED,
        NumberClass.PERSONAL,
        NumberClass.INTERNATIONAL,
    }
)
_FREE: Final = frozenset({NumberClass.FREEPHONE, NumberClass.SOCIAL})
HELPLINES: Final = frozenset({"101", "105", "111", "119", "195"})
# Asked for every call: one comparison of identities.
_NONE: Final = Restriction.NONE
_CLOSED: Final = frozenset({Restriction.SUSPENDED, Restriction.CEASED})
_WORDS: Final = {
    Restriction.PREMIUM_AND_INTERNATIONAL: "calls abroad and to dear numbers are stopped until the account is paid",
    Restriction.OUTGOING: "outgoing calls are stopped until the account is paid",
    Restriction.SUSPENDED: "the account is suspended until it is paid",
    Restriction.CEASED: "the service has ceased",
}


def restricted(
    account: Account | None, destination: E164 | Short | None, callee: Line | None, board: "Switchboard"
) -> Refusal | None:
    """Whether an account that is to pay for a call may not make it. `callee` is the line of the exchange that was
    named or whose number it is; a number that is one of ours is found out here."""
    if account is None or account.settings.restriction is _NONE:
        return None
    step = account.settings.restriction
    number = "" if destination is None else destination.number
    if number in board.conf.safety.open_to_restricted and step is not Restriction.CEASED:
        return None
    line = callee or _line_of(number, board)
    is_own = line is not None and line.account_id == account.id
    if step not in _CLOSED and (is_own or allows(step, destination)):
        return None
    return refusal_of(step)


def restricted_onward(
    account: Account | None, number: str, callee: Line | None, board: "Switchboard"
) -> Refusal | None:
    """The same of a leg that the account sends a call on to; `number` is "" for a line that is named."""
    if account is None or account.settings.restriction is _NONE:
        return None
    found = read_dialled(number, board.conf.routing.plan).destination if number else None
    return restricted(account, found if isinstance(found, (E164, Short)) else None, callee, board)


def allows(step: Restriction, destination: E164 | Short | None) -> bool:
    """Whether a step leaves a destination open to everybody; None is somebody else's line, called by its name."""
    match step:
        case Restriction.NONE:
            return True
        case Restriction.PREMIUM_AND_INTERNATIONAL:
            return destination is None or destination.number_class not in DEAR or is_helpline(destination)
        case Restriction.OUTGOING:
            return destination is not None and is_helpline(destination)
        case _:
            return False


def is_helpline(destination: E164 | Short) -> bool:
    """Free to whoever calls it, or there for those who need it."""
    if destination.number_class in _FREE:
        return True
    return isinstance(destination, Short) and destination.number in HELPLINES


def services_refusal(account: Account | None) -> Refusal | None:
    """Whether the account has no mailbox and no service codes any more."""
    if account is None or account.settings.restriction not in _CLOSED:
        return None
    return refusal_of(account.settings.restriction)


def incoming_stopped(step: Restriction) -> Refusal | None:
    """Whether calls to the account are refused. What the caller is told is nothing of anybody's bill."""
    return refusal.NOT_IN_SERVICE if step in _CLOSED else None


def refusal_of(step: Restriction) -> Refusal:
    """Words for the record, for `route explain`, and for the Reason that the account's own phone may show."""
    sort = refusal.RESTRICTED_ALL if step in _CLOSED else refusal.RESTRICTED
    return msgspec.structs.replace(sort, words=_WORDS[step])


def _line_of(number: str, board: "Switchboard") -> Line | None:
    assigned = board.books.numbers.get(number) if number else None
    return None if assigned is None else board.books.lines.get(assigned.line)
