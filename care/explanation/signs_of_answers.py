"""Signs in what the targets answered: carriers, phones, voicemail, diverts, transfers."""

from collections.abc import Callable
from typing import Final

from care.explanation.causes import answer_words, cause_words, status_words
from care.explanation.facts import Facts, Kind, LegFacts
from care.explanation.phrases import counted, duration_words, number_words, said
from switch.calls.cdr import outcome_label
from switch.calls.endings import NOT_SENT_ON
from switch.calls.q850 import NO_ANSWER, RECOVERY_ON_TIMER_EXPIRY
from switch.calls.refusal import CALLEE_FULL, DIVERT_LOOP, DIVERTED_TOO_OFTEN

# Answers that say something of the person or the line that was called, and nothing of who carried the call there.
OF_THE_CALLED: Final = frozenset({"busy", "declined", "no_answer", "cancelled", "not_found", "answered"})
CAUSES_OF_THE_CALLED: Final = frozenset({1, 16, 17, 18, 19, 20, 21, 22, 23, 26, 28, 31})
CAUSES_UNREACHABLE: Final = frozenset({18, 20})
UNAVAILABLE: Final = 480
# What the words of a forked search leave on the record of who did not get the call.
ELSEWHERE: Final = 26
# What hunting.py leaves on record of who gave no sign, and of an address to which no way leads.
SILENT_CAUSES: Final = frozenset({RECOVERY_ON_TIMER_EXPIRY, 20})
GIVEN_UP: Final = 487
# A caller has time to wonder: ITU-T E.721 has 5 to 11 s for the 95th percentile of a call abroad.
POST_DIAL_S_BAD: Final = 11.0
# Phones that are set to "do not disturb", or reject by a list, do so at once; people need to look first.
AT_ONCE_S: Final = 1.0
# About when mobile networks send a call to voicemail, at the earliest.
FAR_VOICEMAIL_S: Final = 12.0
SHORT_TALK_S: Final = 60.0
MOBILE: Final = "+447"
SOUND_STATUSES: Final = frozenset({406, 415, 488, 606})
SOUND_CAUSES: Final = frozenset({65, 79, 88})


# Families


def carrier_cause(facts: Facts, argument: str) -> str | None:
    """The last carrier's answer, by its Q.850 cause."""
    leg = _last_failed(facts, Kind.CARRIER)
    if leg is None or facts.is_up or leg.is_ours or str(leg.cdr.q850_cause) != argument:
        return None
    return f"carrier {said(leg.cdr.trunk)}: {_answer(leg)}"


def carrier_status(facts: Facts, argument: str) -> str | None:
    """The last carrier's answer, by its SIP status."""
    leg = _last_failed(facts, Kind.CARRIER)
    if leg is None or facts.is_up or leg.is_ours or str(leg.cdr.sip_status) != argument:
        return None
    return f"carrier {said(leg.cdr.trunk)}: {_answer(leg)}"


def phone_status(facts: Facts, argument: str) -> str | None:
    """The last phone's answer, by its SIP status."""
    leg = _last_failed(facts, Kind.PHONE)
    if leg is None or facts.is_up or leg.is_ours or str(leg.cdr.sip_status) != argument:
        return None
    return f"the phone of line {said(leg.cdr.line)}: {_answer(leg)}"


def is_cause(argument: str) -> bool:
    return argument in {str(cause) for cause in range(1, 128)}


def is_status(argument: str) -> bool:
    return argument in {str(status) for status in range(300, 700)}


def _answer(leg: LegFacts) -> str:
    return answer_words(leg.cdr.sip_status, leg.cdr.q850_cause)


def _failed(facts: Facts, kind: Kind) -> list[LegFacts]:
    return [leg for leg in facts.tried if leg.kind is kind and not leg.is_answered and not leg.is_open]


def _last_failed(facts: Facts, kind: Kind) -> LegFacts | None:
    failed = _failed(facts, kind)
    return failed[-1] if failed else None


# Carriers


def _has_failed(leg: LegFacts) -> bool:
    """Whether a carrier failed to carry the call, and not the one who was called to take it."""
    cdr = leg.cdr
    if leg.is_answered or leg.is_open or cdr.outcome in ("cancelled", ""):
        return False
    if leg.is_ours:
        return cdr.q850_cause in (RECOVERY_ON_TIMER_EXPIRY, 20, 41)
    if cdr.q850_cause == RECOVERY_ON_TIMER_EXPIRY and not leg.has_rung:
        return True
    if cdr.q850_cause in CAUSES_OF_THE_CALLED:
        return False
    return outcome_label(cdr.sip_status, cdr.q850_cause) not in OF_THE_CALLED


