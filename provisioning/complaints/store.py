"""Complaints written into the books. Whatever happens to one is an event, in the transaction that also changes where it
stands; what is recorded together stands together.
"""

import datetime
from typing import Final

import asyncpg
import msgspec

from provisioning.complaints.clock import london_day
from provisioning.complaints.entry import Entry
from provisioning.complaints.record import (
    Channel,
    Complaint,
    ComplaintDetails,
    ComplaintState,
    Ending,
    EventKind,
)
from provisioning.complaints.reference import new_reference, read_reference
from provisioning.complaints.rows import details_of, letter_key
from provisioning.problems import InvalidValue, Refused, shown
from provisioning.spoken_reference import read_reference as read_spoken
from provisioning.typed_text import checked_staff, one_line, said
from provisioning.utc import time_from_ms

EVENTS_MAX: Final = 1_000  # a complaint with more is several
# What is owed to the customer whatever was written before.
ALWAYS_TAKEN: Final = frozenset((EventKind.ACKNOWLEDGED, EventKind.LETTER, EventKind.CLOSED))
TRIES: Final = 8  # of a reference that is taken


class NewComplaint(msgspec.Struct, frozen=True, kw_only=True):
    """What the customer says. `received_at` None: now. `fault` is the reference of one that it is about."""

    words: str
    reporter: str = ""
    contact: str = ""
    account: str = ""
    fault: str = ""
    channel: Channel = Channel.PHONE
    received_at: datetime.datetime | None = None


async def open_complaint(
    db: asyncpg.Pool, new: NewComplaint, *, staff: str, now: datetime.datetime | None = None
) -> ComplaintDetails:
    """Without an account it is the fault's, or nobody's that is known. Raises InvalidValue, Refused."""
    at, who = now or datetime.datetime.now(datetime.UTC), checked_staff(staff)
    for what in ("reporter", "contact", "account"):
        one_line(what, getattr(new, what))
    words, received_at = said(new.words), new.received_at or at
    if received_at > at:
        raise InvalidValue("received", received_at.isoformat(timespec="minutes"), "a time that has been")
    async with db.acquire() as connection, connection.transaction():
        fault_id, account_id = await _fault_of(connection, new.fault)
        if new.account:
            account_id = await _account_of(connection, new.account)
        for _ in range(TRIES):
            reference = await connection.fetchval(
                "INSERT INTO complaints (reference, opened_at, opened_by, received_at, account_id, fault_id, reporter,"
                " contact, channel, words, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open')"
                " ON CONFLICT (reference) DO NOTHING RETURNING reference",
                new_reference(), at, who, received_at, account_id, fault_id, new.reporter, new.contact, new.channel,
                words,
            )  # fmt: skip
            if reference is not None:
                return await details_of(connection, reference)
    raise Refused("no free reference was found: try again")


async def add(
    db: asyncpg.Pool, reference: str, *entries: Entry, staff: str, now: datetime.datetime | None = None
) -> ComplaintDetails:
    """All of these or none, in order. Raises InvalidValue for the reference, the staff, or a time that has not been or
    lies before the complaint; Refused for what does not follow from where the complaint stands."""
    async with db.acquire() as connection, connection.transaction():
        return await add_within(connection, reference, *entries, staff=staff, now=now)


async def add_within(
    connection: asyncpg.Connection,
    reference: str,
    *entries: Entry,
    staff: str,
    now: datetime.datetime | None = None,
) -> ComplaintDetails:
    """The same in a transaction that the caller has opened."""
    who, told, at = (
        checked_staff(staff),
        read_reference(reference),
        now or datetime.datetime.now(datetime.UTC),
    )
    found = await locked(connection, told)
    is_full = len(found.events) + len(entries) > EVENTS_MAX
    if is_full and not all(entry.event in ALWAYS_TAKEN for entry in entries):
        raise Refused(
            f"{told} has {len(found.events)} entries, of at most {EVENTS_MAX}: open another complaint"
        )
    for entry in entries:
        complaint = found.complaint
        if problem := problem_of(complaint, entry):
            raise Refused(f"{told}: {problem}")
        done_at = entry.done_at or at
        if not time_from_ms(complaint.received_at_ms) <= done_at <= at:
            when = done_at.isoformat(timespec="minutes")
            raise InvalidValue("at", when, "a time that has been, after the complaint was received")
        value = entry.value or (entry.done_at.isoformat(timespec="minutes") if entry.done_at else "")
        await connection.execute(
            "INSERT INTO complaint_events (complaint_id, at, staff, event, value, words)"
            " SELECT id, $2, $3, $4, $5, $6 FROM complaints WHERE reference = $1",
            told, at, who, entry.event.value, value, entry.words,
        )  # fmt: skip
        await _carry_out(connection, told, entry, done_at)
        found = await details_of(connection, told)
    return found


