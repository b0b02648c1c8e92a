"""Getting good rows past bad ones: COPY what PostgreSQL takes, find the rest by halving, keep it and say why.

The fast way is one COPY a table. When it fails because of a row, the slow way is gone in the same transaction
with savepoints: texts are made storable; rows that are there already are dropped if they are the same and set
aside if they are not; what still fails is halved until single rows are left, and those are set aside.
"""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from provisioning.books.shipment import Item, SetAside, Table
from provisioning.cdr_row import Row, storable_row
from provisioning.storable import storable

# Errors that a row can cause. Everything else (no connection, no disk, no table) concerns all rows and is
# tried again.
BAD_ROW: Final[tuple[type[Exception], ...]] = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,  # a text too long for an index
    ValueError,  # also UnicodeEncodeError: what asyncpg itself cannot put into a column's type
    TypeError,
    OverflowError,
)
REASON_CHARS_MAX: Final = 500
SAME_KEY_OTHER_CONTENT: Final = "a record with the same key and other content is there already"
_INT64: Final = range(-(1 << 63), 1 << 63)


class Outcome:
    """What became of rows on the slow way."""

    __slots__ = ("_raws", "repeated", "set_aside")

    def __init__(self) -> None:
        self.repeated = 0
        self.set_aside: list[SetAside] = []
        self._raws: set[bytes] = set()

    def put_aside(self, item: Item, reason: str) -> None:
        raw = bytes(item.raw)
        if raw not in self._raws:  # a configuration version is two rows of one record
            self._raws.add(raw)
            self.set_aside.append(SetAside(item.batch, storable(reason)[:REASON_CHARS_MAX], raw))


async def copy_rows(db: asyncpg.Connection, table: Table, items: Sequence[Item]) -> None:
    """All rows or an error."""
    await db.copy_records_to_table(table.name, records=[item.row for item in items], columns=table.columns)


async def copy_isolating(
    db: asyncpg.Connection, table: Table, items: Sequence[Item], outcome: Outcome
) -> None:
    """Every row that can be taken, whatever the others are. Runs inside a transaction."""
    cleaned = [Item(storable_row(item.row), item.batch, item.raw) for item in items]
    await _copy_halving(db, table, await _drop_known(db, table, cleaned, outcome), outcome)


async def _copy_halving(db: asyncpg.Connection, table: Table, items: list[Item], outcome: Outcome) -> None:
    if not items:
        return
    try:
        async with db.transaction():
            await copy_rows(db, table, items)
    except BAD_ROW as error:
        if len(items) == 1:
            outcome.put_aside(items[0], f"{table.name}: {error}")
            return
        middle = len(items) // 2
        await _copy_halving(db, table, items[:middle], outcome)
        await _copy_halving(db, table, items[middle:], outcome)


async def _drop_known(
    db: asyncpg.Connection, table: Table, items: list[Item], outcome: Outcome
) -> list[Item]:
    """The items whose key is new, each key once."""
    known = await _known_rows(db, table, items)
    fresh = []
    for item in items:
        key = _key(table, item.row)
        earlier = known.setdefault(key, item.row)
        if earlier is item.row:
            fresh.append(item)
        elif earlier == item.row:
            outcome.repeated += 1
        else:
            outcome.put_aside(item, f"{table.name}: {SAME_KEY_OTHER_CONTENT}")
    return fresh


async def _known_rows(db: asyncpg.Connection, table: Table, items: Sequence[Item]) -> dict[Row, Row]:
    """The rows of the table under these items' keys. A key that no column could hold is not looked for."""
    keys = [key for key in (_key(table, item.row) for item in items) if _is_askable(key)]
    if not keys:
        return {}
    names = [table.columns[position] for position in table.key]
    arrays = [list(values) for values in zip(*keys, strict=True)]
    places = ", ".join(
        f"${number}::{_array_type(values[0])}" for number, values in enumerate(arrays, start=1)
    )
    equal = " AND ".join(f"t.{name} = k.{name}" for name in names)
    rows = await db.fetch(
        f"SELECT {', '.join(f't.{column}' for column in table.columns)} FROM {table.name} t"  # noqa: S608 - constants
        f" JOIN unnest({places}) AS k({', '.join(names)}) ON {equal} WHERE {table.is_ours}",
        *arrays,
    )
    return {_key(table, row): row for row in map(tuple, rows)}


def _key(table: Table, row: Row) -> Row:
    return tuple(row[position] for position in table.key)


def _is_askable(key: Row) -> bool:
    return all(value in _INT64 if isinstance(value, int) else value is not None for value in key)


def _array_type(value: Any) -> str:
    if isinstance(value, int):
        return "bigint[]"  # wider than the column, so that any number can be asked for
    return "text[]" if isinstance(value, str) else "timestamptz[]"
