"""An announcement: 183, the prompt as early media, then the final status that was asked for. Nobody pays for it."""

from __future__ import annotations

from typing import Final

from voicemail.actions import NOTHING, Actions, Opened, Progress, RecordingEnd, Refuse, Say, pause, prompt

# Heard twice by who lifts the phone to the ear late; longer would only keep lines busy.
TIMES: Final = 2
GAP_MS: Final = 1200
LEAD_MS: Final = 300  # the first packets are lost where a phone or a relay opens its path late


class Announcement:
    """One refused call. Each method is an event and returns what to do."""

    __slots__ = ("_cause", "_is_over", "_name", "_status")

    def __init__(self, name: str, *, status: int, cause: int) -> None:
        self._name = name
        self._status = status
        self._cause = cause
        self._is_over = False

    def start(self) -> Actions:
        once = (pause(LEAD_MS), prompt(self._name))
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

    def opened(self, mailbox: Opened | None) -> Actions:
        return NOTHING

    def recorded(self, seconds: float, why: RecordingEnd) -> Actions:
        return NOTHING

    def kept(self, is_safe: bool) -> Actions:
        return NOTHING
