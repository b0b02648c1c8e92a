"""Patterns of numbers in customers' lists: a whole E.164 number, a beginning with a star ("+4490*"), or WITHHELD."""

from collections.abc import Iterable
from typing import Final

from provisioning.settings import WITHHELD

STAR: Final = "*"


def is_listed(number: str, patterns: Iterable[str]) -> bool:
    """Whether a number is meant by one of the patterns. WITHHELD means no number; "" is meant by none."""
    if not number:
        return False
    for pattern in patterns:
        if pattern == number:
            return True
        if pattern.endswith(STAR) and number.startswith(pattern[:-1]):
            return True
    return False


def lists_withheld(patterns: Iterable[str]) -> bool:
    return WITHHELD in patterns
