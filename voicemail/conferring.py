"""One party of a conference: answered, joined, and sent away when nobody else is left (voicemail/conference.py)."""

from __future__ import annotations

from voicemail.actions import NOTHING, Actions, Answer, HangUp, Join


class Conferring:
    """One call. Each method is an event and returns what to do."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def start(self) -> Actions:
        return [Answer(), Join(self._name)]

    def left_alone(self) -> Actions:
        return [HangUp()]

    def said(self) -> Actions:
        return NOTHING

    def digit(self, digit: str) -> Actions:
        return NOTHING

    def timed_out(self) -> Actions:
        return NOTHING

    def hung_up(self) -> Actions:
        return NOTHING
