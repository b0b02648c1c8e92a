"""The course of a call in sentences: who called whom, what was decided, what each side answered, how it ended, what
it cost. What is likely to be wrong with it is not said here."""

from typing import Final

from care.explanation.causes import answer_words
from care.explanation.facts import Facts, Kind, LegFacts
from care.explanation.phrases import (
    clock_words,
    counted,
    duration_words,
    joined,
    money_words,
    number_words,
    said,
    sentence,
)
from provisioning.settings import WITHHELD
from switch.calls.endings import NOT_SENT_ON
from switch.calls.refusal import DIVERT_LOOP, DIVERTED_TOO_OFTEN

# A group of twenty phones, or a plan of thirty steps, is for the table of legs; a paragraph stays one.
LEGS_TOLD_MAX: Final = 6
_ENDERS: Final = {"caller": "The caller hung up", "callee": "The called side hung up"}


def course_of(facts: Facts) -> list[str]:
    """One sentence each, in the order in which things happened."""
    told = [_asked(facts), *_decided(facts)]
    if not facts.is_refused or facts.tried:
        told += _tried(facts)
    return [words for words in (*told, _ended(facts), _cost(facts)) if words]


def _asked(facts: Facts) -> str:
    cdr = facts.cdr
    number = cdr.presentation_number or cdr.network_number
    who = number_words(number) if number else ""
    place = f"line {said(cdr.line)}" if cdr.line else f"carrier {said(cdr.trunk)}" if cdr.trunk else ""
    caller = f"{who} ({place})" if who and place else who or place or "somebody"
    if number != WITHHELD and cdr.privacy:
        caller += ", withheld"
    called = called_words(facts)
    dialled = "" if _is_same(cdr.dialled, cdr.destination) else f" (dialled as {said(cdr.dialled)})"
    source = f", from {said(_address(cdr.source_address))}" if cdr.source_address else ""
    return sentence(f"at {clock_words(cdr.setup_at_ms)}, {caller} called {called}{dialled}{source}")


def called_words(facts: Facts) -> str:
    """A number, a line of the exchange, or what was dialled."""
    cdr = facts.cdr
    if cdr.is_emergency:
        return "the emergency services"
    name = cdr.destination or cdr.dialled
    if name and name == facts.called_line:
        return f"line {said(name)}"
    return number_words(name) or "nothing"


def _is_same(dialled: str, destination: str) -> bool:
    return (
        not dialled
        or not destination
        or dialled.removeprefix("0") == destination.removeprefix("+44")
        or (dialled == destination)
    )


def _address(text: str) -> str:
    """ "192.0.2.7:5060" of "udp:192.0.2.7:5060"."""
    return text.partition(":")[2] or text


_NOT_SENT_ON_WORDS: Final = {
    DIVERT_LOOP.label: "it had been diverted there before",
    DIVERTED_TOO_OFTEN.label: "it had been diverted too often",
}


def _decided(facts: Facts) -> list[str]:
    told = []
    if facts.cdr.is_emergency:
        told.append("It was an emergency call.")
    if facts.cdr.ddi and facts.cdr.ddi != facts.cdr.destination:
        told.append(sentence(f"the number that was called is {number_words(facts.cdr.ddi)}"))
    notes = []
    for words in facts.decisions:
        if words.startswith(NOT_SENT_ON):
            label = words.removeprefix(NOT_SENT_ON)
            notes.append(
                f"a destination was passed over ({_NOT_SENT_ON_WORDS.get(label, label.replace('_', ' '))})"
            )
        else:
            notes.append(words)
    if notes:
        told.append(sentence(f"decided on the way: {said_list(notes)}"))
    return told


def said_list(notes: list[str]) -> str:
    return joined([said(note) for note in notes])


