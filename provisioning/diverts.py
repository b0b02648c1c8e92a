"""Where calls to a line go when it does not take them: set, taken back and listed. Each function is one transaction."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from provisioning import rules, store
from provisioning.divert_rows import delete_diverts, insert_diverts
from provisioning.model import Divert, DivertCondition, DivertKind, Line
from provisioning.problems import Refused, shown
from provisioning.views import DivertView, LineView

RING_S_DEFAULT: Final = 15  # what BT's *61* has where no time is dialled: six rings
# What "voicemail" means to a customer: whenever the call would otherwise be lost.
WHEN_NOT_TAKEN: Final[tuple[DivertCondition, ...]] = (
    DivertCondition.BUSY,
    DivertCondition.NO_REPLY,
    DivertCondition.UNREACHABLE,
)


async def set_diverts(
    db: asyncpg.Pool,
    user: str,
    conditions: Sequence[DivertCondition] = WHEN_NOT_TAKEN,
    *,
    kind: DivertKind = DivertKind.VOICEMAIL,
    ring_s: int = RING_S_DEFAULT,
) -> LineView:
    """Each of these conditions leads there from now on; the line's others stay. `ring_s` is for no_reply."""
    rules.check_ring_s(ring_s)
    wanted = [
        Divert(condition, kind, ring_s=ring_s if condition is DivertCondition.NO_REPLY else 0)
        for condition in dict.fromkeys(conditions)
    ]
    async with db.acquire() as connection, connection.transaction():
        line = await _lock_line(connection, user)
        changed = [divert for divert in wanted if _of(line, divert.condition) != [divert]]
        if changed:
            await delete_diverts(connection, user, [divert.condition for divert in changed])
            await insert_diverts(connection, user, changed)
        return await _view(connection, user)


async def clear_diverts(
    db: asyncpg.Pool, user: str, conditions: Sequence[DivertCondition] = tuple(DivertCondition)
) -> LineView:
    """The line has no divert of these conditions any more. Clearing what is not set is no error."""
    async with db.acquire() as connection, connection.transaction():
        line = await _lock_line(connection, user)
        present = [condition for condition in conditions if _of(line, condition)]
        if present:
            await delete_diverts(connection, user, present)
        return await _view(connection, user)


async def list_diverts(db: asyncpg.Pool) -> list[DivertView]:
    """By line."""
    async with db.acquire() as connection:
        views = await store.views_with_diverts(connection)
    return [DivertView(view.user, view.account, divert) for view in views for divert in view.diverts]


def _of(line: Line, condition: DivertCondition) -> list[Divert]:
    return [divert for divert in line.diverts if divert.condition is condition]


async def _view(connection: asyncpg.Connection, user: str) -> LineView:
    view = await store.line_view(connection, user)
    assert view is not None, "the line is locked"
    return view


async def _lock_line(connection: asyncpg.Connection, user: str) -> Line:
    line = await store.find_line(connection, user, is_locked=True) if user.isprintable() else None
    if line is None:
        raise Refused(f"there is no line {shown(user)}")
    return line
