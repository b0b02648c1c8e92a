"""How far a call is."""

import enum


class CallState(enum.Enum):
    HUNTING = "ringing"
    AWAITING_JOURNAL = "answering"
    UP = "up"
    ENDED = "ended"