def _tried(facts: Facts) -> list[str]:
    told = [sentence(_leg_words(leg, is_first=at == 0)) for at, leg in enumerate(facts.tried[:LEGS_TOLD_MAX])]
    more = len(facts.tried) - LEGS_TOLD_MAX
    return [*told, f"{counted(more, 'more leg')} followed."] if more > 0 else told


def _leg_words(leg: LegFacts, *, is_first: bool) -> str:
    order = "it went to" if is_first else "then to"
    return f"{order} {target_words(leg)}, {_came_to(leg)}"


def target_words(leg: LegFacts) -> str:
    """Who was rung, and by whose doing."""
    cdr = leg.cdr
    why, _, rest = cdr.leg_reason.rpartition(": ")
    if leg.kind is Kind.CARRIER:
        what = f"carrier {said(cdr.trunk)}"
        if cdr.leg_reason.startswith("trunk ") and rest and why:
            return f"{what} (passed over: {said(rest)})"
    elif leg.kind is Kind.VOICE:
        return f"our own voice service ({said(cdr.leg_reason)})"
    else:
        what = f"the phone of line {said(cdr.line)}" if cdr.line else "a phone"
        if cdr.destination_address:
            what += f" at {said(_address(cdr.destination_address))}"
    return f"{what} ({said(why)})" if why and not cdr.leg_reason.startswith("trunk ") else what


def _came_to(leg: LegFacts) -> str:
    cdr = leg.cdr
    if cdr.answered_at_ms is not None:
        return f"which answered after {duration_words((cdr.answered_at_ms - cdr.setup_at_ms) / 1000)}"
    after = f"after {duration_words(leg.waited_s)}"
    if leg.is_open:
        return "which is ringing" if leg.has_rung else f"which has given no sign of ringing {after}"
    rang = "which rang and " if leg.has_rung else "which "
    if cdr.outcome == "cancelled":
        return (
            f"{rang}was given up {after}: {said(cdr.reason)}" if cdr.reason else f"{rang}was given up {after}"
        )
    if leg.is_ours:
        return f"{rang}gave no answer {after}: {said(cdr.reason) or answer_words(cdr.sip_status, cdr.q850_cause)}"
    return f"{rang}said {after}: {answer_words(cdr.sip_status, cdr.q850_cause)}"


def _ended(facts: Facts) -> str:
    cdr = facts.cdr
    if facts.story.is_live:
        if facts.is_up:
            return sentence(f"it is still up, {duration_words(facts.talked_s)} after the answer")
        return sentence(f"nobody has answered yet, after {duration_words(facts.waited_s)}")
    if not facts.is_up:
        if facts.is_refused:
            return sentence(
                f"the exchange refused it: {said(cdr.reason or cdr.outcome)} (SIP {cdr.sip_status})"
            )
        if cdr.ended_by == "caller":
            return sentence(f"the caller hung up after {duration_words(facts.waited_s)}, before an answer")
        leg = facts.decisive
        if leg is not None and (leg.cdr.reason == cdr.reason or not leg.is_ours):
            return "Nobody answered it."
        return sentence(
            f"nobody answered it: {said(cdr.reason) or answer_words(cdr.sip_status, cdr.q850_cause)}"
        )
    lasted = f"after {duration_words(facts.talked_s)} of talking"
    if cdr.ended_by in _ENDERS and cdr.reason.endswith(" hung up"):
        return f"{_ENDERS[cdr.ended_by]} {lasted}."
    return sentence(f"it ended {lasted}: {said(cdr.reason) or said(cdr.ended_by)}")


def _cost(facts: Facts) -> str:
    paid = []
    for view in facts.story.legs:
        if view.cdr.cost_micros > 0:
            who = f" to account {said(view.payer or view.account)}" if view.payer or view.account else ""
            paid.append(f"{money_words(view.cdr.cost_micros)}{who}")
    if facts.story.is_live:
        return sentence(f"charged so far: {joined(paid)}") if paid else "Nothing is charged so far."
    return sentence(f"charged: {joined(paid)}") if paid else "Nothing was charged."
