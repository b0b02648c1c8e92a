"""The quarantine: records of calls and money that no table could take, kept with all their bytes.

The shipper puts them there and goes on (books/shipper.py); from then on they are the operator's, and only `remove`
takes one away. There is no limit to how many there may be, since each is a call or money that the books lack; what is
limited is how many are shown.
"""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from provisioning.problems import InvalidValue
from provisioning.utc import ms_from_time
from provisioning.views import QuarantinedRecord
from rating.records import OutboxRecord

LIMIT_MAX = 10_000  # a record has some 500 bytes; more is an export, not a look
_COLUMNS = "id, at, epoch, batch, reason, raw"
TRACED = "traced"  # who called is for `offhook trace` alone
_decoder = msgspec.msgpack.Decoder(OutboxRecord)


async def count(db: asyncpg.Connection) -> int:
    found: int = await db.fetchval("SELECT count(*) FROM quarantine")
    return found


async def latest(db: asyncpg.Connection, limit: int) -> list[QuarantinedRecord]:
    """The latest first. Raises InvalidValue for a limit."""
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidValue("limit", str(limit), f"1 to {LIMIT_MAX}")
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM quarantine ORDER BY id DESC LIMIT $1", limit)
    return [record_from_row(row) for row in rows]


async def find(db: asyncpg.Connection, record_id: int) -> QuarantinedRecord | None:
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM quarantine WHERE id = $1", record_id)
    return None if row is None else record_from_row(row)


async def remove(db: asyncpg.Connection, record_id: int) -> QuarantinedRecord | None:
    """What was removed, None if there is no such record."""
    row = await db.fetchrow(f"DELETE FROM quarantine WHERE id = $1 RETURNING {_COLUMNS}", record_id)
    return None if row is None else record_from_row(row)


def record_from_row(row: Mapping[str, Any]) -> QuarantinedRecord:
    kind, fields = _read(row["raw"])
    is_traced = kind == TRACED
    return QuarantinedRecord(
        id=row["id"],
        at_ms=ms_from_time(row["at"]),
        epoch=row["epoch"],
        batch=row["batch"],
        reason=row["reason"],
        kind=kind,
        fields={name: fields[name] for name in ("call_id", "line")} if is_traced else fields,
        raw_hex="" if is_traced else row["raw"].hex(),
    )


def _read(raw: bytes) -> tuple[str, dict[str, Any]]:
    """The record's kind and its fields by name; "" and none for bytes that are no record."""
    try:
        record = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "", {}
    return str(record.__struct_config__.tag), {
        name: getattr(record, name) for name in record.__struct_fields__
    }
