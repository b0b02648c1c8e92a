"""Ring back when free: the call that somebody has asked for (5), once the line that he wants is free.

Looked at once a second, as a person needs as long to hang up and breathe (EN 300 359-1 has an idle guard time for it).
Who asked is rung by the media server, which says what the call is; then it refers him on (`then=refer`), and he pays
for the call as if he had dialled again. While his own line is busy he keeps his place.
"""

from typing import TYPE_CHECKING, Final

from provisioning.model import LineKind
from switch.calls.line_targets import is_full, line_targets

if TYPE_CHECKING:
    from provisioning.model import Line
    from switch.calls.out_calls import OutCalls
    from switch.calls.pressed import Pressed
    from switch.calls.ring_back import RingBack, RingBacks
    from switch.calls.switchboard import Switchboard

WORDS: Final = ("ring-back-free",)
# In one second; where a whole office waits for one carrier's customer, the others come a second later.
RUNG_AT_ONCE_MAX: Final = 20


class RingBackCall:
    """What is meant by the REFER that follows the words."""

    __slots__ = ("_ring_back",)

    def __init__(self, ring_back: "RingBack") -> None:
        self._ring_back = ring_back

    def on_pressed(self, pressed: "Pressed", now: float) -> None:
        pressed.dial(self._ring_back.dialled, now, is_withheld=self._ring_back.is_withheld)


def ring_back_free(ring_backs: "RingBacks", out_calls: "OutCalls", board: "Switchboard", now: float) -> None:
    """Those whose line has become free are rung, where their own is."""
    rung = 0
    for wanted, asker in ring_backs.first_in_line():
        if board.of_line[asker] or rung >= RUNG_AT_ONCE_MAX:
            continue
        line = board.books.lines.get(wanted)
        if line is None or _is_engaged(line, board) or not line_targets(line, board, now):
            continue
        ring_back = ring_backs.became_free(wanted, now)
        if ring_back is not None:
            rung += 1
            out_calls.ring(
                ring_back.asker,
                WORDS,
                now,
                failed=_not_rung,
                then="refer",
                on_pressed=RingBackCall(ring_back),
            )


def _is_engaged(line: "Line", board: "Switchboard") -> bool:
    """A telephone while it has a call; a PBX, which always has some, while it has all that it may have."""
    return is_full(line, board) if line.kind is LineKind.TRUNK else bool(board.of_line[line.user])


def _not_rung(now: float) -> None:
    """He is not there, or the media server is not: what he asked for is over, as when he does not answer."""
