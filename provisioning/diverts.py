"""Where calls to a line go when it does not take them: set, switched, taken back and listed. Each is one transaction.

The rules are `divert_rules`'. A destination that belongs to somebody here is asked for in the same transaction: a line
of another account is none, and who refuses diverts is not diverted to (PECR 2003 reg. 17). What changes later than a
divert was set is looked at again when a call is diverted.
"""

from collections.abc import Collection, Sequence
from typing import Final

import asyncpg
import msgspec

from provisioning import store
from provisioning.books.line_changes import RING_S_DEFAULT
from provisioning.divert_rows import replace_diverts
from provisioning.divert_rules import (
    ANY_CALL,
    DIVERTS_MAX,
    Destination,
    Filter,
    arranged,
    check_filter,
    check_number,
    check_prompt,
    check_seconds,
    filter_of,
)
from provisioning.model import Divert, DivertCondition, DivertKind, Line
from provisioning.plans.plan_rows import plan_id_of
from provisioning.plans.plan_text import is_plan_name
from provisioning.problems import InvalidValue, Refused, shown
from provisioning.views import DivertView, LineView

# What "voicemail" means to a customer: whenever the call would otherwise be lost.
WHEN_NOT_TAKEN: Final[tuple[DivertCondition, ...]] = (
    DivertCondition.BUSY,
    DivertCondition.NO_REPLY,
    DivertCondition.UNREACHABLE,
)
TO_VOICEMAIL: Final = (Destination(DivertKind.VOICEMAIL),)
# What a code sets and takes back. A mailbox is none of it: who dials *61* has one behind it, and after #61# again. Only
# all calls are sent somewhere by what somebody set, wherever that is.
BY_CODE: Final = frozenset({DivertKind.NUMBER, DivertKind.LINE})


async def set_diverts(
    db: asyncpg.Pool,
    user: str,
    conditions: Sequence[DivertCondition] = WHEN_NOT_TAKEN,
    *,
    destinations: Sequence[Destination] = TO_VOICEMAIL,
    ring_s: int = RING_S_DEFAULT,
    only: Filter = ANY_CALL,
    keeps_others: bool = False,
    prompts: Collection[str] | None = None,
) -> LineView:
    """Calls that `only` names lead there, in this order, in each of these conditions; everything else stays.

    `ring_s` is how long the line rings, for no_reply. `keeps_others`: what no code can set stays behind it. `prompts`
    are the shipped ones, None for not asking.
    """
    wanted_for = check_filter(only)
    async with db.acquire() as connection, connection.transaction():
        line = await _lock_line(connection, user)
        await _check_ddis(connection, line, wanted_for)
        found = [await _destination(connection, line, destination, prompts) for destination in destinations]
        changed = []
        for condition in dict.fromkeys(conditions):
            wanted = [_divert(condition, one, ring_s, wanted_for) for one in found]
            have = _of(line, condition)
            kept = [divert for divert in have if keeps_others and not is_by_code(divert)]
            changed.append((condition, arranged(have, wanted, kept)))
        await _replace(connection, line, changed)
        return await _view(connection, user)


async def clear_diverts(
    db: asyncpg.Pool,
    user: str,
    conditions: Sequence[DivertCondition] = tuple(DivertCondition),
    *,
    only: Filter | None = None,
    by_code: bool = False,
) -> LineView:
    """The line has no divert of these conditions any more, with `only` none for exactly these calls. Clearing what is
    not set is no error. `by_code`: only what a code can set."""
    wanted_for = None if only is None else check_filter(only)

    def stays(divert: Divert) -> bool:
        is_named = wanted_for is None or filter_of(divert) == wanted_for
        return not is_named or (by_code and not is_by_code(divert))

    async with db.acquire() as connection, connection.transaction():
        line = await _lock_line(connection, user)
        left = [(condition, list(filter(stays, _of(line, condition)))) for condition in conditions]
        await _replace(connection, line, left)
        return await _view(connection, user)


