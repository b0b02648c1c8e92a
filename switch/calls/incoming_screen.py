"""What a called line does not want, and what a calling line must not reach: settings against a caller, before any ring.

Refused before the phone rings and before anything is charged: calls to an account that is suspended for debt, incoming
calls barred, callers without a number (RFC 5079), callers on the lists of line or account, do not disturb. A caller
who withheld the number is compared with the hidden callers alone: what a list of numbers did to the call would tell
whose it was.

An emergency service that calls back is never refused: it is known by its carrier's word (RFC 7090), and after an
emergency call from the line by the time (emergency_callbacks.py), since most carriers do not say it.
"""

from typing import TYPE_CHECKING

from provisioning.model import Account, Line
from provisioning.settings import PLAIN_ACCOUNT, PLAIN_LINE, LineSettings
from switch.calls import refusal
from switch.calls.hidden_caller import hidden_caller
from switch.calls.identity import CallerId
from switch.calls.number_pattern import is_listed, lists_withheld
from switch.calls.refusal import Refusal
from switch.calls.restrictions import incoming_stopped

if TYPE_CHECKING:
    from switch.calls.switchboard import Switchboard


def incoming_refusal(
    line: Line, account: Account | None, caller_id: CallerId, board: "Switchboard", now: float
) -> Refusal | None:
    """Why the line does not take this caller's call; None: it does. `account` is the line's."""
    settings = line.settings
    of_account = PLAIN_ACCOUNT if account is None else account.settings
    if settings is PLAIN_LINE and of_account is PLAIN_ACCOUNT:
        return None
    refused = incoming_stopped(of_account.restriction) if of_account.restriction else None
    refused = refused or _refusal(settings, of_account.blocked_callers, caller_id, board)
    if refused is None or caller_id.is_emergency_callback or board.callbacks.is_awaited(line.user, now):
        return None
    return refused


def _refusal(
    settings: LineSettings,
    of_account: tuple[str, ...],
    caller_id: CallerId,
    board: "Switchboard",
) -> Refusal | None:
    if settings.bars_incoming:
        return refusal.INCOMING_BARRED
    lists = (settings.blocked_callers, of_account)
    if caller_id.is_withheld:
        if settings.rejects_anonymous or any(lists_withheld(patterns) for patterns in lists):
            return refusal.ANONYMOUS_REFUSED
        if _is_hidden(caller_id.network_number, settings, board):
            return refusal.CALLER_BLOCKED
    else:
        # A customer blocks what the phone showed; who then presents another number is still the same caller.
        for number in (caller_id.presentation_number, caller_id.network_number):
            if any(is_listed(number, patterns) for patterns in lists):
                return refusal.CALLER_BLOCKED
            if _is_hidden(number, settings, board):
                return refusal.CALLER_BLOCKED
    return refusal.DO_NOT_DISTURB if settings.does_not_disturb else None


def _is_hidden(number: str, settings: LineSettings, board: "Switchboard") -> bool:
    hidden = settings.hidden_callers
    if not hidden or not number or board.conf.cli.is_stand_in(number):
        return False
    return hidden_caller(board.sign, number) in hidden


def outgoing_block(line: Line, account: Account | None, number: str) -> Refusal | None:
    """Whether line or account may not call this number: E.164 or a short code, "" for a line called by its name."""
    blocked = line.settings.blocked_destinations
    if blocked and is_listed(number, blocked):
        return refusal.DESTINATION_BLOCKED
    if account is not None and is_listed(number, account.settings.blocked_destinations):
        return refusal.DESTINATION_BLOCKED
    return None
