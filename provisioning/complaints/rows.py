"""Complaints as the books have them, read with their events."""

from datetime import datetime
from typing import Final

import asyncpg

from provisioning.complaints.record import (
    Channel,
    Complaint,
    ComplaintDetails,
    ComplaintEvent,
    ComplaintState,
    Ending,
    EventKind,
    LetterWay,
)
from provisioning.complaints.reference import read_reference
from provisioning.mail_address import is_mail_address
from provisioning.problems import Refused
from provisioning.typed_text import one_line
from provisioning.utc import ms_from_time

LIST_MAX: Final = 1_000
NOT_CLOSED: Final = frozenset(ComplaintState) - {ComplaintState.CLOSED}

_SELECT: Final = """
    SELECT c.*, a.name AS account, f.reference AS fault, u.kind AS customer_kind, u.email AS account_email, u.address,
           coalesce(u.wants_large_print, false) AS wants_large_print,
           coalesce(nullif(c.reporter, ''), nullif(u.contact, ''), u.company, '') AS addressee,
           CASE WHEN c.letter_way IS DISTINCT FROM 'mail' THEN ''
                WHEN m.gave_up_at IS NOT NULL THEN 'given-up' WHEN m.sent_at IS NOT NULL THEN 'sent'
                ELSE 'waits' END AS mail_state
    FROM complaints c
    LEFT JOIN accounts a ON a.id = c.account_id
    LEFT JOIN customers u ON u.account_id = c.account_id
    LEFT JOIN faults f ON f.id = c.fault_id
    LEFT JOIN mails m ON m.key = 'complaint/' || c.reference || '/letter'
"""


def letter_key(reference: str) -> str:
    """Of the mail: as the statement above has it."""
    return f"complaint/{reference}/letter"


async def find_complaint(db: asyncpg.Pool, reference: str) -> ComplaintDetails:
    """Raises InvalidValue for what is no reference, Refused where there is no such complaint."""
    async with db.acquire() as connection:
        return await details_of(connection, read_reference(reference))


async def list_complaints(
    db: asyncpg.Pool, *, states: frozenset[ComplaintState] = NOT_CLOSED, account: str = ""
) -> list[ComplaintDetails]:
    """At most LIST_MAX, each with its events: open ones, the longest first, then closed ones, the latest first."""
    async with db.acquire() as connection:
        rows = await connection.fetch(
            f"{_SELECT} WHERE c.state = ANY($1) AND ($2 = '' OR lower(a.name) = lower($2))"
            " ORDER BY c.state = 'closed', CASE WHEN c.state = 'closed' THEN now() - c.received_at END, c.received_at"
            " LIMIT $3",
            [state.value for state in sorted(states)],
            one_line("account", account),
            LIST_MAX,
        )
        events: dict[int, list[ComplaintEvent]] = {row["id"]: [] for row in rows}
        for row in await connection.fetch(
            "SELECT * FROM complaint_events WHERE complaint_id = ANY($1) ORDER BY id", list(events)
        ):
            events[row["complaint_id"]].append(_event(row))
    return [ComplaintDetails(_complaint(row), events[row["id"]]) for row in rows]


async def open_complaints(db: asyncpg.Pool) -> list[Complaint]:
    """All that are not closed, without their events: for what counts and what is done each day."""
    rows = await db.fetch(f"{_SELECT} WHERE c.state <> 'closed' ORDER BY c.received_at, c.id")
    return [_complaint(row) for row in rows]


async def details_of(connection: asyncpg.Connection, reference: str) -> ComplaintDetails:
    """Raises Refused where there is no such complaint."""
    row = await connection.fetchrow(f"{_SELECT} WHERE c.reference = $1", reference)
    if row is None:
        raise Refused(f"there is no complaint {reference}")
    events = await connection.fetch(
        "SELECT * FROM complaint_events WHERE complaint_id = $1 ORDER BY id", row["id"]
    )
    return ComplaintDetails(_complaint(row), [_event(each) for each in events])


def _event(row: asyncpg.Record) -> ComplaintEvent:
    return ComplaintEvent(
        row["id"], ms_from_time(row["at"]), row["staff"], EventKind(row["event"]), row["value"], row["words"]
    )


def _complaint(row: asyncpg.Record) -> Complaint:
    addresses = (row["contact"].strip(), row["account_email"] or "")
    return Complaint(
        reference=row["reference"],
        opened_at_ms=ms_from_time(row["opened_at"]),
        opened_by=row["opened_by"],
        received_at_ms=ms_from_time(row["received_at"]),
        account=row["account"] or "",
        account_id=row["account_id"],
        fault=row["fault"] or "",
        reporter=row["reporter"],
        contact=row["contact"],
        channel=Channel(row["channel"]),
        words=row["words"],
        state=ComplaintState(row["state"]),
        acknowledged_at_ms=_ms(row["acknowledged_at"]),
        outcome_at_ms=_ms(row["outcome_at"]),
        deadlock_at_ms=_ms(row["deadlock_at"]),
        letter_on=row["letter_on"],
        letter_way=LetterWay(row["letter_way"]) if row["letter_way"] else None,
        mail_state=row["mail_state"],
        closed_at_ms=_ms(row["closed_at"]),
        ending=Ending(row["ending"]) if row["ending"] else None,
        customer_kind=row["customer_kind"] or "",
        email=next((each for each in addresses if is_mail_address(each)), ""),
        addressee=row["addressee"],
        address=tuple(row["address"] or ()),
        wants_large_print=row["wants_large_print"],
    )


def _ms(at: datetime | None) -> int | None:
    return None if at is None else ms_from_time(at)