def carrier_failed(facts: Facts) -> str | None:
    """A carrier did not carry the call, and nobody answered it by another."""
    failed = [leg for leg in facts.tried if leg.kind is Kind.CARRIER and _has_failed(leg)]
    if facts.is_up or not failed:
        return None
    return f"carrier {said(failed[-1].cdr.trunk)} answered: {_answer(failed[-1])}"


def all_carriers_failed(facts: Facts) -> str | None:
    """Two or more carriers, and each of them failed."""
    tried = [leg for leg in facts.tried if leg.kind is Kind.CARRIER]
    if facts.is_up or len(tried) < 2 or not all(_has_failed(leg) for leg in tried):
        return None
    return "; ".join(f"{said(leg.cdr.trunk)}: {_carrier_words(leg)}" for leg in tried)


def _carrier_words(leg: LegFacts) -> str:
    if leg.is_ours:
        return f"no answer within {duration_words(leg.waited_s)}"
    return _answer(leg)


def carrier_silent(facts: Facts) -> str | None:
    """The last carrier gave no sign at all, or its address could not be reached."""
    leg = _last_failed(facts, Kind.CARRIER)
    if facts.is_up or leg is None or not leg.is_ours or leg.cdr.sip_status == GIVEN_UP:
        return None
    if leg.cdr.q850_cause not in SILENT_CAUSES:
        return None
    return f"carrier {said(leg.cdr.trunk)} gave no sign within {duration_words(leg.waited_s)}: {said(leg.cdr.reason)}"


def carrier_passed_over(facts: Facts) -> str | None:
    """A carrier failed and another one took the call, which costs the caller time."""
    failed = [leg for leg in facts.tried if leg.kind is Kind.CARRIER and _has_failed(leg)]
    if not facts.is_up or not failed:
        return None
    return "; ".join(f"{said(leg.cdr.trunk)}: {_carrier_words(leg)}" for leg in failed)


def slow_to_ring(facts: Facts) -> str | None:
    """A long time between dialling and ringing."""
    delay_ms = facts.cdr.post_dial_delay_ms
    if delay_ms is None or delay_ms < POST_DIAL_S_BAD * 1000:
        return None
    return f"it took {duration_words(delay_ms / 1000)} until the caller heard it ring"


def by_carrier(facts: Facts) -> str | None:
    """The leg that decided was a carrier's."""
    leg = facts.decisive
    return f"carrier {said(leg.cdr.trunk)}" if leg is not None and leg.kind is Kind.CARRIER else None


def by_phone(facts: Facts) -> str | None:
    """The leg that decided was a phone's of a line here."""
    leg = facts.decisive
    return f"the phone of line {said(leg.cdr.line)}" if leg is not None and leg.kind is Kind.PHONE else None


def from_carrier(facts: Facts) -> str | None:
    """The call came in from a carrier."""
    return f"carrier {said(facts.cdr.trunk)}" if facts.caller.kind is Kind.CARRIER else None


# Phones


def phone_silent(facts: Facts) -> str | None:
    """A registered phone to which no way led any more."""
    silent = [
        leg
        for leg in _failed(facts, Kind.PHONE)
        if leg.is_ours and leg.cdr.sip_status != GIVEN_UP and leg.cdr.q850_cause in SILENT_CAUSES
    ]
    if facts.is_up or not silent or len(silent) < len(_failed(facts, Kind.PHONE)):
        return None
    return (
        f"the phone of line {said(silent[-1].cdr.line)} is registered from"
        f" {said(silent[-1].cdr.destination_address)} and did not react within {duration_words(silent[-1].waited_s)}"
    )


def phone_busy_at_once(facts: Facts) -> str | None:
    """It said "busy" faster than a person can."""
    leg = facts.decisive
    if leg is None or leg.kind is not Kind.PHONE or leg.is_ours or leg.cdr.outcome != "busy":
        return None
    return (
        "the phone said busy at once, without ringing"
        if leg.waited_s < AT_ONCE_S and not leg.has_rung
        else None
    )


def phone_refused(facts: Facts) -> str | None:
    """A phone refused the call for a reason of its own, no person's."""
    leg = facts.decisive
    if facts.is_up or leg is None or leg.kind is not Kind.PHONE or leg.is_ours:
        return None
    if leg.cdr.outcome in ("busy", "declined", "cancelled", "no_answer", "answered"):
        return None
    return f"the phone of line {said(leg.cdr.line)} refused the call: {_answer(leg)}"


def sound_refused(facts: Facts) -> str | None:
    """Somebody refused the kind of sound that was offered."""
    leg = facts.decisive
    if facts.is_up or leg is None:
        return None
    if leg.cdr.sip_status not in SOUND_STATUSES and leg.cdr.q850_cause not in SOUND_CAUSES:
        return None
    who = (
        f"carrier {said(leg.cdr.trunk)}"
        if leg.kind is Kind.CARRIER
        else f"the phone of line {said(leg.cdr.line)}"
    )
    return f"{who}: {_answer(leg)}"


