"""Opening a fault: the calls that it may be about are looked for by what the reporter says of them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

import asyncpg
import msgspec

from care.faults import entry
from care.faults.record import FaultDetails
from care.faults.store import NewFault, add, open_fault
from care.search import CallFound, CallQuestion, find_calls

CANDIDATES_MAX = 20

# What is said of a call now, by its id; it is kept with the fault.
Explaining: TypeAlias = Callable[[str], Awaitable[str]]


async def unexplained(_call_id: str) -> str:
    """Nobody says anything of it."""
    return ""


class Opened(msgspec.Struct, frozen=True):
    """A new fault. `candidates` are calls it may be about; a single one is attached already."""

    details: FaultDetails
    candidates: list[CallFound]


def question_of(new: NewFault) -> CallQuestion | None:
    """None where nothing is said by which a call could be found: a time alone is everybody's."""
    if not new.time_code.strip() or not (new.cli or new.ddi or new.line or new.account):
        return None
    return CallQuestion(
        at=new.time_code, cli=new.cli, ddi=new.ddi, line=new.line, account=new.account, limit=CANDIDATES_MAX
    )


async def open_with_calls(
    db: asyncpg.Pool,
    new: NewFault,
    *,
    staff: str,
    explaining: Explaining = unexplained,
    now: datetime | None = None,
) -> Opened:
    """Raises InvalidValue for a time or a number that cannot be read, before anything is written; Refused."""
    question = question_of(new)
    candidates = [] if question is None else await find_calls(db, question, now=now)
    details = await open_fault(db, new, staff=staff, now=now)
    if len(candidates) == 1:
        call_id = candidates[0].call_id
        attached = entry.call(call_id, await explaining(call_id))
        details = await add(db, details.fault.reference, attached, staff=staff, now=now)
    return Opened(details, candidates)