async def switch_diverts(
    db: asyncpg.Pool,
    user: str,
    conditions: Sequence[DivertCondition] = tuple(DivertCondition),
    *,
    is_enabled: bool,
    only: Filter | None = None,
    by_code: bool = False,
) -> LineView:
    """Diverts are switched off and on again without being forgotten. Refused where there is none to switch on."""
    wanted_for = None if only is None else check_filter(only)
    is_found = False

    def switched(divert: Divert) -> Divert:
        nonlocal is_found
        if by_code and not is_by_code(divert):
            return divert
        if wanted_for is not None and filter_of(divert) != wanted_for:
            return divert
        is_found = True
        return msgspec.structs.replace(divert, is_enabled=is_enabled)

    async with db.acquire() as connection, connection.transaction():
        line = await _lock_line(connection, user)
        changed = [(condition, list(map(switched, _of(line, condition)))) for condition in conditions]
        if is_enabled and not is_found:
            raise Refused("there is no such divert that could be switched on")
        await _replace(connection, line, changed)
        return await _view(connection, user)


async def list_diverts(db: asyncpg.Pool) -> list[DivertView]:
    """By line."""
    async with db.acquire() as connection:
        views = await store.views_with_diverts(connection)
    return [DivertView(view.user, view.account, divert) for view in views for divert in view.diverts]


def is_by_code(divert: Divert) -> bool:
    return divert.kind in BY_CODE or divert.condition is DivertCondition.ALL


async def _replace(
    connection: asyncpg.Connection, line: Line, wanted: Sequence[tuple[DivertCondition, list[Divert]]]
) -> None:
    changed = [(condition, diverts) for condition, diverts in wanted if diverts != _of(line, condition)]
    if not changed:
        return
    conditions = [condition for condition, _ in changed]
    diverts = [divert for _, some in changed for divert in some]
    left = sum(divert.condition not in conditions for divert in line.diverts)
    if diverts and left + len(diverts) > DIVERTS_MAX:
        raise InvalidValue("diverts", f"{left + len(diverts)} of a line", f"at most {DIVERTS_MAX}")
    await replace_diverts(connection, line.user, conditions, diverts)


def _divert(condition: DivertCondition, to: Destination, ring_s: int, only: Filter) -> Divert:
    line_s, answer_s = check_seconds(condition, ring_s, to.answer_s)
    return Divert(condition, to.kind, to.text, line_s, answer_s, only.sources, only.ddis, only.time_set)


async def _destination(
    connection: asyncpg.Connection, line: Line, wanted: Destination, prompts: Collection[str] | None
) -> Destination:
    """As it is stored. Raises InvalidValue or Refused."""
    match wanted.kind:
        case DivertKind.VOICEMAIL:
            if wanted.text:
                raise InvalidValue(
                    "voicemail", wanted.text, "nothing more: calls go to the line's own mailbox"
                )
            return wanted
        case DivertKind.LINE:
            return await _line(connection, line, wanted)
        case DivertKind.NUMBER:
            return await _number(connection, line, wanted)
        case DivertKind.PLAN:
            is_name = is_plan_name(wanted.text)
            if not is_name or await plan_id_of(connection, line.account_id, wanted.text) is None:
                raise Refused(f"the line's account has no plan {shown(wanted.text)}: `offhook plan list` shows them")
            return wanted
        case DivertKind.ANNOUNCEMENT:
            check_prompt(wanted.text, prompts)
            return wanted


async def _line(connection: asyncpg.Connection, line: Line, wanted: Destination) -> Destination:
    to = await store.find_line(connection, wanted.text) if wanted.text.isprintable() else None
    if to is None or to.account_id != line.account_id:
        raise Refused(f"there is no line {shown(wanted.text)} of the same account")
    if to.user == line.user:
        raise Refused(f"line {shown(line.user)} cannot be diverted to itself")
    _refuse_unwilling(to, wanted.text)
    return wanted


async def _number(connection: asyncpg.Connection, line: Line, wanted: Destination) -> Destination:
    number = check_number(wanted.text)
    owners = await store.lines_of_numbers(connection, [number])
    owner = await store.find_line(connection, owners[number]) if number in owners else None
    if owner is not None:
        if owner.user == line.user:
            raise Refused(f"{number} is the line's own: calls cannot be diverted to where they come from")
        _refuse_unwilling(owner, number)
    return Destination(wanted.kind, number, wanted.answer_s)


def _refuse_unwilling(owner: Line, name: str) -> None:
    if owner.settings.refuses_diverts:
        raise Refused(f"{shown(name)} takes no diverted calls: its owner has refused them")


async def _check_ddis(connection: asyncpg.Connection, line: Line, only: Filter) -> None:
    owners = await store.lines_of_numbers(connection, only.ddis) if only.ddis else {}
    for number in only.ddis:
        if owners.get(number) != line.user:
            raise Refused(f"{number} is no number of line {shown(line.user)}")


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
