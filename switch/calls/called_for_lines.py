"""A call that somebody else has made for a line (RFC 5359 2.18, click to dial): by command, or by the portal.

The media server rings the line, says what is coming and refers it on; the line pays as if it had dialled.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from switch.calls.out_calls import OutCalls
    from switch.calls.pressed import Pressed

WORDS: Final = ("transferring",)


class Connect:
    """What is meant by the REFER that follows the words."""

    __slots__ = ("_dialled",)

    def __init__(self, dialled: str) -> None:
        self._dialled = dialled

    def on_pressed(self, pressed: "Pressed", now: float) -> None:
        pressed.dial(self._dialled, now)


def call_for(user: str, dialled: str, out_calls: "OutCalls", now: float) -> bool:
    """Whether the media server has been asked to ring the line."""
    failed: list[float] = []
    out_calls.ring(user, WORDS, now, failed=failed.append, then="refer", on_pressed=Connect(dialled))
    return not failed
