"""A business no: what the caller is told, what the CDR says, what the metric is called.

A refusal is a value, returned and never raised. The table's order is the order of precedence in which admission asks;
a test breaks all rules at once and mends them one by one.
"""

from typing import Final

import msgspec

from rating.engine import Shortage, ShortageReason


class Refusal(msgspec.Struct, frozen=True):
    """`label` is the metric's and the CDR's outcome; `words` is for people, `warning` a Warning field's value."""

    label: str
    status: int
    q850_cause: int
    words: str
    retry_after_s: int = 0
    warning: str = ""


DRAINING: Final = Refusal("draining", 503, 41, "the exchange is closing down", 30)
TOO_MANY_CALLS: Final = Refusal("exchange_full", 503, 42, "the exchange has as many calls as it takes", 5)
CLI_BLOCKED: Final = Refusal("cli_blocked", 403, 21, "the caller's number breaks a rule")
NOT_HERE: Final = Refusal("not_here", 404, 1, "the request is for a domain that is not ours")
UNRECOGNISED: Final = Refusal("unrecognised_number", 484, 28, "the dialled digits are not a number we know")
NOT_IN_USE: Final = Refusal("number_not_in_use", 404, 1, "no line or route for the dialled number")
NOT_ASSIGNED: Final = Refusal("number_not_assigned", 404, 1, "the number is not assigned here")
SERVICE_UNKNOWN: Final = Refusal("service_code_unknown", 404, 1, "the service code is not available")
VOICEMAIL_AWAY: Final = Refusal("voicemail_unavailable", 480, 41, "voicemail cannot be reached")
TRUNK_TO_TRUNK: Final = Refusal("trunk_to_trunk", 403, 21, "a carrier reaches only numbers assigned here")
ACCOUNT_MISSING: Final = Refusal("account_missing", 403, 21, "the line has no account")
SUSPENDED: Final = Refusal("account_suspended", 403, 21, "the account is suspended")
# The words name the step: restrictions.py.
RESTRICTED: Final = Refusal("account_restricted", 403, 21, "the account is overdue")
RESTRICTED_ALL: Final = Refusal("account_closed", 403, 21, "the account is overdue and suspended")
LINE_FULL: Final = Refusal("line_calls_limit", 403, 21, "the line has as many calls as it may have at once")
ACCOUNT_FULL: Final = Refusal("account_calls_limit", 403, 21, "the account has as many calls as it may have at once")
# Not 503, at which a PBX would give up on the whole exchange for a while.
LINE_TOO_FAST: Final = Refusal("line_calls_per_second", 480, 42, "the line begins more calls a second than it may", 1)
TRUNK_FULL: Final = Refusal("trunk_calls_limit", 480, 34, "the trunk has as many calls as it may have at once")
TRUNK_UNAVAILABLE: Final = Refusal("trunk_unavailable", 480, 38, "no trunk of the route can be reached")
NO_RATE: Final = Refusal("no_rate", 403, 21, "no price is set for this destination")
VAT_MISMATCH: Final = Refusal("vat_mismatch", 403, 21, "the account's VAT mode is not its tariff's")
NO_TARIFF: Final = Refusal("no_tariff", 403, 21, "the account's tariff is not loaded")
# The caller's phone hears the words, too: what carriers take is not its business. `offhook route explain` says more.
BELOW_COST: Final = Refusal("below_cost", 403, 21, "no trunk carries the call at its price")
JOURNAL_FAILED: Final = Refusal("journal_failed", 503, 41, "records cannot be kept, so no billable call is taken", 5)
NO_CREDIT: Final = Refusal("no_credit", 402, 21, "not enough credit for the first interval of this call")
# The caller is told nothing of who cannot pay; the record is.
OWNER_NO_CREDIT: Final = Refusal("owner_no_credit", 480, 31, "the called number takes no calls at the moment")
DAILY_CAP: Final = Refusal("daily_cap", 402, 21, "the daily spending cap leaves too little for this call")
MONTHLY_CAP: Final = Refusal("monthly_cap", 402, 21, "the monthly spending cap leaves too little for this call")
# The words of the record name the bar itself: bars.refusal_of, high_cost.py.
BARRED: Final = Refusal("barred", 403, 21, "a bar is set for this destination")
FRAUD_BAR: Final = Refusal("fraud_bar", 403, 21, "calls abroad and to dear numbers are stopped on suspicion of fraud")
NOT_OPTED_IN: Final = Refusal("not_opted_in", 403, 21, "the account has not asked for this high-cost destination")
HIGH_COST_FULL: Final = Refusal(
    "high_cost_calls_limit", 403, 21, "the account has as many calls to high-cost destinations as it may have at once"
)
NOT_REGISTERED: Final = Refusal("not_registered", 480, 20, "no phone is registered on the called line")
INCOMING_BARRED: Final = Refusal("incoming_barred", 403, 21, "the called line takes no calls")
# Why is nobody's business but the account's: nothing in it tells a caller of its bills.
NOT_IN_SERVICE: Final = Refusal("callee_out_of_service", 480, 31, "the called line is not in service")
ANONYMOUS_REFUSED: Final = Refusal("anonymous_refused", 433, 24, "the called line takes no calls without a number")
CALLER_BLOCKED: Final = Refusal("caller_blocked", 403, 21, "the called line does not take this caller's calls")
DO_NOT_DISTURB: Final = Refusal("do_not_disturb", 480, 20, "the called line is not to be disturbed")
DESTINATION_BLOCKED: Final = Refusal("destination_blocked", 403, 21, "the number is blocked on the calling line")
CALLEE_FULL: Final = Refusal("callee_busy", 486, 17, "the called line has as many calls as it may have at once")
DIVERTED_TO_WORDS: Final = Refusal("diverted_to_words", 480, 31, "the line's calls go to an announcement")
QUEUE_FULL: Final = Refusal("queue_full", 486, 17, "as many calls wait in the queue as may")
PLAN_ENDED: Final = Refusal("plan_ended", 480, 31, "the plan has nowhere left to go")
DIVERT_LOOP: Final = Refusal("divert_loop", 480, 25, "the line has diverted this call before")
DIVERTED_TOO_OFTEN: Final = Refusal("diverted_too_often", 480, 25, "the call has been diverted too often")
REFUSES_DIVERTS: Final = Refusal("refuses_diverts", 403, 21, "the line takes no diverted calls")
NOT_ONWARD: Final = Refusal("not_onward", 403, 21, "calls are not sent on to such a number")
LOOP: Final = Refusal("loop", 482, 25, "the call came back to where it had been")
TOO_MANY_HOPS: Final = Refusal("too_many_hops", 483, 25, "Max-Forwards is used up")
SESSION_TOO_BRIEF: Final = Refusal("session_too_brief", 422, 127, "the session is to be refreshed too often")
BROKEN_OFFER: Final = Refusal("broken_offer", 488, 65, "the body says it is SDP and is no session description")
REPLACES_MALFORMED: Final = Refusal("replaces_malformed", 400, 21, "the Replaces cannot be read, or there are two")
REPLACED_UNKNOWN: Final = Refusal("replaced_unknown", 481, 21, "no call of ours is the one to be replaced")
REPLACED_IS_UP: Final = Refusal("replaced_is_up", 486, 21, "the call to be replaced is no longer ringing")
REPLACED_IS_OVER: Final = Refusal("replaced_is_over", 603, 21, "the call to be replaced has ended")
REPLACES_DECLINED: Final = Refusal("replaces_declined", 603, 21, "the call is not one that this line may take over")
REPLACED_IS_BUSY: Final = Refusal("replaced_is_busy", 491, 21, "another change of this call is under way")
LATE_OFFER: Final = Refusal("late_offer", 488, 65, "who takes over a call has to say how he wants to be heard")
NO_COMMON_MEDIA: Final = Refusal("no_common_media", 488, 65, "the two ends have no sound in common")
NOTHING_PARKED: Final = Refusal("nothing_parked", 480, 31, "no call is parked there")
NO_SLOT: Final = Refusal("no_slot", 486, 17, "there is no room to park a call, or not where it was to be")
NOTHING_TO_PICK_UP: Final = Refusal("nothing_to_pick_up", 480, 31, "no phone rings that could be picked up")

