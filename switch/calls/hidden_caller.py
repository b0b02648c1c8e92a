"""A caller who withheld the number, as a line's block list may keep it: a keyed hash that nobody can read it from.

The key is the exchange's own (restart.py), in the journal and never in the books: who has the books alone cannot try
all numbers. The line is hashed in, so that two lines' lists cannot be compared. With a new journal there is a new key,
and the callers that were hidden before are no longer recognised.
"""

from collections.abc import Callable


def hidden_caller(number: str, line_user: str, sign: Callable[[str], str]) -> str:
    """The entry of `LineSettings.hidden_callers` for an E.164 number. `sign` is the board's."""
    return sign(f"hidden caller {number} of {line_user}")
