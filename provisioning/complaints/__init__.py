"""Complaints (GC C4): what customers complain of, until it is closed. `entry` makes what `add` writes."""

from provisioning.complaints import entry
from provisioning.complaints.clock import (
    ComplaintClock,
    ComplaintTerms,
    LetterLimit,
    acknowledge_by,
    clock_of,
    letter_due_on,
    most_pressing_first,
)
from provisioning.complaints.record import (
    Channel,
    Complaint,
    ComplaintDetails,
    ComplaintEvent,
    ComplaintState,
    Ending,
    EventKind,
    LetterReason,
    LetterWay,
)
from provisioning.complaints.rows import find_complaint, list_complaints, open_complaints
from provisioning.complaints.store import NewComplaint, add, add_within, open_complaint, remove_old

__all__ = [
    "Channel", "Complaint", "ComplaintClock", "ComplaintDetails", "ComplaintEvent", "ComplaintState", "ComplaintTerms",
    "Ending", "EventKind", "LetterLimit", "LetterReason", "LetterWay", "NewComplaint", "acknowledge_by", "add",
    "add_within", "clock_of", "entry", "find_complaint", "letter_due_on", "list_complaints", "most_pressing_first",
    "open_complaint", "open_complaints", "remove_old",
]  # fmt: skip
