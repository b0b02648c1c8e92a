"""Faults: what customers report, until it is closed. `entry` makes what `add` writes."""

from care.faults import entry
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
from care.faults.rows import find_fault, list_faults
from care.faults.store import NewFault, add, open_fault

__all__ = [
    "PLAIN_TERMS", "Check", "Deadlines", "EventKind", "Fault", "FaultClock", "FaultDetails", "FaultEvent", "FaultKind",
    "FaultState", "NewFault", "Opened", "Place", "Priority", "add", "clock_of", "entry", "find_fault", "list_faults",
    "load_terms", "open_fault", "open_with_calls",
]  # fmt: skip
