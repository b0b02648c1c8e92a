"""A menu of a business: "for sales, press 1". Digits go to the switch; what they mean is not known here.

A key interrupts what is said. Choices end the menu at once; where extensions may be dialled, any other digit begins
one, and its digits may have pauses. A wrong key and a silence are a try each; after the last the switch goes on with
nothing.
"""

from __future__ import annotations

import enum
from typing import Final

from voicemail.actions import NOTHING, Actions, Answer, Clip, Hush, Say, Wait, pause, prompt
from voicemail.handover import Handover

LEAD_MS: Final = 400
INVALID: Final = "invalid-choice"
# Within an extension people pause less than before it; more than the whole time they have is never waited.
DIGIT_WAIT_S: Final = 3.0


class State(enum.Enum):
    ASKING = "asking"  # the prompt is played, or was
    DIALLING = "dialling"  # an extension
    GIVING_UP = "giving_up"  # the last try was wrong, and is said to be
    DONE = "done"


class DigitMenu:
    """One call. Each method is an event and returns what to do."""

    __slots__ = (
        "_choices",
        "_clips",
        "_extension_digits",
        "_handover",
        "_pressed",
        "_timeout_s",
        "_tries_left",
        "state",
    )

    def __init__(
        self, clips: tuple[Clip, ...], *, choices: str, extension_digits: int, timeout_s: int, tries: int
    ) -> None:
        self._clips = clips
        self._choices = choices
        self._extension_digits = extension_digits
        self._timeout_s = timeout_s
        self._tries_left = tries
        self._pressed = ""
        self._handover = Handover()
        self.state = State.ASKING

    def start(self) -> Actions:
        return [Answer(), Say((pause(LEAD_MS), *self._clips))]

    def said(self) -> Actions:
        match self.state:
            case State.ASKING:
                return [Wait(self._timeout_s)]
            case State.GIVING_UP:
                return self._finish("")
            case _:
                return self._handover.said()

    def digit(self, digit: str) -> Actions:
        match self.state:
            case State.ASKING:
                return self._first(digit)
            case State.DIALLING:
                return self._next(digit)
            case _:
                return NOTHING

    def timed_out(self) -> Actions:
        """Nothing, or too little, was pressed."""
        match self.state:
            case State.DIALLING:
                return self._wrong()
            case State.ASKING:
                self._tries_left -= 1
                return self._ask() if self._tries_left else self._finish("")
            case _:
                return NOTHING

    def referred(self, is_accepted: bool) -> Actions:
        return self._handover.referred(is_accepted)

    def hung_up(self) -> Actions:
        self.state = State.DONE
        return NOTHING

    def _first(self, digit: str) -> Actions:
        if digit in self._choices:
            return self._finish(digit)
        return self._next(digit)

    def _next(self, digit: str) -> Actions:
        """One of an extension; * and # are in none."""
        if not self._extension_digits or not digit.isdigit():
            return self._wrong()
        self.state = State.DIALLING
        self._pressed += digit
        if len(self._pressed) >= self._extension_digits:
            return self._finish(self._pressed)
        return [Hush(), Wait(min(DIGIT_WAIT_S, self._timeout_s))]

    def _wrong(self) -> Actions:
        self._tries_left -= 1
        if self._tries_left:
            return self._ask(prompt(INVALID))
        self.state = State.GIVING_UP
        return [Say((prompt(INVALID),))]

    def _ask(self, *lead: Clip) -> Actions:
        self.state = State.ASKING
        self._pressed = ""
        return [Say((*lead, pause(LEAD_MS), *self._clips))]

    def _finish(self, digits: str) -> Actions:
        self.state = State.DONE
        return self._handover.begin(digits)