IN_ORDER: Final[tuple[Refusal, ...]] = (
    DRAINING, TOO_MANY_CALLS, NOT_HERE, TOO_MANY_HOPS, LOOP, SESSION_TOO_BRIEF, BROKEN_OFFER, REPLACES_MALFORMED,
    REPLACED_UNKNOWN, REPLACED_IS_UP, REPLACED_IS_OVER, REPLACES_DECLINED,
    REPLACED_IS_BUSY, LATE_OFFER, CLI_BLOCKED, UNRECOGNISED, SERVICE_UNKNOWN,
    TRUNK_TO_TRUNK, NOT_ASSIGNED, ACCOUNT_MISSING, SUSPENDED, LINE_FULL, ACCOUNT_FULL, LINE_TOO_FAST,
    RESTRICTED_ALL, RESTRICTED, DESTINATION_BLOCKED, BARRED, NOT_OPTED_IN, FRAUD_BAR, HIGH_COST_FULL,
    NOT_IN_SERVICE, INCOMING_BARRED, ANONYMOUS_REFUSED, CALLER_BLOCKED, DO_NOT_DISTURB, NOT_IN_USE,
    VOICEMAIL_AWAY, TRUNK_FULL, TRUNK_UNAVAILABLE, NOT_REGISTERED, CALLEE_FULL, NO_TARIFF, VAT_MISMATCH, NO_RATE,
    JOURNAL_FAILED, BELOW_COST, NO_CREDIT, OWNER_NO_CREDIT, DAILY_CAP, MONTHLY_CAP,
)  # fmt: skip

_OF_SHORTAGE: Final = {
    ShortageReason.UNKNOWN_ACCOUNT: ACCOUNT_MISSING,
    ShortageReason.SUSPENDED: SUSPENDED,
    ShortageReason.VAT_MISMATCH: VAT_MISMATCH,
    ShortageReason.TOO_MANY_RESERVATIONS: ACCOUNT_FULL,
    ShortageReason.INSUFFICIENT_CREDIT: NO_CREDIT,
    ShortageReason.DAILY_CAP: DAILY_CAP,
    ShortageReason.MONTHLY_CAP: MONTHLY_CAP,
}


def of_shortage(shortage: Shortage) -> Refusal:
    """What the rating engine's no means to a caller."""
    return _OF_SHORTAGE[shortage.reason]
