"""What a REGISTER changes, in the words of a line's history (rating/records.py RegistrationEvent).

Pure, and asked before anything is changed. A renewal that changes nothing costs a comparison of its flow. A phone that
comes with another Contact is the same phone where it names its instance, or uses the Call-ID of the binding before
(RFC 3261 10.2: a phone should use one for all its REGISTERs), whether it takes the old Contact away or not.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from switch.registrar.bindings import Binding
from switch.sip.flow import Flow

REGISTERED: Final = "registered"
MOVED: Final = "moved"
BACK: Final = "back"
LEFT: Final = "left"
EXPIRED: Final = "expired"
LOST: Final = "lost"
SILENT: Final = "silent"
REMOVED: Final = "removed"

MADE_ROOM: Final = "made room for a newer one"


class Change(NamedTuple):
    """`was` is where the phone was before, if it is another place; `binding` is what there is now, or was until now."""

    event: str
    binding: Binding
    was: Flow | None = None
    reason: str = ""


def changes_of(
    ending: Sequence[Binding],
    renewed: Mapping[Binding, Binding],
    fresh: Sequence[Binding],
    evicted: Sequence[Binding],
    current: Sequence[Binding],
) -> list[Change]:
    """`renewed` is each binding as it stands, and what it will be; `current` is what the AOR has now.

    A binding that another one takes the place of is no end: it is marked, so that nothing more is told of it.
    """
    changes: list[Change] = []
    for binding, now in renewed.items():
        if binding.is_missed:
            changes.append(Change(BACK, binding, binding.flow if binding.flow != now.flow else None))
            binding.is_missed = False
        elif binding.flow != now.flow:
            changes.append(Change(MOVED, binding, binding.flow))
    if not (ending or fresh or evicted):
        return changes
    left = list(ending)
    for binding in fresh:
        before = _same_phone(binding, (*left, *current), renewed)
        if before is None:
            changes.append(Change(REGISTERED, binding))
            continue
        event = BACK if before.is_missed else MOVED
        changes.append(Change(event, binding, before.flow))
        before.is_missed = True
        left = [other for other in left if other is not before]
    changes += [Change(LEFT, binding) for binding in left if not binding.is_missed]
    changes += [Change(REMOVED, binding, reason=MADE_ROOM) for binding in evicted if not binding.is_missed]
    return changes


def _same_phone(
    fresh: Binding, others: Sequence[Binding], renewed: Mapping[Binding, Binding]
) -> Binding | None:
    """What this phone had before: of its instance, unless both are flows (RFC 5626); else of its Call-ID."""
    for other in others:
        if other in renewed:
            continue
        if fresh.instance and other.instance == fresh.instance:
            if not (fresh.reg_id and other.reg_id and fresh.reg_id != other.reg_id):
                return other
        elif not fresh.instance and other.call_id == fresh.call_id:
            return other
    return None
