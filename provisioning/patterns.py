"""Patterns of telephone numbers, as lists of the books have them (settings.py)."""

from provisioning.settings import WITHHELD


def matches(pattern: str, number: str) -> bool:
    """A whole number, a beginning with a star, or WITHHELD. `number` is E.164, "" for one that is withheld."""
    if pattern == WITHHELD:
        return not number
    if pattern.endswith("*"):
        return bool(number) and number.startswith(pattern[:-1])
    return pattern == number