def called_busy(facts: Facts) -> str | None:
    """Who was called is in another call."""
    leg = facts.decisive
    if facts.is_up or facts.cdr.outcome not in ("busy", CALLEE_FULL.label):
        return None
    if leg is None:
        return f"line {said(facts.called_line)} has as many calls as it may have at once"
    return f"{_who(leg)} is busy"


def called_declined(facts: Facts) -> str | None:
    """A person, or a rule of their phone, said no."""
    leg = facts.decisive
    if facts.is_up or leg is None or facts.cdr.outcome != "declined":
        return None
    return f"{_who(leg)} declined the call after {duration_words(leg.waited_s)}"


def called_away(facts: Facts) -> str | None:
    """It rang, and nobody answered."""
    rung = [leg for leg in facts.tried if leg.has_rung and not leg.is_answered]
    if facts.is_up or facts.cdr.outcome not in ("no_answer", "unavailable"):
        return None
    leg = facts.decisive
    if not rung and leg is not None and not leg.is_ours and leg.cdr.q850_cause == NO_ANSWER:
        rung = [leg]
    if not rung:
        return None
    return f"it rang for {duration_words(max(leg.waited_s for leg in rung))} and nobody answered"


def called_unreachable(facts: Facts) -> str | None:
    """Another network says that who was called cannot be reached: a mobile that is off, mostly."""
    leg = facts.decisive
    if facts.is_up or leg is None or leg.kind is not Kind.CARRIER or leg.is_ours or leg.has_rung:
        return None
    if leg.cdr.sip_status != UNAVAILABLE or leg.cdr.q850_cause not in (*CAUSES_UNREACHABLE, 31):
        return None
    return f"{_who(leg)} cannot be reached at the moment: {_answer(leg)}"


def hung_up_at_once(facts: Facts) -> str | None:
    """Who was called answered, and had hung up before the caller could be told."""
    leg = facts.answered
    if leg is None or facts.cdr.outcome != "unavailable" or facts.cdr.ended_by != "callee":
        return None
    return f"{_who(leg)} answered and hung up at once"


def _who(leg: LegFacts) -> str:
    if leg.kind is Kind.CARRIER:
        return number_words(leg.cdr.destination) if leg.cdr.destination else f"carrier {said(leg.cdr.trunk)}"
    return f"line {said(leg.cdr.line)}"


def answered_elsewhere(facts: Facts) -> str | None:
    """Several phones rang, and one of them took the call."""
    lost = [leg for leg in facts.tried if leg.is_ours and leg.cdr.q850_cause == ELSEWHERE]
    if not lost:
        return None
    return f"{counted(len(lost), 'other phone')} stopped ringing, as the call was taken elsewhere"


def all_rang(facts: Facts) -> str | None:
    """The call was offered to more than one phone of a line at once."""
    begun = [leg.cdr.setup_at_ms for leg in facts.tried if leg.kind is Kind.PHONE]
    if len(begun) < 2 or max(begun) - min(begun) > AT_ONCE_S * 1000:
        return None
    return f"{len(begun)} phones rang at once"


# Voicemail, diverts, transfers

# By what switch/calls/voicemail.py writes as the reason of such a leg.
_VOICES: Final = {
    "divert_": "voicemail",
    "retrieval": "voicemail",
    "menu ": "menu",
    "queue ": "queue",
    "conference ": "conference",
    "music": "music",
}


def voicemail_answered(facts: Facts) -> str | None:
    """Our own voicemail took a message, or said something."""
    leg = facts.answered
    if leg is None or leg.kind is not Kind.VOICE or not facts.is_up:
        return None
    return f"our {said(_voice(leg))} answered after {duration_words(facts.waited_s)}"


def _voice(leg: LegFacts) -> str:
    words = leg.cdr.leg_reason.rpartition(": ")[2]
    return next((name for begin, name in _VOICES.items() if words.startswith(begin)), "announcement service")


def far_voicemail(facts: Facts) -> str | None:
    """Another network answered as its voicemail does: after a while, or after saying that the call is sent on."""
    leg = facts.answered
    if leg is None or leg.kind is not Kind.CARRIER or not facts.is_up or facts.talked_s >= SHORT_TALK_S:
        return None
    if leg.dialog is not None and leg.dialog.has_forwarded:
        return "the other network said that it sends the call on, and then it was answered"
    if not leg.cdr.destination.startswith(MOBILE) or facts.waited_s < FAR_VOICEMAIL_S:
        return None
    return f"a mobile network answered after {duration_words(facts.waited_s)}, as its voicemail does"


