"""What each member of staff may see. Pure.

Support answers customers: what happened to a call, why, what it cost, the ladder without the messages' texts, faults
and complaints. Engineers read the messages, too, and take them away as files; a message has addresses of both parties
in it, and of their networks. Admins see who has looked at what.
"""

import enum
from typing import Final


class Role(enum.Enum):
    SUPPORT = "support"
    ENGINEER = "engineer"
    ADMIN = "admin"


class Right(enum.Enum):
    """What a page asks for."""

    CALLS = "see calls, lines, faults and complaints"
    MESSAGES = "read the messages of a call and take them away"
    LOOKS = "see who has looked at what"


_SUPPORT: Final = frozenset({Right.CALLS})
_ENGINEER: Final = _SUPPORT | {Right.MESSAGES}
RIGHTS: Final = {Role.SUPPORT: _SUPPORT, Role.ENGINEER: _ENGINEER, Role.ADMIN: _ENGINEER | {Right.LOOKS}}
