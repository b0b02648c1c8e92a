"""A transferred call that nobody took, and whose transferring phone has hung up, returns to the line of that phone.

Many phones hang up as soon as their REFER is accepted. Without this, whoever was transferred would be cut off because
somebody else was busy. It rings once, for nothing and without the line's diverts; where nobody answers the call is
over.
"""

from typing import TYPE_CHECKING

import msgspec

from switch.calls.conversation import caller_id_of
from switch.calls.line_targets import line_refusal, line_targets
from switch.calls.retarget import Retarget
from switch.calls.search import Search
from switch.calls.terms import Admission, Price, Route, Sender

if TYPE_CHECKING:
    from provisioning.model import Line
    from switch.calls.call import Call
    from switch.calls.leg import Leg


class Recall(Retarget):
    """`line` had transferred the call."""

    __slots__ = ("_line",)

    def __init__(self, call: "Call", staying: "Leg", line: "Line") -> None:
        super().__init__(call, None, staying)
        self._line = line

    def begin(self, now: float) -> bool:
        """Whether there is a phone to ring."""
        board = self.call.board
        line = board.books.lines.get(self._line.user)
        if line is None or line.account_id != self._line.account_id:
            return False
        search = search_for_return(line, self.staying, f"returns to line {line.user}, which transferred it", now)
        if search is None:
            return False
        board.counts.transfers["recalled"] += 1
        self.search(search, None, now)
        return True

    @property
    def words(self) -> str:
        return "the call returned to who had transferred it"


def search_for_return(line: "Line", staying: "Leg", words: str, now: float) -> Search | None:
    """The phones of a line that a call returns to, which costs nobody anything; None where it takes no call now."""
    board, caller_id = staying.board, caller_id_of(staying)
    targets = line_targets(line, board, now)
    if line_refusal(line, targets, caller_id, board, now) is not None:
        return None
    terms = Admission(caller_id, "", Route("", "", line, ()), Price(), Sender(line, words))
    return Search([[msgspec.structs.replace(target, onward=terms) for target in targets]], (line,))
