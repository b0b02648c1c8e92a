"""What else than From would say who a withheld caller is: other header fields, and the session description.

RFC 3323 4.1 lists the fields by which a caller makes himself known; beyond those, any that contains the number or the
name of the line. Emergency calls have no privacy.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.identity import Caller, CallerId, LineCaller
from switch.calls.number_plan import COUNTRY
from switch.calls.passing import Fields

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.leg import Leg

SELF_DESCRIBING: Final = frozenset({"reply-to", "call-info", "organization", "subject"})
# A line's name as short as this is in every other value by chance.
NAME_CHARS_MIN: Final = 3
# RFC 8866: a session's name and information, URI, email address and telephone number of whoever made it.
_ABOUT_PEOPLE: Final = (b"i=", b"u=", b"e=", b"p=")


def without_caller(fields: Fields, caller_id: CallerId, caller: Caller) -> Fields:
    """Those fields that do not say who calls."""
    if not fields:
        return fields
    marks = _marks(caller_id, caller)
    return [
        (name, value)
        for name, value in fields
        if name.lower() not in SELF_DESCRIBING and not any(mark in value.lower() for mark in marks)
    ]


def hides_caller(call: "Call") -> bool:
    """Whether the callees of a call must not learn who calls."""
    return call.attempt.caller_id.is_withheld and not call.is_emergency


def crossing(fields: Fields, target: "Leg") -> Fields:
    """Fields of a message within a call on their way to `target`, from whoever talks with it: after a transfer that may
    be who began another call."""
    if not fields:
        return fields
    speaker = target.other
    if speaker is None and target is not target.call.caller_leg:
        speaker = target.call.caller_leg
    if speaker is None or speaker is not speaker.call.caller_leg or not hides_caller(speaker.call):
        return fields
    return without_caller(fields, speaker.call.attempt.caller_id, speaker.call.caller)


def without_people(content: bytes) -> bytes:
    """A session description whose origin has no name, and that says nothing of people. The same each time for the same
    session, since o= identifies it (RFC 8866 5.2)."""
    lines = []
    for line in content.split(b"\n"):
        if line.startswith(_ABOUT_PEOPLE):
            continue
        if line.startswith(b"o="):
            _, space, rest = line.partition(b" ")
            lines.append(b"o=-" + space + rest)
        elif line.startswith(b"s="):
            lines.append(b"s=-\r" if line.endswith(b"\r") else b"s=-")
        else:
            lines.append(line)
    return b"\n".join(lines)


def _marks(caller_id: CallerId, caller: Caller) -> list[str]:
    """What gives a caller away: the digits of the numbers that are the same in every format, and the line's name."""
    marks = [
        number.removeprefix(COUNTRY).removeprefix("+")
        for number in (caller_id.network_number, caller_id.presentation_number)
        if number
    ]
    if isinstance(caller, LineCaller) and len(caller.line.user) >= NAME_CHARS_MIN:
        marks.append(caller.line.user.lower())
    return marks