def diverted(facts: Facts) -> str | None:
    """A line sent the call on."""
    leg = next((leg for leg in facts.tried if leg.cdr.leg_reason.startswith("divert_")), None)
    return None if leg is None else said(leg.cdr.leg_reason)


def diverted_always(facts: Facts) -> str | None:
    """A line sends on every call, so its own phones have no part in it."""
    leg = next((leg for leg in facts.tried if leg.cdr.leg_reason.startswith("divert_all")), None)
    return None if leg is None else said(leg.cdr.leg_reason)


def divert_not_taken(facts: Facts) -> str | None:
    """Who the line sends its calls to was busy, did not answer or said no."""
    if divert_failed(facts) is None:
        return None
    leg = [leg for leg in facts.tried if leg.cdr.leg_reason.startswith("divert_")][-1]
    is_of_called = leg.cdr.outcome in ("busy", "declined") or (leg.has_rung and leg.cdr.outcome == "no_answer")
    return f"{_who(leg)}: {_answer(leg)}" if is_of_called else None


def divert_failed(facts: Facts) -> str | None:
    """A divert led to somebody who could not be had."""
    sent_on = [leg for leg in facts.tried if leg.cdr.leg_reason.startswith("divert_")]
    if facts.is_up or not sent_on or any(leg.is_answered for leg in sent_on):
        return None
    leg = sent_on[-1]
    return f"{said(leg.cdr.leg_reason)}, to {number_words(leg.cdr.destination)}: {_answer(leg)}"


def divert_to_dead_number(facts: Facts) -> str | None:
    """... because that number is not in use."""
    if divert_failed(facts) is None:
        return None
    dead = [
        leg
        for leg in facts.tried
        if leg.cdr.leg_reason.startswith("divert_") and (leg.cdr.sip_status in (404, 410, 484, 604))
    ]
    return f"{number_words(dead[-1].cdr.destination)} is not in use: {_answer(dead[-1])}" if dead else None


def divert_went_round(facts: Facts) -> str | None:
    """Diverts that lead to each other."""
    is_loop = facts.cdr.outcome == DIVERT_LOOP.label or f"{NOT_SENT_ON}{DIVERT_LOOP.label}" in facts.decisions
    return DIVERT_LOOP.words if is_loop and not facts.is_up else None


def diverted_too_often(facts: Facts) -> str | None:
    """More diverts than a call may have."""
    label = DIVERTED_TOO_OFTEN.label
    is_over = facts.cdr.outcome == label or f"{NOT_SENT_ON}{label}" in facts.decisions
    return DIVERTED_TOO_OFTEN.words if is_over and not facts.is_up else None


def divert_not_made(facts: Facts) -> str | None:
    """A divert of the line could not be made, and was passed over."""
    passed = [words.removeprefix(NOT_SENT_ON) for words in facts.decisions if words.startswith(NOT_SENT_ON)]
    return f"a divert was passed over: {', '.join(passed)}" if passed and not facts.is_up else None


def redirected(facts: Facts) -> str | None:
    """A target answered 3xx."""
    leg = next((leg for leg in facts.tried if 300 <= leg.cdr.sip_status < 400), None)
    if leg is None or facts.is_up:
        return None
    return f"{_who(leg)}: {status_words(leg.cdr.sip_status)} ({leg.cdr.sip_status})"


def transfer_failed(facts: Facts) -> str | None:
    """An end wanted to transfer the call, and who was called then did not take it."""
    wanted = [leg for leg in facts.tried if leg.cdr.leg_reason.startswith("transfer by ")]
    if not wanted or any(leg.is_answered for leg in wanted):
        return None
    leg = wanted[-1]
    return f"{said(leg.cdr.leg_reason)}: {_answer(leg)}"


def far_cause(facts: Facts) -> str | None:
    """What the last target answered, in words."""
    leg = facts.decisive
    if facts.is_up or leg is None or not leg.cdr.q850_cause:
        return None
    return cause_words(leg.cdr.q850_cause)


SIGNS: Final[tuple[Callable[[Facts], str | None], ...]] = (
    carrier_failed, all_carriers_failed, carrier_silent, carrier_passed_over, slow_to_ring, by_carrier, by_phone,
    from_carrier, phone_silent, phone_busy_at_once, phone_refused, sound_refused, called_busy, called_declined,
    called_away, called_unreachable, hung_up_at_once, answered_elsewhere, all_rang, voicemail_answered, far_voicemail,
    diverted, diverted_always, divert_failed, divert_not_taken,
    divert_to_dead_number, divert_went_round, diverted_too_often, divert_not_made, redirected, transfer_failed,
    far_cause,
)  # fmt: skip
