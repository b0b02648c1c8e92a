"""Who waits in a queue hears music and now and then the place in it; who is parked, music. The switch ends both."""

from __future__ import annotations

from typing import Final

from media.prompts import speech
from voicemail.actions import NOTHING, Actions, Answer, Clip, PlayMusic, Say, pause, prompt

LEAD_MS: Final = 400


class Queueing:
    """One call. Each method is an event and returns what to do. Position 0 is not known, and never said."""

    __slots__ = ("_is_saying", "_is_told", "_music", "_says_position", "position")

    def __init__(self, music: str, *, position: int = 0, says_position: bool = False) -> None:
        self._music = music
        self._says_position = says_position
        self._is_saying = False
        self._is_told = True  # of the position as it is now
        self.position = position

    def start(self) -> Actions:
        return [Answer(), *self._say_position()]

    def positioned(self, position: int) -> Actions:
        """While one is being said, the last of those that come meanwhile is said after it."""
        self.position = position
        self._is_told = False
        return NOTHING if self._is_saying else self._say_position()

    def said(self) -> Actions:
        self._is_saying = False
        return [PlayMusic(self._music)] if self._is_told else self._say_position()

    def digit(self, digit: str) -> Actions:
        return NOTHING

    def timed_out(self) -> Actions:
        return NOTHING

    def hung_up(self) -> Actions:
        return NOTHING

    def _say_position(self) -> Actions:
        self._is_told = True
        clips = position_clips(self.position) if self._says_position else ()
        if not clips:
            return [PlayMusic(self._music)]
        self._is_saying = True
        return [Say((pause(LEAD_MS), *clips, pause(LEAD_MS)))]


def position_clips(position: int) -> tuple[Clip, ...]:
    """You are number three in the queue. () for 0."""
    if position <= 1:
        return (prompt("you-are-next"),) if position else ()
    return (prompt("you-are-number"), *map(prompt, speech.number(position)), prompt("in-the-queue"))
