"""What can be done with a call next, and what can come of it: the words between deciding and doing.

A plan (or a line's diverts) decides move by move; the call makes the move and says what came of it; `offhook route
explain` prints the moves without a call. Times are whole seconds.
"""

import enum
from typing import Final

import msgspec


class PlaceKind(enum.Enum):
    """What can be rung."""

    LINE = "line"
    NUMBER = "number"


class Place(msgspec.Struct, frozen=True):
    """One thing to ring: a line by its user name or a number in E.164, which the plan's account pays for."""

    kind: PlaceKind
    value: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.value}"


class Ring(msgspec.Struct, frozen=True):
    """Ring these together, for so long. `follows_diverts`: a line's own diverts apply (one that is rung as a member of
    a group has none). `skips_busy`: a line that is in a call is left out."""

    places: tuple[Place, ...]
    ring_s: int
    follows_diverts: bool = False
    skips_busy: bool = False


class Deposit(msgspec.Struct, frozen=True):
    """Let the caller leave a message for this line."""

    user: str


class Announce(msgspec.Struct, frozen=True):
    """Say something and end the call: `status` and `cause` are what the caller's phone is told after it."""

    prompt: str
    status: int
    cause: int


class Menu(msgspec.Struct, frozen=True):
    """Play `prompt` and take digits. Ends with Pressed or with NOTHING_PRESSED after `tries`.

    `choices` are the digits that end it at once; with `extension_digits` any other digit begins an extension of so
    many.
    """

    prompt: str
    choices: tuple[str, ...]
    extension_digits: int
    timeout_s: int
    tries: int


class Queue(msgspec.Struct, frozen=True):
    """Wait with music until one of the places answers; calls are served in their order.

    `name` is the queue's own within the account: calls that wait under one name wait in one row.
    """

    name: str
    places: tuple[Place, ...]
    strategy: "Strategy"
    ring_s: int
    waiting_max: int
    wait_s_max: int
    music: str
    says_position: bool


class Strategy(enum.Enum):
    """Whom of a group to ring: all at once, in their order, in turn from call to call, or who has rested longest."""

    TOGETHER = "together"
    IN_ORDER = "in_order"
    ROUND_ROBIN = "round_robin"
    LONGEST_IDLE = "longest_idle"


class Refuse(msgspec.Struct, frozen=True):
    """Nothing is left: the caller is told. `words` is for the record."""

    status: int
    cause: int
    words: str


Move = Ring | Deposit | Announce | Menu | Queue | Refuse


class Came(enum.Enum):
    """What came of a move that did not end the call."""

    NO_ANSWER = "no_answer"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    DECLINED = "declined"
    FAILED = "failed"
    NOTHING_PRESSED = "nothing_pressed"
    QUEUE_FULL = "queue_full"
    WAITED_TOO_LONG = "waited_too_long"


class Pressed(msgspec.Struct, frozen=True):
    """The digits of a menu."""

    digits: str


Result = Came | Pressed

# Moves of one call: a plan that leads round in a circle ends here.
MOVES_MAX: Final = 50
