"""The signs by name: what a pattern of conf/fault-patterns.toml may ask about a call.

A sign is a small pure function over the facts of a call. It gives its evidence, words that fit into a sentence, or
None. A family is a sign that is asked with an argument: "outcome:no_credit" is the family `outcome` with the argument
`no_credit`, and speaks when the caller's record has that outcome.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from care.explanation import (
    signs_of_answers,
    signs_of_calls,
    signs_of_registrations,
    signs_of_sound,
    signs_of_traces,
)
from care.explanation.facts import Facts

Sign = Callable[[Facts], str | None]


class Family(msgspec.Struct, frozen=True):
    """`ask(facts, argument)`; `takes` says whether an argument can ever be met, `expected` what it has to be."""

    ask: Callable[[Facts, str], str | None]
    takes: Callable[[str], bool]
    expected: str


SIGNS: Final[dict[str, Sign]] = {
    sign.__name__: sign
    for module in (signs_of_calls, signs_of_answers, signs_of_traces, signs_of_sound, signs_of_registrations)
    for sign in module.SIGNS
}
FAMILIES: Final[dict[str, Family]] = {
    "outcome": Family(
        signs_of_calls.outcome,
        signs_of_calls.is_outcome,
        "an outcome of a call, as `offhook cdr list` shows it",
    ),
    "ended_by": Family(
        signs_of_calls.ended_by, signs_of_calls.is_ender, f"one of {', '.join(signs_of_calls.ENDERS)}"
    ),
    "carrier_cause": Family(
        signs_of_answers.carrier_cause, signs_of_answers.is_cause, "a Q.850 cause from 1 to 127"
    ),
    "carrier_status": Family(
        signs_of_answers.carrier_status, signs_of_answers.is_status, "a SIP status from 300 to 699"
    ),
    "phone_status": Family(
        signs_of_answers.phone_status, signs_of_answers.is_status, "a SIP status from 300 to 699"
    ),
    "decided": Family(
        signs_of_calls.decided, signs_of_calls.is_decision, "words that a record's decisions hold"
    ),
}


def speaks(name: str, facts: Facts) -> str | None:
    """The evidence of a sign of the table, with its argument where it is a family's."""
    family, has_argument, argument = name.partition(":")
    if has_argument:
        return FAMILIES[family].ask(facts, argument)
    return SIGNS[name](facts)


def problem_of(name: str) -> str:
    """Why no sign has this name, "" where one has."""
    family, has_argument, argument = name.partition(":")
    if not has_argument:
        return "" if name in SIGNS else "the name of a sign (docs/faults.md lists them)"
    known = FAMILIES.get(family)
    if known is None:
        return f"one of {', '.join(f'{each}:...' for each in FAMILIES)}"
    return "" if known.takes(argument) else f"{family}: with {known.expected}"
