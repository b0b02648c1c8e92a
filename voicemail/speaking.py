"""Words that the switch wants said: a confirmation, the last caller's number, a reminder. A key leads elsewhere."""

from __future__ import annotations

from typing import Final

from voicemail.actions import NOTHING, Actions, Answer, Clip, HangUp, Say, Wait, pause
from voicemail.handover import Handover

# "To return the call, press 3": so long after the words.
KEY_WAIT_S: Final = 5.0
LEAD_MS: Final = 400  # the caller's end opens its path only when it sees the answer


class Speaking:
    """One call. Each method is an event and returns what to do."""

    __slots__ = ("_clips", "_handover", "_has_spoken", "_is_over", "_keys", "_refers")

    def __init__(self, clips: tuple[Clip, ...], *, keys: str, refers: bool) -> None:
        """`refers`: after the words the switch goes on with the call, whatever was pressed."""
        self._clips = clips
        self._keys = keys
        self._refers = refers
        self._handover = Handover()
        self._has_spoken = False
        self._is_over = False

    def start(self) -> Actions:
        return [Answer(), Say((pause(LEAD_MS), *self._clips))]

    def said(self) -> Actions:
        if self._handover.has_begun:
            return self._handover.said()
        if self._is_over:
            return NOTHING
        self._has_spoken = True
        if self._refers:
            return self._handover.begin("")
        return [Wait(KEY_WAIT_S)] if self._keys else self._hang_up()

    def digit(self, digit: str) -> Actions:
        if self._handover.has_begun or self._is_over:
            return NOTHING
        if digit in self._keys:
            return self._handover.begin(digit)
        # A digit ends a wait: the caller has time anew.
        return [Wait(KEY_WAIT_S)] if self._has_spoken else NOTHING

    def timed_out(self) -> Actions:
        return NOTHING if self._handover.has_begun or self._is_over else self._hang_up()

    def referred(self, is_accepted: bool) -> Actions:
        return self._handover.referred(is_accepted)

    def hung_up(self) -> Actions:
        self._is_over = True
        return NOTHING

    def _hang_up(self) -> Actions:
        self._is_over = True
        return [HangUp()]
