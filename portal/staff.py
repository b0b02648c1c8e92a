"""Staff in the books: added, listed, changed and removed by `offhook staff`.

A new password, a removal or being disabled ends every session. A role holds from the next page on.
"""

import re
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec

from portal.roles import Role
from provisioning.problems import InvalidValue, Refused
from provisioning.utc import ms_from_time

# As the table's CHECK: short enough for a log line, and typed on a phone.
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")


class StaffView(msgspec.Struct, frozen=True):
    """What `offhook staff list` shows. `last_seen_at_ms` is of a session that lives."""

    name: str
    role: Role
    is_disabled: bool
    created_at_ms: int
    changed_at_ms: int
    sessions: int
    last_seen_at_ms: int | None


class SessionView(msgspec.Struct, frozen=True):
    name: str
    created_at_ms: int
    last_seen_at_ms: int
    expires_at_ms: int
    address: str


async def add_staff(db: asyncpg.Pool, name: str, *, password_hash: str, role: Role) -> None:
    """Raises InvalidValue and Refused."""
    name = read_name(name)
    added = await db.fetchval(
        "INSERT INTO staff (name, password_hash, role) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING id",
        name,
        password_hash,
        role.value,
    )
    if added is None:
        raise Refused(f"there is a member of staff {name} already")


async def list_staff(db: asyncpg.Pool, *, now: datetime | None = None) -> list[StaffView]:
    """By name. `now` None: the clock's."""
    rows = await db.fetch(
        "SELECT s.name, s.role, s.is_disabled, s.created_at, s.changed_at, count(x.staff_id) AS sessions,"
        " max(x.last_seen_at) AS last_seen_at FROM staff s"
        " LEFT JOIN staff_sessions x ON x.staff_id = s.id AND x.expires_at > $1 GROUP BY s.id ORDER BY s.name",
        now or datetime.now(UTC),
    )
    return [
        StaffView(
            row["name"],
            Role(row["role"]),
            row["is_disabled"],
            ms_from_time(row["created_at"]),
            ms_from_time(row["changed_at"]),
            row["sessions"],
            None if row["last_seen_at"] is None else ms_from_time(row["last_seen_at"]),
        )
        for row in rows
    ]


async def set_password(db: asyncpg.Pool, name: str, *, password_hash: str) -> int:
    """How many sessions it has ended. Raises Refused."""
    async with db.acquire() as connection, connection.transaction():
        staff_id = await _changed(
            connection,
            name,
            "UPDATE staff SET password_hash = $2, changed_at = now() WHERE id = $1",
            password_hash,
        )
        return await _end_sessions(connection, staff_id)


async def set_role(db: asyncpg.Pool, name: str, role: Role) -> None:
    """Raises Refused."""
    async with db.acquire() as connection, connection.transaction():
        await _changed(
            connection, name, "UPDATE staff SET role = $2, changed_at = now() WHERE id = $1", role.value
        )


async def set_disabled(db: asyncpg.Pool, name: str, *, is_disabled: bool) -> int:
    """How many sessions it has ended. Raises Refused."""
    async with db.acquire() as connection, connection.transaction():
        staff_id = await _changed(
            connection,
            name,
            "UPDATE staff SET is_disabled = $2, changed_at = now() WHERE id = $1",
            is_disabled,
        )
        return await _end_sessions(connection, staff_id) if is_disabled else 0


async def remove_staff(db: asyncpg.Pool, name: str) -> None:
    """What he has looked at stays on record under his name. Raises Refused."""
    if await db.fetchval("DELETE FROM staff WHERE name = $1 RETURNING id", read_name(name)) is None:
        raise _nobody(name)


async def end_sessions(db: asyncpg.Pool, name: str) -> int:
    """Raises Refused."""
    async with db.acquire() as connection, connection.transaction():
        return await _end_sessions(connection, await _id_of(connection, name))


async def list_sessions(
    db: asyncpg.Pool, name: str = "", *, now: datetime | None = None
) -> list[SessionView]:
    """Those that have not expired, the latest seen first."""
    rows = await db.fetch(
        "SELECT s.name, x.created_at, x.last_seen_at, x.expires_at, x.address FROM staff_sessions x"
        " JOIN staff s ON s.id = x.staff_id WHERE x.expires_at > $2 AND ($1 = '' OR s.name = $1)"
        " ORDER BY x.last_seen_at DESC",
        name,
        now or datetime.now(UTC),
    )
    return [
        SessionView(
            row["name"],
            ms_from_time(row["created_at"]),
            ms_from_time(row["last_seen_at"]),
            ms_from_time(row["expires_at"]),
            row["address"],
        )
        for row in rows
    ]


def read_name(text: str) -> str:
    """Raises InvalidValue."""
    name = text.strip(" ").lower()
    if NAME.fullmatch(name) is None:
        raise InvalidValue(
            "name of staff",
            text,
            "2 to 40 small letters, digits, dots, - and _, with a letter or digit first",
        )
    return name


async def _changed(connection: asyncpg.Connection, name: str, statement: str, value: object) -> int:
    """The id of who was changed. Raises Refused."""
    staff_id = await _id_of(connection, name)
    await connection.execute(statement, staff_id, value)
    return staff_id


async def _id_of(connection: asyncpg.Connection, name: str) -> int:
    """Locked until the transaction ends. Raises Refused."""
    staff_id: int | None = await connection.fetchval(
        "SELECT id FROM staff WHERE name = $1 FOR UPDATE", read_name(name)
    )
    if staff_id is None:
        raise _nobody(name)
    return staff_id


async def _end_sessions(connection: asyncpg.Connection, staff_id: int) -> int:
    rows = await connection.fetch("DELETE FROM staff_sessions WHERE staff_id = $1 RETURNING 1", staff_id)
    return len(rows)


def _nobody(name: str) -> Refused:
    return Refused(f"there is no member of staff {name!r}: `offhook staff list` shows who there is")
