"""Rows of `diverts` to values and back."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from provisioning.model import Divert, DivertCondition

# As JSON, which names its fields as Divert does; an array of records would come without names.
LINE_DIVERTS: Final = (
    "ARRAY(SELECT row_to_json(d)::text FROM diverts d WHERE d.line = l.user_part"
    " ORDER BY d.condition, d.position) AS diverts"
)
_COLUMNS: Final = (
    "line", "condition", "position", "kind", "destination", "ring_s", "answer_s", "sources", "ddis", "time_set",
    "is_enabled",
)  # fmt: skip
_decoder: Final = msgspec.json.Decoder(Divert)


def diverts_from_rows(texts: Sequence[str]) -> tuple[Divert, ...]:
    """What LINE_DIVERTS selects."""
    return tuple(_decoder.decode(text) for text in texts)


async def replace_diverts(
    db: asyncpg.Connection, user: str, conditions: Sequence[DivertCondition], diverts: Sequence[Divert]
) -> None:
    """These are the line's diverts of these conditions from now on, each condition's in their order."""
    await db.execute(
        "DELETE FROM diverts WHERE line = $1 AND condition = ANY ($2::text[])",
        user,
        [condition.value for condition in conditions],
    )
    places = dict.fromkeys(conditions, 0)
    rows = []
    for divert in diverts:
        rows.append((user, divert.condition.value, places[divert.condition], *_values(divert)))
        places[divert.condition] += 1
    if rows:
        await db.copy_records_to_table("diverts", records=rows, columns=_COLUMNS)


def _values(divert: Divert) -> tuple[object, ...]:
    return (
        divert.kind.value,
        divert.destination,
        divert.ring_s,
        divert.answer_s,
        list(divert.sources),
        list(divert.ddis),
        divert.time_set,
        divert.is_enabled,
    )
