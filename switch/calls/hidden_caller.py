"""A caller who withheld the number, as a line's block list may keep it: a keyed hash that nobody can read it from.

The key is the exchange's own (restart.py), in the journal and never in the books: who has the books alone cannot try
all numbers. With a new journal there is a new key, and the callers that were hidden before are no longer recognised.
"""

from collections.abc import Callable


def hidden_caller(sign: Callable[[str], str], number: str) -> str:
    """The entry of `LineSettings.hidden_callers` for an E.164 number. `sign` is the board's, of 48 bits: two of them,
    so that no other number is met by chance."""
    return sign(f"hidden caller 1 {number}") + sign(f"hidden caller 2 {number}")
