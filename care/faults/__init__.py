"""Faults: what customers report, until it is closed."""

from care.faults.conf import PLAIN_TERMS, load_terms
from care.faults.opening import Opened, open_with_calls
from care.faults.record import (
    Check,
    Deadlines,
    EventKind,
    Fault,
    FaultClock,
    FaultDetails,
    FaultEvent,
    FaultKind,
    FaultState,
    Place,
    Priority,
    clock_of,
)
from care.faults.store import (
    NewFault,
    answer_check,
    ask_check,
    attach_call,
    close_fault,
    find_fault,
    list_faults,
    note,
    open_fault,
    set_place,
    set_priority,
    set_state,
)

__all__ = [
    "PLAIN_TERMS", "Check", "Deadlines", "EventKind", "Fault", "FaultClock", "FaultDetails", "FaultEvent", "FaultKind",
    "FaultState", "NewFault", "Opened", "Place", "Priority", "answer_check", "ask_check", "attach_call", "clock_of",
    "close_fault", "find_fault", "list_faults", "load_terms", "note", "open_fault", "open_with_calls", "set_place",
    "set_priority", "set_state",
]  # fmt: skip
