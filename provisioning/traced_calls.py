"""Traced calls: who really called a line that asked for it, and who has read that.

A reading is on record before anything is shown, in a transaction of its own: whoever breaks off has still read. The
list shows which calls there are, without a number.
"""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from provisioning.cdr_row import Row
from provisioning.problems import InvalidValue, Refused
from provisioning.utc import ms_from_time, time_from_ms
from rating.records import TracedCall

_FIELDS = [field.name for field in msgspec.structs.fields(TracedCall)]
_TIMES = [index for index, name in enumerate(_FIELDS) if name.endswith("_at_ms")]
TRACED_COLUMNS = [name.removesuffix("_ms") if name.endswith("_at_ms") else name for name in _FIELDS]

LIMIT_MAX = 10_000  # as for calls: more is an export, not a look
TEXT_CHARS_MAX = 200  # a name, or the reference of a case and a few words


class TracedView(msgspec.Struct, frozen=True):
    """A row of `offhook trace list`. It says that a call was traced, not who made it."""

    call_id: str
    line: str
    marked_at_ms: int
    marked_by: str
    called_at_ms: int


class TraceReading(msgspec.Struct, frozen=True):
    """Who read what, and why. `call_id` and `line` are "" for a list of all lines."""

    id: int
    at_ms: int
    reader: str
    reason: str
    call_id: str
    line: str


def row_from_traced(record: TracedCall) -> Row:
    """Raises OverflowError for a time outside the years 1 to 9999."""
    values: list[Any] = list(msgspec.structs.astuple(record))
    for index in _TIMES:
        values[index] = time_from_ms(values[index])
    return tuple(values)


def traced_from_row(row: Mapping[str, object]) -> TracedCall:
    values = [row[column] for column in TRACED_COLUMNS]
    return TracedCall(*[ms_from_time(value) if isinstance(value, datetime) else value for value in values])  # type: ignore[arg-type]


async def list_traced(
    db: asyncpg.Pool, *, reader: str, reason: str, line: str = "", limit: int = 50
) -> list[TracedView]:
    """The latest first, after the reading is on record. Raises InvalidValue."""
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidValue("limit", str(limit), f"1 to {LIMIT_MAX}")
    await _note_reading(db, reader, reason, "", _text("line", line) if line else "")
    where = " WHERE line = $1" if line else ""
    rows = await db.fetch(
        "SELECT call_id, line, marked_at, marked_by, called_at FROM traced_calls"
        f"{where} ORDER BY called_at DESC, call_id LIMIT {limit}",
        *([line] if line else []),
    )
    return [
        TracedView(
            row["call_id"],
            row["line"],
            ms_from_time(row["marked_at"]),
            row["marked_by"],
            ms_from_time(row["called_at"]),
        )
        for row in rows
    ]


async def show_traced(db: asyncpg.Pool, call_id: str, *, reader: str, reason: str) -> list[TracedCall]:
    """All that is known of one call, for each line that has it; the reading is on record first.

    Raises InvalidValue, and Refused where there is no such call.
    """
    await _note_reading(db, reader, reason, _text("call id", call_id), "")
    rows = await db.fetch(
        f"SELECT {', '.join(TRACED_COLUMNS)} FROM traced_calls WHERE call_id = $1 ORDER BY line", call_id
    )
    if not rows:
        raise Refused(f"no traced call {call_id!r}: `offhook trace list` shows which there are")
    return [traced_from_row(row) for row in rows]


async def list_readings(db: asyncpg.Pool, limit: int = 50) -> list[TraceReading]:
    """Who has read, the latest first. Raises InvalidValue for a limit."""
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidValue("limit", str(limit), f"1 to {LIMIT_MAX}")
    rows = await db.fetch(
        f"SELECT id, at, reader, reason, call_id, line FROM trace_readings ORDER BY id DESC LIMIT {limit}"
    )
    return [
        TraceReading(
            row["id"], ms_from_time(row["at"]), row["reader"], row["reason"], row["call_id"], row["line"]
        )
        for row in rows
    ]


async def _note_reading(db: asyncpg.Pool, reader: str, reason: str, call_id: str, line: str) -> None:
    await db.execute(
        "INSERT INTO trace_readings (reader, reason, call_id, line) VALUES ($1, $2, $3, $4)",
        _text("reader", reader),
        _text("reason", reason),
        call_id,
        line,
    )


def _text(what: str, text: str) -> str:
    if not text.strip() or len(text) > TEXT_CHARS_MAX or not text.isprintable():
        raise InvalidValue(what, text, f"1 to {TEXT_CHARS_MAX} printable characters")
    return text