async def locked(connection: asyncpg.Connection, reference: str) -> ComplaintDetails:
    """Nobody else changes it until the transaction ends. Raises Refused where there is none."""
    await connection.execute("SELECT FROM complaints WHERE reference = $1 FOR UPDATE", reference)
    return await details_of(connection, reference)


async def remove_old(db: asyncpg.Pool, *, keep_months: int, today: datetime.date) -> list[str]:
    """References of those that were closed so many months ago or more; with them go their events and mails."""
    async with db.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            "DELETE FROM complaints WHERE state = 'closed'"
            " AND ((closed_at AT TIME ZONE 'Europe/London')::date + make_interval(months => $1))::date <= $2"
            " RETURNING reference",
            keep_months,
            today,
        )
        references = sorted(row["reference"] for row in rows)
        await connection.execute(
            "DELETE FROM mails WHERE key = ANY($1)", [letter_key(each) for each in references]
        )
    return references


# --- one event and what it changes


def problem_of(complaint: Complaint, entry: Entry) -> str:
    """Why it cannot be written; "" where it can."""
    is_closed = complaint.state is ComplaintState.CLOSED
    match entry.event:
        case EventKind.NOTE | EventKind.TOLD:
            return ""
        case EventKind.REOPENED:
            return "it is open already" if complaint.state is ComplaintState.OPEN else ""
        case _ if is_closed:
            return "it is closed: `offhook complaint note --reopen` if it is not"
        case EventKind.ACKNOWLEDGED:
            return "it is acknowledged already" if complaint.acknowledged_at_ms is not None else ""
        case EventKind.OUTCOME:
            return ""  # another offer is another outcome
        case EventKind.DEADLOCK if complaint.state is ComplaintState.DEADLOCK:
            return "it is in deadlock already"
        case EventKind.DEADLOCK if complaint.outcome_at_ms is None:
            return "there is no deadlock before the customer was told the outcome"
        case EventKind.LETTER if not complaint.has_adr:
            return "a business of more than ten people has no right to the letter"
        case EventKind.LETTER if complaint.has_letter:
            return "the letter was sent already"
        case EventKind.CLOSED:
            return _closing_problem(complaint, Ending(entry.value))
        case _:
            return ""


def _closing_problem(complaint: Complaint, ending: Ending) -> str:
    match ending:
        case Ending.LETTER_SENT if not complaint.has_letter:
            return "the letter was not sent"
        case Ending.LETTER_SENT if complaint.mail_state == "waits":
            return "the letter's mail waits to be sent: `offhook bill mails`"
        case Ending.FINAL if complaint.has_adr:
            return "only for a business of more than ten people: others have a right to the letter"
        case Ending.FINAL if complaint.outcome_at_ms is None:
            return "the customer was not told the outcome"
        case _:
            return ""


async def _carry_out(
    connection: asyncpg.Connection, reference: str, entry: Entry, done_at: datetime.datetime
) -> None:
    async def change(settings: str, *values: object) -> None:
        await connection.execute(
            f"UPDATE complaints SET {settings} WHERE reference = $1",  # noqa: S608 - the words below
            reference,
            *values,
        )

    match entry.event:
        case EventKind.ACKNOWLEDGED:
            await change("acknowledged_at = $2", done_at)
        case EventKind.OUTCOME:
            await change(
                "state = 'outcome-told', outcome_at = $2, deadlock_at = NULL,"
                " acknowledged_at = least(acknowledged_at, $2)",
                done_at,
            )
        case EventKind.DEADLOCK:
            await change("state = 'deadlock', deadlock_at = $2", done_at)
        case EventKind.LETTER:
            await change(
                "letter_on = $2, letter_way = $3", entry.letter_on or london_day(done_at), entry.value
            )
        case EventKind.CLOSED:
            await change("state = 'closed', closed_at = $2, ending = $3", done_at, entry.value)
        case EventKind.REOPENED:
            await change("state = 'open', closed_at = NULL, ending = '', deadlock_at = NULL")
        case _:
            pass


async def _account_of(connection: asyncpg.Connection, name: str) -> int:
    account_id: int | None = await connection.fetchval(
        "SELECT id FROM accounts WHERE lower(name) = lower($1)", name
    )
    if account_id is None:
        raise Refused(f"there is no account {shown(name)}")
    return account_id


async def _fault_of(connection: asyncpg.Connection, reference: str) -> tuple[int | None, int | None]:
    """The fault's id, and its account."""
    if not reference:
        return None, None
    told = read_spoken("F", reference, what="fault")
    row = await connection.fetchrow("SELECT id, account_id FROM faults WHERE reference = $1", told)
    if row is None:
        raise Refused(f"there is no fault {told}")
    return row["id"], row["account_id"]
