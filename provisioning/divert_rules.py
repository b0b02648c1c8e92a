"""What a divert may lead to and what it may be bound to: the rules, without I/O.

A diverted call is paid for by who diverts, and nobody is there who could hear a price or hang up: so nothing that is
charged for by its content, and nothing that must reach a person, is a destination (uk.md j, T).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from provisioning.model import Divert, DivertCondition, DivertKind
from provisioning.numbers import parse_number
from provisioning.plans.node_text import ExpectedError, read_prompt
from provisioning.plans.plan import OWN_PROMPT
from provisioning.problems import InvalidValue, Refused, shown
from provisioning.rules import RING_S_MAX, RING_S_MIN, check_ring_s
from provisioning.settings_text import EXPECTED_NUMBER, read_caller_pattern, read_time_set

# A caller waits two minutes; more destinations than that would never be rung. The rest is for several rules.
DIVERTS_MAX: Final = 20
PATTERNS_MAX: Final = 20
EMERGENCY: Final = frozenset({"999", "112", "18000"})
PREMIUM_PREFIX: Final = "+449"
DIRECTORY_PREFIX: Final = "118"
DIRECTORY_DIGITS: Final = 6


class Destination(msgspec.Struct, frozen=True):
    """Where to, as it was asked for. `answer_s`: see Divert."""

    kind: DivertKind
    text: str = ""
    answer_s: int = 0


class Filter(msgspec.Struct, frozen=True):
    """Which calls a divert is for; empty is every call. What `check_filter` returns is as it is stored."""

    sources: tuple[str, ...] = ()
    ddis: tuple[str, ...] = ()
    time_set: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.sources or self.ddis or self.time_set)


ANY_CALL: Final = Filter()


def filter_of(divert: Divert) -> Filter:
    return Filter(divert.sources, divert.ddis, divert.time_set)


def check_filter(wanted: Filter) -> Filter:
    try:
        time_set = read_time_set(wanted.time_set) if wanted.time_set else ""
    except ValueError:
        expected = "the name of a time set, such as office"
        raise InvalidValue("time set", wanted.time_set, expected) from None
    expected = f"{EXPECTED_NUMBER}, or withheld"
    return Filter(
        _patterns("caller", wanted.sources, read_caller_pattern, expected),
        _patterns("called number", wanted.ddis, parse_number, "a number of the line, such as 01632960001"),
        time_set,
    )


def check_seconds(condition: DivertCondition, ring_s: int, answer_s: int) -> tuple[int, int]:
    """The line's ring time, which only no_reply has, and the destination's, where 0 is no limit of its own."""
    if answer_s and not RING_S_MIN <= answer_s <= RING_S_MAX:
        raise InvalidValue(
            "ring time of the destination", f"{answer_s} s", f"{RING_S_MIN} to {RING_S_MAX} s, or 0"
        )
    return check_ring_s(ring_s) if condition is DivertCondition.NO_REPLY else 0, answer_s


def check_number(text: str) -> str:
    """A number that calls may be diverted to, in E.164. Raises InvalidValue or Refused."""
    digits = "".join(character for character in text if character in "+0123456789")
    if digits.removeprefix("+44").removeprefix("0044") in EMERGENCY:
        raise Refused(f"calls cannot be diverted to the emergency number {shown(text)}")
    short = digits.removeprefix("+44").removeprefix("0044")
    if short.startswith(DIRECTORY_PREFIX) and len(short) == DIRECTORY_DIGITS:
        raise Refused(f"calls cannot be diverted to directory enquiries ({shown(text)})")
    number = parse_number(text)
    if number.startswith(PREMIUM_PREFIX):
        raise Refused(f"calls cannot be diverted to the premium rate number {shown(text)}")
    return number


def check_prompt(text: str, known: Collection[str] | None) -> str:
    """`known` are the shipped ones, None for not asking; a recording of the account's own is filed elsewhere."""
    try:
        read_prompt(text)
    except ExpectedError as problem:
        raise InvalidValue("announcement", text, problem.expected) from None
    if known is not None and text not in known and not text.startswith(OWN_PROMPT):
        raise InvalidValue("announcement", text, f'a prompt of the exchange, or "{OWN_PROMPT}NAME"')
    return text


def arranged(have: Sequence[Divert], wanted: Sequence[Divert], kept: Sequence[Divert]) -> list[Divert]:
    """A condition's diverts with `wanted` in place of those for the same calls; behind it stay those that are `kept`.

    Those for some calls go before those for every call: otherwise they would never be reached.
    """
    same = filter_of(wanted[0])
    others = [divert for divert in have if filter_of(divert) != same]
    stay = [divert for divert in kept if filter_of(divert) == same]
    return sorted([*others, *wanted, *stay], key=lambda divert: filter_of(divert).is_empty)


def _patterns(what: str, texts: Sequence[str], read: Callable[[str], str], expected: str) -> tuple[str, ...]:
    if len(texts) > PATTERNS_MAX:
        raise InvalidValue(f"{what}s", f"{len(texts)} of them", f"at most {PATTERNS_MAX}")
    found = []
    for text in texts:
        try:
            found.append(read(text))
        except (ValueError, InvalidValue):
            raise InvalidValue(what, text, expected) from None
    return tuple(sorted(dict.fromkeys(found)))
