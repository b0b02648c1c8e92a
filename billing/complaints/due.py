"""The daily work of complaints: letters that are due, what cannot be sent or was not acknowledged, old records.

Each letter is one transaction under the lock of its complaint, so that two runs at once, or one that is killed
anywhere, send it once; run again, the same day, only what a person has to do is said again.
"""

import datetime

import asyncpg
import msgspec

from billing.border import alone
from billing.complaints.conf import ComplaintsConf
from billing.complaints.letter import AlreadySent, mail_letter
from billing.conf import BillingConf, Seller
from provisioning.complaints import Complaint, ComplaintClock, clock_of, open_complaints, remove_old
from provisioning.complaints.clock import midnight
from provisioning.problems import Refused

STAFF = "billing"  # who has done what nobody did by hand


class ComplaintCounts(msgspec.Struct, frozen=True):
    """Of complaints that are not closed. Overdue: of these, those past their time."""

    open: int = 0
    acknowledgements_overdue: int = 0
    letters_overdue: int = 0


async def run_due(
    db: asyncpg.Pool, conf: BillingConf, today: datetime.date, *, complaints: ComplaintsConf
) -> list[str]:
    """What was done, and what a person has to do, a line each."""
    said = []
    for complaint in await open_complaints(db):
        clock = clock_of(complaint, complaints.terms, midnight(today))
        if clock.is_acknowledgement_overdue:
            said.append(f"{complaint.reference}: nobody has acknowledged it")
        if clock.is_letter_waiting:
            said.append(
                f"{complaint.reference}: the letter of {complaint.letter_on} still waits to be sent:"
                " `offhook bill mails`"
            )
        if clock.letter_reason is None:
            continue
        letter = _letter(db, complaint, clock, complaints, conf.seller, today)
        line = await alone(letter, what=f"letter of {complaint.reference}", number=complaint.account_id or 0)
        if line is None:
            line = f"{complaint.reference}: the letter is due, and could not be made: see the log"
        said += [line] if line else []
    gone = await remove_old(db, keep_months=complaints.records.keep_months, today=today)
    return said + [f"{reference}: closed long ago, its record is removed" for reference in gone]


async def _letter(
    db: asyncpg.Pool,
    complaint: Complaint,
    clock: ComplaintClock,
    conf: ComplaintsConf,
    seller: Seller,
    today: datetime.date,
) -> str:
    try:
        await mail_letter(db, complaint.reference, conf, seller, staff=STAFF, on=today)
    except AlreadySent:
        return ""
    except Refused as problem:
        text = str(problem).removeprefix(f"{complaint.reference}: ")
        return f"{complaint.reference}: THE LETTER WAS DUE ON {clock.letter_due_on} AND IS NOT SENT: {text}"
    return f"{complaint.reference}: the letter is on its way ({clock.letter_reason})"


async def count_complaints(db: asyncpg.Pool, conf: ComplaintsConf, now: datetime.datetime) -> ComplaintCounts:
    terms = conf.terms
    clocks = [clock_of(each, terms, now) for each in await open_complaints(db)]
    return ComplaintCounts(
        len(clocks),
        sum(each.is_acknowledgement_overdue for each in clocks),
        sum(each.is_letter_overdue for each in clocks),
    )
