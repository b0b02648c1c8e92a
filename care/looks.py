"""Looks: who has looked at whose calls, what at, when and what for. Each is on record before anything is shown.

What is shown of a call is its customer's affair (PECR, UK GDPR), so whoever breaks off has still looked.
"""

import getpass
from typing import Final

import asyncpg
import msgspec

from provisioning.problems import InvalidValue
from provisioning.typed_text import checked_staff
from provisioning.utc import ms_from_time

LIMIT_MAX: Final = 10_000  # as for calls: more is an export, not a look
TEXT_CHARS_MAX: Final = 200  # a name, or the reference of a fault and a few words
CALL_ID_CHARS_MAX: Final = 256


class Look(msgspec.Struct, frozen=True):
    """`what` is "call", "search", "ladder", "export", "fault", "registrations", ...; `account` "" of all or none."""

    id: int
    at_ms: int
    staff: str
    what: str
    account: str
    call_id: str
    why: str


async def note_look(
    connection: asyncpg.Connection | asyncpg.Pool,
    *,
    staff: str,
    what: str,
    account_id: int | None = None,
    call_id: str = "",
    why: str = "",
) -> None:
    """Raises InvalidValue for a name that is none, and text that cannot be shown again."""
    await connection.execute(
        "INSERT INTO looks (staff, what, account_id, call_id, why) VALUES ($1, $2, $3, $4, $5)",
        checked_staff(staff),
        what,
        account_id,
        _printable("call id", call_id, CALL_ID_CHARS_MAX),
        _printable("why", why, TEXT_CHARS_MAX),
    )


async def note_looks(
    connection: asyncpg.Connection | asyncpg.Pool,
    *,
    staff: str,
    what: str,
    call_ids: list[str],
    why: str = "",
) -> None:
    """Of several calls at once, each with the account that made it or, where none did, that it came to."""
    await connection.execute(
        "INSERT INTO looks (staff, what, account_id, call_id, why) SELECT $1, $2,"
        " (SELECT account_id FROM cdrs c WHERE c.call_id = one.call_id AND account_id IS NOT NULL"
        " ORDER BY leg LIMIT 1),"
        " one.call_id, $4 FROM unnest($3::text[]) AS one (call_id)",
        checked_staff(staff),
        what,
        call_ids,
        _printable("why", why, TEXT_CHARS_MAX),
    )


async def list_looks(
    db: asyncpg.Connection | asyncpg.Pool,
    *,
    staff: str = "",
    account: str = "",
    call_id: str = "",
    limit: int = 50,
) -> list[Look]:
    """The latest first. Raises InvalidValue for a limit."""
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidValue("limit", str(limit), f"1 to {LIMIT_MAX}")
    rows = await db.fetch(
        "SELECT l.*, a.name AS account FROM looks l LEFT JOIN accounts a ON a.id = l.account_id"
        " WHERE ($1 = '' OR l.staff = $1) AND ($2 = '' OR l.call_id = $2) AND ($3 = '' OR lower(a.name) = lower($3))"
        " ORDER BY l.id DESC LIMIT $4",
        _printable("staff", staff, TEXT_CHARS_MAX),
        _printable("call id", call_id, CALL_ID_CHARS_MAX),
        _printable("account", account, TEXT_CHARS_MAX),
        limit,
    )
    return [
        Look(
            row["id"],
            ms_from_time(row["at"]),
            row["staff"],
            row["what"],
            row["account"] or "",
            row["call_id"],
            row["why"],
        )
        for row in rows
    ]


def system_user() -> str:
    """Who gives the command, where nobody says otherwise."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in some containers
        return "unknown"


def _printable(what: str, text: str, chars_max: int) -> str:
    if not text.isprintable() or len(text) > chars_max:
        raise InvalidValue(what, text, f"at most {chars_max} printable characters")
    return text
