"""An announcement: 183, the words as early media, then the final status that was asked for. Nobody pays for it."""

from __future__ import annotations

from typing import Final

from voicemail.actions import NOTHING, Actions, Clip, Progress, Refuse, Say, pause

# Heard twice by who lifts the phone to the ear late; longer would only keep lines busy.
TIMES: Final = 2
GAP_MS: Final = 1200
LEAD_MS: Final = 300  # the first packets are lost where a phone or a relay opens its path late


class Announcement:
    """One refused call. Each method is an event and returns what to do."""

    __slots__ = ("_cause", "_clips", "_is_over", "_status")

    def __init__(self, clips: tuple[Clip, ...], *, status: int, cause: int) -> None:
        self._clips = clips
        self._status = status
        self._cause = cause
        self._is_over = False

    def start(self) -> Actions:
        once = (pause(LEAD_MS), *self._clips)
        return [Progress(), Say((*once, pause(GAP_MS), *once[1:] * (TIMES - 1)))]

    def said(self) -> Actions:
        if self._is_over:
            return NOTHING
        self._is_over = True
        return [Refuse(self._status, self._cause)]

    def hung_up(self) -> Actions:
        self._is_over = True
        return NOTHING

    def digit(self, digit: str) -> Actions:
        return NOTHING

    def timed_out(self) -> Actions:
        return NOTHING
