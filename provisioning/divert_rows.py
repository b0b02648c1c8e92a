"""Rows of `diverts` to values and back."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from provisioning.model import Divert, DivertCondition, DivertKind

# One text for each, as an array of records would come without names; only `destination` may have spaces.
LINE_DIVERTS: Final = (
    "ARRAY(SELECT d.condition || ' ' || d.kind || ' ' || d.ring_s || ' ' || d.destination"
    " FROM diverts d WHERE d.line = l.user_part ORDER BY d.condition, d.position) AS diverts"
)
_COLUMNS: Final = ("line", "condition", "position", "kind", "destination", "ring_s")


def diverts_from_rows(texts: Sequence[str]) -> tuple[Divert, ...]:
    """What LINE_DIVERTS selects."""
    return tuple(_divert(text) for text in texts)


def _divert(text: str) -> Divert:
    condition, kind, ring_s, destination = text.split(" ", 3)
    return Divert(DivertCondition(condition), DivertKind(kind), destination, int(ring_s))


async def delete_diverts(db: asyncpg.Connection, user: str, conditions: Sequence[DivertCondition]) -> None:
    await db.execute(
        "DELETE FROM diverts WHERE line = $1 AND condition = ANY ($2::text[])",
        user,
        [condition.value for condition in conditions],
    )


async def insert_diverts(db: asyncpg.Connection, user: str, diverts: Sequence[Divert]) -> None:
    """One destination for each condition."""
    rows = [
        (user, divert.condition.value, 0, divert.kind.value, divert.destination, divert.ring_s)
        for divert in diverts
    ]
    await db.copy_records_to_table("diverts", records=rows, columns=_COLUMNS)
