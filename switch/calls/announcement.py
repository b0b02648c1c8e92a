"""A refusal in words: which prompt says it, to whom, and when the bare code is the better answer.

The words come from the voicemail server as early media, with the same final status behind them, so nobody pays and a
phone that cannot play them still gets the right code. It is a leg that is never answered.

- Only lines hear them. A carrier's caller hears the tone or the words of his own network, in his own language, from
  the cause that the code stands for; early media towards a carrier would hold a channel of both for nothing. The
  exception is what no other network can know (FOR_CARRIERS).
- A line that begins calls too fast is a machine, a busy line has its tone in the phone, and an exchange that is full or
  closing down has better things to do: these get their code alone.
- Overlap dialling, in which a phone waits for a 484 after each digit, ends at the first 484 that is spoken. Phones of
  today send the number whole.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.cdr import Ending
from switch.calls.identity import LineCaller, caller_name
from switch.calls.terms import Admission, Price, Route
from switch.sdp.description import SdpError, parse_sdp
from switch.sdp.door import is_session_description

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switch.calls.call import Call
    from switch.calls.refusal import Refusal

# By the refusal's label. The names are those of media/prompts.
PROMPTS: "Final[Mapping[str, str]]" = {
    "no_credit": "no-credit",
    "owner_no_credit": "out-of-service",
    "unrecognised_number": "number-not-recognised",
    "number_not_in_use": "number-not-recognised",
    "number_not_assigned": "number-not-recognised",
    "service_code_unknown": "service-unknown",
    "not_registered": "not-available",
    "divert_unavailable": "not-available",
    "account_suspended": "account-suspended",
    "account_restricted": "account-overdue",
    "account_closed": "account-overdue",
    "callee_out_of_service": "out-of-service",
    "account_missing": "out-of-service",
    "no_rate": "barred",
    "barred": "barred",
    "not_opted_in": "barred",
    "fraud_bar": "barred",
    "high_cost_calls_limit": "all-lines-busy",
    # Not no-credit, which would ask for a top-up that does not help.
    "daily_cap": "cannot-connect",
    "monthly_cap": "cannot-connect",
    "line_calls_limit": "all-lines-busy",
    "account_calls_limit": "all-lines-busy",
    "trunk_calls_limit": "all-lines-busy",
    "trunk_unavailable": "all-lines-busy",
    "no_tariff": "cannot-connect",
    "vat_mismatch": "cannot-connect",
    "journal_failed": "cannot-connect",
    "anonymous_refused": "anonymous-refused",
    "incoming_barred": "incoming-barred",
    "caller_blocked": "incoming-barred",
    "do_not_disturb": "not-available",
    "destination_blocked": "barred",
}
FOR_CARRIERS: Final = frozenset({"anonymous_refused", "owner_no_credit"})


def announcement_for(call: "Call", refused: "Refusal", now: float) -> Admission | None:
    """The admission of the leg that says it; None: the bare code goes out."""
    prompt = PROMPTS.get(refused.label)
    voicemail = call.board.voicemail
    if prompt is None or not voicemail.is_there:
        return None
    if not isinstance(call.caller, LineCaller) and refused.label not in FOR_CARRIERS:
        return None
    caller = caller_name(call.caller)
    # The limits first: reading the offer costs more than the bare refusal.
    if not voicemail.has_room(caller, now) or not offers_audio(call.caller_leg.request.body):
        return None
    target = voicemail.announcement(prompt, refused, caller)
    route = Route("", "", None, [[target]], refused=refused, is_announcement=True)
    return Admission(call.attempt.caller_id, call.attempt.dialled, route, Price())


def offers_audio(body: bytes) -> bool:
    """Whether the caller can be played anything: an offer with an audio medium that is not switched off."""
    if not is_session_description(body):
        return False
    try:
        media = parse_sdp(body).media
    except SdpError:
        return False
    return any(medium.media == "audio" and medium.port and medium.is_rtp for medium in media)


def ending_of_announced(call: "Call") -> Ending | None:
    """How a call ended whose caller hung up before the words were over; None where no words were being said.

    Most do: to the record it is the refusal that it would have been.
    """
    route = call.admission.route if call.admission is not None else None
    if route is None or not route.is_announcement or route.refused is None:
        return None
    refused = route.refused
    call.board.counts.refusals[refused.label] += 1
    return Ending(refused.label, 487, refused.q850_cause, refused.words, "caller")
