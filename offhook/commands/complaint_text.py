"""A complaint as text for the terminal: a row of the list, and all of it.

Its times are London's, as its limits are, whatever zone the machine has.
"""

import datetime
from collections.abc import Iterable

from provisioning.complaints import ComplaintClock, ComplaintDetails, ComplaintEvent, EventKind
from provisioning.complaints.clock import LONDON
from provisioning.utc import time_from_ms

WORDS = {
    EventKind.NOTE: "note",
    EventKind.TOLD: "told the customer",
    EventKind.ACKNOWLEDGED: "acknowledged",
    EventKind.OUTCOME: "told the customer the outcome",
    EventKind.DEADLOCK: "deadlock",
    EventKind.LETTER: "letter about the scheme",
    EventKind.CLOSED: "closed",
    EventKind.REOPENED: "open again",
}
# The letter as it went is on record; `offhook complaint letter --print` shows it.
UNSHOWN = frozenset((EventKind.LETTER,))


def london_time(at_ms: int | None) -> str:
    """To the minute; the day alone of what came on a day, "" for none."""
    if at_ms is None:
        return ""
    at = time_from_ms(at_ms).astimezone(LONDON)
    return f"{at:%Y-%m-%d}" if at.time() == datetime.time() else f"{at:%Y-%m-%d %H:%M}"


def complaint_rows(shown: Iterable[tuple[ComplaintDetails, ComplaintClock]]) -> list[list[str]]:
    return [
        [
            found.complaint.reference,
            found.complaint.state.value,
            london_time(found.complaint.received_at_ms),
            next_due(clock),
            "OVERDUE" if clock.is_overdue else "",
            found.complaint.account,
            found.complaint.reporter,
            found.complaint.words,
        ]
        for found, clock in shown
    ]


def complaint_facts(found: ComplaintDetails, clock: ComplaintClock) -> list[tuple[str, str]]:
    complaint = found.complaint
    facts = [
        ("complaint", complaint.reference),
        ("state", " ".join(part for part in (complaint.state.value, complaint.ending or "") if part)),
        ("received", f"{london_time(complaint.received_at_ms)} by {complaint.channel.value}"),
        ("recorded", f"{london_time(complaint.opened_at_ms)} by {complaint.opened_by}"),
        ("account", complaint.account),
        ("reporter", " ".join(part for part in (complaint.reporter, complaint.contact) if part)),
        ("fault", complaint.fault),
        ("words", complaint.words),
        ("acknowledged", _acknowledged(found, clock)),
        ("outcome told", london_time(complaint.outcome_at_ms)),
        ("deadlock", london_time(complaint.deadlock_at_ms)),
        ("letter", _letter(found, clock)),
        ("closed", london_time(complaint.closed_at_ms)),
    ]
    return [(name, text) for name, text in facts if text] + [_event(each) for each in found.events]


def next_due(clock: ComplaintClock) -> str:
    """What is due, the acknowledgement by its hour, the letter by its day."""
    parts = []
    if clock.acknowledge_by_ms is not None:
        parts.append(f"acknowledge by {london_time(clock.acknowledge_by_ms)}")
    if clock.letter_due_on is not None:
        parts.append(f"letter {clock.letter_due_on.isoformat()}")
    if clock.is_letter_waiting:
        parts.append("the letter's mail waits to be sent")
    return ", ".join(parts)


def _acknowledged(found: ComplaintDetails, clock: ComplaintClock) -> str:
    if clock.acknowledge_by_ms is not None:
        late = " (OVERDUE)" if clock.is_acknowledgement_overdue else ""
        return f"due by {london_time(clock.acknowledge_by_ms)}{late}"
    late = " (late)" if clock.was_acknowledged_late else ""
    return london_time(found.complaint.acknowledged_at_ms) + late


def _letter(found: ComplaintDetails, clock: ComplaintClock) -> str:
    complaint = found.complaint
    if complaint.letter_on is not None and complaint.letter_way is not None:
        how = f" ({complaint.mail_state})" if complaint.mail_state else ""
        gone = f"{complaint.letter_on.isoformat()} by {complaint.letter_way.value}{how}"
        return gone if complaint.has_letter else f"{gone}: NOT DELIVERED"
    if clock.letter_due_on is not None:
        late = " (OVERDUE)" if clock.is_letter_overdue else ""
        return f"due on {clock.letter_due_on.isoformat()}{late}"
    return "" if complaint.has_adr else "none: a business of more than ten people"


def _event(event: ComplaintEvent) -> tuple[str, str]:
    text = f"{event.staff}: {', '.join(part for part in (WORDS[event.event], event.value) if part)}"
    return london_time(event.at_ms), (
        f"{text}: {event.words}" if event.words and event.event not in UNSHOWN else text
    )
