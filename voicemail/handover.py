"""Giving a call back to the switch: a REFER in its dialog to sip:pressed.<digits>@HOST, and what comes of that.

Accepted, nothing more is said, and the switch ends our part of the call; refused, the caller is told and the call ends.
"""

from __future__ import annotations

import enum
from typing import Final

from voicemail.actions import NOTHING, Actions, EndWithin, HangUp, Hush, Refer, Say, prompt

# By then the switch has made its next move, however slow its disk; else something went wrong there.
BYE_WAIT_S: Final = 10.0
REFUSED: Final = "cannot-connect"


class State(enum.Enum):
    NOT_YET = "not_yet"
    ASKED = "asked"
    ACCEPTED = "accepted"
    REFUSED = "refused"  # the caller is being told


class Handover:
    """Of one call. Its machine passes the events on once `has_begun`."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = State.NOT_YET

    @property
    def has_begun(self) -> bool:
        return self.state is not State.NOT_YET

    def begin(self, digits: str) -> Actions:
        self.state = State.ASKED
        return [Hush(), Refer(digits)]

    def referred(self, is_accepted: bool) -> Actions:
        if self.state is not State.ASKED:
            return NOTHING
        if is_accepted:
            self.state = State.ACCEPTED
            return [EndWithin(BYE_WAIT_S)]
        self.state = State.REFUSED
        return [Say((prompt(REFUSED),))]

    def said(self) -> Actions:
        return [HangUp()] if self.state is State.REFUSED else NOTHING
