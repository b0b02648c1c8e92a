"""A complaint as text for the terminal: a row of the list, and all of it."""

from collections.abc import Iterable

from offhook.moments import format_moment
from provisioning.complaints import ComplaintClock, ComplaintDetails, ComplaintEvent, EventKind

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


def complaint_rows(shown: Iterable[tuple[ComplaintDetails, ComplaintClock]]) -> list[list[str]]:
    return [
        [
            found.complaint.reference,
            found.complaint.state.value,
            format_moment(found.complaint.received_at_ms),
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
        ("received", f"{format_moment(complaint.received_at_ms)} by {complaint.channel.value}"),
        ("recorded", f"{format_moment(complaint.opened_at_ms)} by {complaint.opened_by}"),
        ("account", complaint.account),
        ("reporter", " ".join(part for part in (complaint.reporter, complaint.contact) if part)),
        ("fault", complaint.fault),
        ("words", complaint.words),
        ("acknowledged", _acknowledged(found, clock)),
        ("outcome told", format_moment(complaint.outcome_at_ms)),
        ("deadlock", format_moment(complaint.deadlock_at_ms)),
        ("letter", _letter(found, clock)),
        ("closed", format_moment(complaint.closed_at_ms)),
    ]
    return [(name, text) for name, text in facts if text] + [_event(each) for each in found.events]


def next_due(clock: ComplaintClock) -> str:
    """What is due, the acknowledgement by its hour, the letter by its day."""
    parts = []
    if clock.acknowledge_by_ms is not None:
        parts.append(f"acknowledge by {format_moment(clock.acknowledge_by_ms)}")
    if clock.letter_due_on is not None:
        parts.append(f"letter {clock.letter_due_on.isoformat()}")
    if clock.is_letter_waiting:
        parts.append("the letter's mail waits to be sent")
    return ", ".join(parts)


def _acknowledged(found: ComplaintDetails, clock: ComplaintClock) -> str:
    if clock.acknowledge_by_ms is not None:
        late = " (OVERDUE)" if clock.is_acknowledgement_overdue else ""
        return f"due by {format_moment(clock.acknowledge_by_ms)}{late}"
    late = " (late)" if clock.was_acknowledged_late else ""
    return format_moment(found.complaint.acknowledged_at_ms) + late


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
    text = f"{event.staff}: {' '.join(part for part in (WORDS[event.event], event.value) if part)}"
    return format_moment(event.at_ms), (
        f"{text}: {event.words}" if event.words and event.event not in UNSHOWN else text
    )
