"""One call explained: a paragraph for a busy person, the faults that its signs point to, and the steps it took.

`explain(story, patterns)` is pure and never raises: whatever a peer wrote is text here, made harmless. A call that came
to what calls come to (busy, nobody there, somebody hung up) has no finding; the paragraph then says so.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from care.explanation.causes import answer_words
from care.explanation.course import called_words, course_of
from care.explanation.facts import Facts, Kind, facts_of
from care.explanation.patterns import Pattern, Where, base_of, fill
from care.explanation.phrases import duration_words, number_words, plain, said, sentence
from care.explanation.signs import speaks
from care.story import CallStory

_WHERE_WORDS: Final = {
    Where.OUR_NETWORK.value: "It lies in our own network.",
    Where.ANOTHER_OPERATOR.value: "It lies with another operator.",
    Where.EQUIPMENT.value: "It lies with the customer's equipment.",
    Where.USE.value: "No equipment is at fault: it lies in how the service is used or set up.",
}


class Finding(msgspec.Struct, frozen=True):
    """A pattern that holds. `where` is one of patterns.Where, as text; `checks` are what to ask the customer for."""

    name: str
    title: str
    words: str
    where: str
    checks: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True):
    """`findings` are the faults, the likeliest first; empty: none. `answer` is what a call without a fault came to,
    None where it needs no words. `steps` are what happened, one sentence each."""

    paragraph: str
    findings: list[Finding]
    steps: list[str]
    answer: Finding | None = None


def explain(story: CallStory, patterns: Sequence[Pattern]) -> Explanation:
    facts = facts_of(story)
    findings, answers = _held(facts, patterns)
    answer = answers[0] if answers else None
    steps = course_of(facts)
    paragraph = " ".join([*steps, *_conclusion(facts, findings, answer)])
    return Explanation(paragraph, findings, steps, answer)


def _held(facts: Facts, patterns: Sequence[Pattern]) -> tuple[list[Finding], list[Finding]]:
    """The faults and the answers whose patterns hold, each the heaviest first."""
    held: list[tuple[Pattern, Finding]] = []
    for is_fallback in (0, 1):
        if not held:
            asked = [pattern for pattern in patterns if pattern.fallback == is_fallback]
            held = [
                (pattern, finding) for pattern in asked if (finding := _finding(facts, pattern)) is not None
            ]
    held.sort(key=lambda pair: -pair[0].weight)
    faults = [finding for pattern, finding in held if pattern.where is not Where.NONE]
    return faults, [finding for pattern, finding in held if pattern.where is Where.NONE]


def _finding(facts: Facts, pattern: Pattern) -> Finding | None:
    """What a pattern says of this call; None where it does not hold."""
    if any(speaks(name, facts) is not None for name in pattern.unless):
        return None
    evidence: dict[str, str] = {}
    for name in pattern.when_all:
        said_by = speaks(name, facts)
        if said_by is None:
            return None
        evidence.setdefault(base_of(name), said_by)
    has_any = not pattern.when_any
    for name in pattern.when_any:
        said_by = speaks(name, facts)
        if said_by is not None:
            has_any = True
            evidence.setdefault(base_of(name), said_by)
    if not has_any:
        return None
    values = {**_always_known(facts), **evidence, "evidence": "; ".join(evidence.values())}
    words = [sentence(fill(pattern.words, values))]
    for name in pattern.also:
        more = speaks(name, facts)
        if more is not None and base_of(name) not in evidence:
            words.append(sentence(more))
    checks = tuple(plain(fill(check, values)) for check in pattern.checks)
    return Finding(
        pattern.name, plain(fill(pattern.title, values)), plain(" ".join(words)), pattern.where.value, checks
    )


def _always_known(facts: Facts) -> dict[str, str]:
    cdr, leg = facts.cdr, facts.decisive
    is_carrier = leg is not None and leg.kind is Kind.CARRIER
    return {
        "caller": caller_words(facts),
        "called": called_words(facts),
        "called_line": said(facts.called_line) or number_words(cdr.destination or cdr.dialled),
        "carrier": said(leg.cdr.trunk) if leg is not None and is_carrier else "the carrier",
        "far_end": said(cdr.reason) if leg is None else answer_words(leg.cdr.sip_status, leg.cdr.q850_cause),
        "talked": duration_words(facts.talked_s),
        "waited": duration_words(facts.waited_s),
        "outcome_words": said(cdr.reason) or answer_words(cdr.sip_status, cdr.q850_cause),
    }


def caller_words(facts: Facts) -> str:
    """The number that was shown, else who it was."""
    cdr = facts.cdr
    number = cdr.presentation_number or cdr.network_number
    if number:
        return number_words(number)
    return f"line {said(cdr.line)}" if cdr.line else "a caller without a number"


def _conclusion(facts: Facts, findings: list[Finding], answer: Finding | None) -> list[str]:
    if findings:
        first = findings[0]
        words = [f"The likely cause: {first.title}. {first.words}", _WHERE_WORDS[first.where]]
        if first.checks:
            words.append(f"To check: {sentence(first.checks[0])}")
        return words
    if answer is not None:
        return [f"No fault: {answer.words}"]
    if facts.story.is_live:
        return ["No sign of a fault has been found so far."]
    return ["No sign of a fault was found."] if facts.is_up else []
