"""A caller leaves a message: greeting, beep, recording, and what ends it. One table, no clock, no sound.

A mailbox that is full, or a disk that is, says so before the call is answered, so that nobody pays for it. The caller
is told that the message is safe only when it is.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

from voicemail.actions import (
    NOTHING,
    Actions,
    Answer,
    Clip,
    ClipKind,
    Discard,
    Fullness,
    HangUp,
    Hush,
    Keep,
    Open,
    Opened,
    Progress,
    Record,
    Recording,
    RecordingEnd,
    Refuse,
    Say,
    StopRecording,
    pause,
    prompt,
)

# 480 and not 5xx: the switch must not look for another way to a mailbox.
UNAVAILABLE: Final = 480
CAUSE_NO_ANSWER: Final = 19  # Q.850: the user has been alerted
CAUSE_CONGESTION: Final = 42  # switching equipment congestion

STANDARD_GREETING: Final = "greeting"
BEEP: Final = "record-beep"
LEAD_MS: Final = 400  # the caller's end opens its path only when it sees the answer


class State(enum.Enum):
    OPENING = "opening"  # the mailbox is being read
    REFUSING = "refusing"  # early media: full, or no disk
    GREETING = "greeting"
    RECORDING = "recording"
    KEEPING = "keeping"  # it is being made safe
    CLOSING = "closing"  # told what became of it
    ENDED = "ended"


class DepositRule:
    """What the house says. Seconds; a silence of 0 ends nothing."""

    __slots__ = ("message_max_s", "message_min_s", "silence_end_s")

    def __init__(self, *, message_max_s: int, message_min_s: int, silence_end_s: int) -> None:
        self.message_max_s = message_max_s
        self.message_min_s = message_min_s
        self.silence_end_s = silence_end_s


class Deposit:
    """One call that leaves a message. Each method is an event and returns what to do."""

    __slots__ = ("_has_reached_limit", "_refusal_cause", "_rule", "_seconds_max", "state", "user")

    def __init__(self, user: str, rule: DepositRule) -> None:
        self.user = user
        self.state = State.OPENING
        self._rule = rule
        self._has_reached_limit = False
        self._seconds_max = rule.message_max_s
        self._refusal_cause = CAUSE_NO_ANSWER

    def start(self) -> Actions:
        return [Open(self.user)]

    def opened(self, mailbox: Opened | None) -> Actions:
        if self.state is not State.OPENING:
            return NOTHING
        fullness = Fullness.DISK if mailbox is None else mailbox.fullness
        if mailbox is None or fullness is not Fullness.ROOM:
            self.state = State.REFUSING
            is_full = fullness is Fullness.FULL
            self._refusal_cause = CAUSE_NO_ANSWER if is_full else CAUSE_CONGESTION
            return [Progress(), Say((prompt("mailbox-full" if is_full else "cannot-take-messages"),))]
        self.state = State.GREETING
        self._seconds_max = min(self._rule.message_max_s, mailbox.seconds_left)
        greeting = (
            Clip(ClipKind.GREETING, other=STANDARD_GREETING)
            if mailbox.settings.has_own_greeting
            else prompt(STANDARD_GREETING)
        )
        return [Answer(), Say((pause(LEAD_MS), greeting, prompt(BEEP)))]

    def digit(self, digit: str) -> Actions:
        """# ends the greeting early, and the message."""
        return _on_hash(self) if digit == "#" else NOTHING

    def said(self) -> Actions:
        step = ON_SAID.get(self.state)
        return NOTHING if step is None else step(self)

    def timed_out(self) -> Actions:
        return NOTHING

    def recorded(self, seconds: float, why: RecordingEnd) -> Actions:
        """A short message is kept only from one who ended it on purpose."""
        if self.state is not State.RECORDING:
            return [Discard()]
        if why is RecordingEnd.FAILED:
            self.state = State.CLOSING
            return [Discard(), Say((prompt("cannot-take-messages"),))]
        is_long_enough = seconds > self._rule.message_min_s
        if why is RecordingEnd.HANG_UP:
            self.state = State.KEEPING if is_long_enough else State.ENDED
            return [Keep()] if is_long_enough else [Discard()]
        if not is_long_enough:
            self.state = State.CLOSING
            return [Discard(), Say((prompt("message-too-short"),))]
        self.state = State.KEEPING
        self._has_reached_limit = why is RecordingEnd.LIMIT
        return [Keep()]

    def kept(self, is_safe: bool) -> Actions:
        if self.state is not State.KEEPING:
            return NOTHING
        self.state = State.CLOSING
        if not is_safe:
            return [Say((prompt("cannot-take-messages"),))]
        limit = (prompt("message-too-long"),) if self._has_reached_limit else ()
        return [Say((*limit, prompt("message-received"), prompt("goodbye")))]

    def hung_up(self) -> Actions:
        """The caller is gone. What is being recorded is ended and judged; what is being kept goes on."""
        if self.state is State.RECORDING:
            return [StopRecording(RecordingEnd.HANG_UP)]
        if self.state is not State.KEEPING:
            self.state = State.ENDED
        return NOTHING

    def _begin_recording(self) -> Actions:
        self.state = State.RECORDING
        return [Record(Recording.MESSAGE, self._seconds_max, self._rule.silence_end_s)]

    def _refuse(self) -> Actions:
        self.state = State.ENDED
        return [Refuse(UNAVAILABLE, self._refusal_cause)]

    def _hang_up(self) -> Actions:
        self.state = State.ENDED
        return [HangUp()]


# What "all is said" leads to. In Recording and Keeping nothing is being said.
ON_SAID: Final[dict[State, Callable[[Deposit], Actions]]] = {
    State.REFUSING: Deposit._refuse,
    State.GREETING: Deposit._begin_recording,
    State.CLOSING: Deposit._hang_up,
}


def _on_hash(deposit: Deposit) -> Actions:
    match deposit.state:
        case State.GREETING:
            # Who calls often skips the greeting, but is told when to speak.
            return [Hush(), Say((prompt(BEEP),))]
        case State.RECORDING:
            return [StopRecording(RecordingEnd.HASH)]
        case _:
            return NOTHING
