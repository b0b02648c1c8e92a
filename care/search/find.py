"""Find calls: a question of the fault desk, put to the books."""

from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec

from care.search.question import CallFound, CallQuestion
from care.search.statement import call_statement
from care.search.understanding import Understood, cursor_text, understand
from provisioning.problems import Refused, shown
from provisioning.settings import WITHHELD
from provisioning.utc import ms_from_time

# Nobody waits longer at a telephone, and the books have other work.
TIMEOUT_S: Final = 15.0


async def find_calls(
    db: asyncpg.Connection | asyncpg.Pool, question: CallQuestion, *, now: datetime | None = None
) -> list[CallFound]:
    """The calls that answer it, one row each, at most `question.limit`; ask again with `after` for the next page.

    `now` is aware, the clock's where it is None. Raises InvalidValue for what cannot be read, Refused for an account
    that there is not, and where it took too long.
    """
    return await find_understood(db, understand(question, now if now is not None else datetime.now(UTC)))


async def find_understood(db: asyncpg.Connection | asyncpg.Pool, asked: Understood) -> list[CallFound]:
    """The same for a question that has been read, whose `words` one wants to show. Raises Refused."""
    account_id = None
    if asked.question.account:
        account_id = await db.fetchval(
            "SELECT id FROM accounts WHERE lower(name) = lower($1)", asked.question.account
        )
        if account_id is None:
            raise Refused(f"there is no account {shown(asked.question.account)}")
    statement, arguments = call_statement(asked, account_id)
    try:
        rows = await db.fetch(statement, *arguments, timeout=TIMEOUT_S)
    except TimeoutError:
        text = f"the search took more than {TIMEOUT_S:.0f} s: name a shorter time, or a number, a line or an account"
        raise Refused(text) from None
    return [_found(row) for row in rows]


def _found(row: asyncpg.Record) -> CallFound:
    at_ms = ms_from_time(row["at"])
    is_withheld = bool(row["privacy"]) and not row["is_emergency"]
    numbers = [
        WITHHELD if is_withheld and row[name] else row[name]
        for name in ("network_number", "presentation_number")
    ]
    return CallFound(
        call_id=row["call_id"],
        at_ms=at_ms,
        setup_at_ms=ms_from_time(row["setup_at"]),
        answered_at_ms=ms_from_time(row["answered_at"]) if row["answered_at"] is not None else None,
        ended_at_ms=ms_from_time(row["ended_at"]),
        cli=numbers[0],
        presentation_number=numbers[1],
        dialled=row["dialled"],
        destination=row["destination"],
        ddi=row["ddi"],
        account=row["account_name"] or "",
        payer=row["payer_name"] or "",
        line=row["line"],
        answered_by=answered_by(row["answered_line"], row["answered_trunk"], row["answered_destination"]),
        legs=row["legs"],
        trunks=row["trunks"] or [],
        duration_ms=row["duration_ms"],
        cost_micros=row["cost_micros"],
        outcome=row["outcome"],
        reason=row["reason"],
        sip_status=row["sip_status"],
        q850_cause=row["q850_cause"],
        ended_by=row["ended_by"],
        is_emergency=row["is_emergency"],
        has_bad_sound=row["has_bad_sound"],
        is_one_way=row["is_one_way"],
        cursor=cursor_text(at_ms, row["call_id"]),
    )


def answered_by(line: str | None, trunk: str | None, destination: str | None) -> str:
    """ "line bob", "+442079460123 by trunk north"; "" where nobody did."""
    if line:
        return f"line {line}"
    return f"{destination} by trunk {trunk}" if trunk else destination or ""


def page_after(question: CallQuestion, calls: list[CallFound]) -> CallQuestion | None:
    """The question for the next page; None where this one was not full."""
    return msgspec.structs.replace(question, after=calls[-1].cursor) if len(calls) == question.limit else None
