"""A fault as text for the terminal: a row of the list, and all of it."""

from collections.abc import Iterable

from care.faults.record import EventKind, FaultClock, FaultDetails, FaultEvent
from offhook.moments import format_duration, format_moment

WORDS = {
    EventKind.NOTE: "note",
    EventKind.ANSWER: "told the customer",
    EventKind.STATE: "now",
    EventKind.PLACE: "it lies",
    EventKind.PRIORITY: "priority",
    EventKind.CHECK: "asked for check",
    EventKind.CHECKED: "check",
    EventKind.CALL: "call",
}


def fault_rows(shown: Iterable[tuple[FaultDetails, FaultClock]]) -> list[list[str]]:
    return [
        [
            found.fault.reference,
            found.fault.priority.value,
            found.fault.state.value,
            format_moment(found.fault.opened_at_ms),
            format_duration(clock.open_ms // 1000),
            _due(clock),
            found.fault.account,
            found.fault.kind.value,
            found.fault.words or " ".join(part for part in _said(found) if part),
            found.fault.place.value,
        ]
        for found, clock in shown
    ]


def fault_facts(found: FaultDetails, clock: FaultClock) -> list[tuple[str, str]]:
    fault = found.fault
    facts = [
        ("fault", fault.reference),
        ("state", fault.state.value),
        ("priority", fault.priority.value),
        ("opened", f"{format_moment(fault.opened_at_ms)} by {fault.opened_by}"),
        ("open for", _open_for(clock)),
        ("due", _due(clock)),
        ("account", fault.account),
        ("line", fault.line),
        ("reporter", " ".join(part for part in (fault.reporter, fault.contact) if part)),
        ("kind", fault.kind.value),
        ("time code", fault.time_code),
        ("CLI", fault.cli),
        ("DDI", fault.ddi),
        ("reported", fault.words),
        ("where", fault.place.value),
        ("answered", format_moment(fault.answered_at_ms)),
        ("restored", format_moment(fault.restored_at_ms)),
        ("closed", format_moment(fault.closed_at_ms)),
    ]
    return [(name, text) for name, text in facts if text] + [_event(each) for each in found.events]


def _event(event: FaultEvent) -> tuple[str, str]:
    what = [WORDS[event.event]]
    if event.event is EventKind.CHECK:
        what.append(str(event.id))
    if event.about:
        what.append(str(event.about))
    if event.value:
        what.append(event.value)
    text = f"{event.staff}: {' '.join(what)}"
    return format_moment(event.at_ms), f"{text}: {event.words}" if event.words else text


def _open_for(clock: FaultClock) -> str:
    text = format_duration(clock.open_ms // 1000)
    return (
        f"{text}, {format_duration(clock.paused_ms // 1000)} of it the customer's"
        if clock.paused_ms
        else text
    )


def _due(clock: FaultClock) -> str:
    """What is due next."""
    if clock.answer_due_at_ms is not None:
        return f"answer {format_moment(clock.answer_due_at_ms)}" + (" (late)" if clock.is_late else "")
    if clock.restore_due_at_ms is not None:
        return f"repair {format_moment(clock.restore_due_at_ms)}" + (" (late)" if clock.is_late else "")
    return "was late" if clock.is_late else ""


def _said(found: FaultDetails) -> tuple[str, ...]:
    fault = found.fault
    return (fault.time_code, fault.cli, fault.ddi, fault.line)
