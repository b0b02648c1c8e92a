"""A caller who withheld the number, as a line's block list may keep it: a keyed hash that nobody can read it from.

The key is the exchange's own (restart.py), in the journal and never in the books: who has the books alone cannot try
all numbers. With a new journal there is a new key, and the callers that were hidden before are no longer recognised.
"""

from collections.abc import Callable
from typing import NamedTuple

from switch.calls.identity import CallerId


class BlockEntry(NamedTuple):
    """What a block list keeps of one caller. `number` is for `blocked_callers`, which the customer reads: "" where it
    was withheld. `hidden` is for `hidden_callers`, and meets the same caller when he withholds his number; "" where
    there is none."""

    number: str
    hidden: str


def hidden_caller(sign: Callable[[str], str], number: str) -> str:
    """The entry of `LineSettings.hidden_callers` for an E.164 number. `sign` is the board's, of 48 bits: two of them,
    so that no other number is met by chance."""
    return sign(f"hidden caller 1 {number}") + sign(f"hidden caller 2 {number}")


def block_entry(caller_id: CallerId, sign: Callable[[str], str]) -> BlockEntry:
    """What 14258 (choose to refuse) puts on the lists of a line after this caller's call."""
    network = caller_id.network_number
    hidden = hidden_caller(sign, network) if network else ""
    shown = "" if caller_id.is_withheld else caller_id.presentation_number
    return BlockEntry(shown, hidden)
