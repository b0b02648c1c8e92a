"""The `decisions` of a record: short words, separated by "; ", of what was decided about a call besides its route.

Anybody who decides something that a person will ask about adds words: what became of a number, which divert was
passed over, which cap ended the call. They are ours, never a peer's, and name no number.
"""

from typing import Final

from rating.records import Cdr

SEPARATOR: Final = "; "
# A screen's line of them; a call that needs more has its story elsewhere.
CHARS_MAX: Final = 400


def add_decision(row: Cdr, words: str) -> None:
    """Once each, and only as long as there is room."""
    if not words or words in row.decisions:
        return
    added = f"{row.decisions}{SEPARATOR}{words}" if row.decisions else words
    if len(added) <= CHARS_MAX:
        row.decisions = added
