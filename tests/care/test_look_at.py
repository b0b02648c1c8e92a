"""Who looks at a call with `offhook call show` is on record."""

from pathlib import Path

import asyncpg
import pytest

from care.gathering import StoredTraces
from care.looks import list_looks
from offhook.call_story import look_at
from tests.care.test_gathering import insert
from tests.provisioning.databases import in_database
from tests.provisioning.records import cdr


@pytest.mark.wire
@in_database
async def test_who_looked_is_on_record_before_anything_is_shown(db: asyncpg.Pool) -> None:
    await insert(db, cdr("c1"))
    assert await look_at(db, "c0", StoredTraces(Path("nowhere")), what="call", staff="kay", why="") is None
    assert await list_looks(db) == []
    found = await look_at(db, "c1", StoredTraces(Path("nowhere")), what="call", staff="kay", why="F1")
    assert found is not None
    (look,) = await list_looks(db)
    assert (look.staff, look.what, look.call_id, look.why) == ("kay", "call", "c1", "F1")
