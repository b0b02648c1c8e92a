"""Asking what a call would do changes nothing: what deciding counts is counted in copies, or put back.

Copies are what a call counts of itself and of others, since what it counts first decides what comes later: calls of
lines, accounts and trunks, whose turn it is in a group, what a line begins in a second. Put back are figures that only
tell how often something happened.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from switch.calls.call_rates import CallRates
from switch.calls.switchboard import Switchboard, WallClock

Key = TypeVar("Key")


@contextmanager
def asking(board: Switchboard, at_ms: int, now: float) -> Iterator[None]:
    """Until the end of it, `now` is `at_ms`, and the board is for asking."""
    clock, rates, turns = board.clock, board.call_rates, board.turns
    of_line, of_account, of_trunk = board.of_line, board.of_account, board.of_trunk
    skipped, diverted = board.trunks.skipped.copy(), board.voicemail.diverted.copy()
    below_cost = board.trunks.below_cost.copy()
    excess = [(carrier.rate, carrier.rate.excess) for carrier in board.trunks.carriers if carrier.rate is not None]
    # Half a millisecond, so that no rounding makes it the one before.
    board.clock = WallClock((at_ms + 0.5) / 1000 - now)
    board.call_rates, board.turns = CallRates(), turns.copy()
    board.of_line, board.of_account, board.of_trunk = Counter(of_line), Counter(of_account), Counter(of_trunk)
    try:
        yield
    finally:
        board.clock, board.call_rates, board.turns = clock, rates, turns
        board.of_line, board.of_account, board.of_trunk = of_line, of_account, of_trunk
        _put_back(board.trunks.skipped, skipped)
        _put_back(board.voicemail.diverted, diverted)
        _put_back(board.trunks.below_cost, below_cost)
        for rate, before in excess:
            rate.excess = before


def _put_back(counter: Counter[Key], before: Counter[Key]) -> None:
    counter.clear()
    counter.update(before)
