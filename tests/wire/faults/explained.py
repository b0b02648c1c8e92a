"""What the fault desk says of calls, gathered from the exchange's own books and traces."""

import asyncio
from pathlib import Path
from typing import Final

import asyncpg

from care.explanation.explanation import Explanation, explain
from care.explanation.patterns import Pattern, load_patterns
from care.gathering import HouseTraces, gather
from care.story import CallStory
from tests.wire.faults.desk import Desk

PATTERNS_FOLDER: Final = Path(__file__).parents[3] / "conf"


def patterns() -> tuple[Pattern, ...]:
    """Those that the exchange comes with."""
    return load_patterns(PATTERNS_FOLDER)


def stories_of(desk: Desk, call_ids: list[str]) -> dict[str, CallStory]:
    """By our call ids; calls without records are left out."""
    return asyncio.run(_stories_of(desk, call_ids))


async def _stories_of(desk: Desk, call_ids: list[str]) -> dict[str, CallStory]:
    traces = HouseTraces(desk.data.root / "traces", desk.data.control_socket)
    found = {}
    async with asyncpg.create_pool(desk.dsn, min_size=1, max_size=2) as db:
        for call_id in call_ids:
            story = await gather(db, call_id, traces=traces)
            if story is not None:
                found[call_id] = story
    return found


def explained(desk: Desk, call_ids: list[str]) -> dict[str, Explanation]:
    known = patterns()
    return {call_id: explain(story, known) for call_id, story in stories_of(desk, call_ids).items()}
