"""What a call with voicemail may ask of the world, and what it plays: the language of the machines.

The announcement, the deposit and the menu take events (a digit, "all is said", a time, an answer of the store) and
return these. `session.py` carries them out; nothing here knows SIP, RTP or files.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

import msgspec

from media.prompts.speech import PAUSE
from voicemail.mailbox import Message, Settings, State

PAUSE_MS: Final = 200


class ClipKind(enum.Enum):
    PROMPT = "prompt"  # of the catalogue, by name
    MESSAGE = "message"  # of this mailbox, by id
    GREETING = "greeting"  # the owner's own
    DRAFT = "draft"  # what was just recorded in this call
    OWN = "own"  # an account's own prompt, "<account id>.<name>"
    PAUSE = "pause"  # name is milliseconds


class Clip(NamedTuple):
    """One piece of sound. `other` is said instead where there is none of that name."""

    kind: ClipKind
    name: str = ""
    other: str = ""


def prompt(name: str) -> Clip:
    """Also of the word for a pause between two groups of digits."""
    return pause(PAUSE_MS) if name == PAUSE else Clip(ClipKind.PROMPT, name)


def pause(milliseconds: int) -> Clip:
    return Clip(ClipKind.PAUSE, str(milliseconds))


class Recording(enum.Enum):
    """What a recording is for."""

    MESSAGE = "message"
    GREETING = "greeting"


class RecordingEnd(enum.Enum):
    """Why a recording ended. HASH is any key the caller ends it with."""

    HASH = "hash"
    SILENCE = "silence"
    LIMIT = "limit"
    HANG_UP = "hang_up"
    FAILED = "failed"  # the disk did not take it


# What to do with the call


class Progress(msgspec.Struct, frozen=True):
    """183 with our sound: what is said now costs nobody anything."""


class Answer(msgspec.Struct, frozen=True):
    """200."""


class Refuse(msgspec.Struct, frozen=True):
    """The final status of a call that was not answered. Cause is Q.850's, 0 for none."""

    status: int
    cause: int = 0


class HangUp(msgspec.Struct, frozen=True):
    """BYE."""


class Say(msgspec.Struct, frozen=True):
    """Play these one after the other; `said` comes at the end, unless something else was asked first."""

    clips: tuple[Clip, ...]


class Hush(msgspec.Struct, frozen=True):
    """Stop what is being said, without a `said`."""


class Wait(msgspec.Struct, frozen=True):
    """`timed_out` in so many seconds, unless a digit or another Say or Wait comes first."""

    seconds: float


class Record(msgspec.Struct, frozen=True):
    """Record what the caller says. `recorded` comes at the end. A silence of 0 s ends nothing."""

    purpose: Recording
    seconds_max: int
    silence_s: int


class StopRecording(msgspec.Struct, frozen=True):
    """End it now; `recorded` comes with this reason."""

    why: RecordingEnd


class Refer(msgspec.Struct, frozen=True):
    """REFER to the switch, which goes on with the call by these digits -> `referred(True)` when it accepts."""

    digits: str


class EndWithin(msgspec.Struct, frozen=True):
    """Nothing is said any more; BYE in so many seconds, unless the other side's comes first."""

    seconds: float


class PlayMusic(msgspec.Struct, frozen=True):
    """Until something is said, or to the end of the call. "" is the house's. It goes on where it was."""

    name: str


class Join(msgspec.Struct, frozen=True):
    """The conference of that name; `left_alone` comes when it is over."""

    conference: str


# What to do with the mailbox. Each is answered by one event.


class Open(msgspec.Struct, frozen=True):
    """-> `opened(Opened)`, or `opened(None)` when the mailbox cannot be read."""

    user: str


class OpenByNumber(msgspec.Struct, frozen=True):
    """The mailbox of a number that was keyed in, with its PIN -> `checked`, with the mailbox if the PIN is right."""

    number: str
    pin: str


class CheckPin(msgspec.Struct, frozen=True):
    """Of the mailbox that is open -> `checked`."""

    pin: str


class Keep(msgspec.Struct, frozen=True):
    """Make what was recorded safe -> `kept(True)` once it is on the disk, else `kept(False)`."""


class Discard(msgspec.Struct, frozen=True):
    """Forget what was recorded. No answer."""


class Mark(msgspec.Struct, frozen=True):
    """No answer: a mark that is lost is a message that is heard again."""

    message: str
    state: State


class Delete(msgspec.Struct, frozen=True):
    """At the end of a call. No answer."""

    messages: tuple[str, ...]


class SetPin(msgspec.Struct, frozen=True):
    """-> `changed`."""

    pin: str


class SetNotify(msgspec.Struct, frozen=True):
    """-> `changed`."""

    is_on: bool


class UseStandardGreeting(msgspec.Struct, frozen=True):
    """-> `changed`."""


Action = (
    Progress | Answer | Refuse | HangUp | Say | Hush | Wait | Record | StopRecording
    | Refer | EndWithin | PlayMusic | Join
    | Open | OpenByNumber | CheckPin | Keep | Discard | Mark | Delete | SetPin | SetNotify | UseStandardGreeting
)  # fmt: skip
Actions = list[Action]


class Fullness(enum.Enum):
    """Whether a mailbox takes another message, and if not, why."""

    ROOM = "room"
    FULL = "full"  # its quota
    DISK = "disk"  # of the machine, or the mailbox cannot be read


class Opened(NamedTuple):
    """A mailbox as it was found. Messages oldest first."""

    user: str
    settings: Settings
    messages: tuple[Message, ...]
    fullness: Fullness
    seconds_left: int = 0


class PinResult(enum.Enum):
    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"
    UNREADABLE = "unreadable"


NOTHING: Final[Actions] = []
