"""The same question, asked of the calls that are up: the switch is asked roughly, and its answer looked at closely.

What only an end can tell (how a call ended, its sound, that it was short) no such call answers.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import asyncpg

from care.live import LiveSource, account_names
from care.search.find import answered_by
from care.search.numbers import NumberAsked, NumberForm
from care.search.question import CallFound, CallQuestion
from care.search.understanding import CauseAsked, Understood, bounds, cursor_text
from provisioning.cdr_search import without_withheld
from provisioning.utc import ms_from_time, time_from_ms
from rating.records import Cdr
from switch.calls.open_call import OPEN

# What people may type for the outcome of a record that is not complete.
OPEN_WORDS: Final = frozenset({OPEN, "up", "live", "ringing"})


async def find_live(
    db: asyncpg.Connection | asyncpg.Pool, asked: Understood, live: LiveSource
) -> list[CallFound]:
    """The latest first; none for a later page. Raises SwitchSilentError."""
    if not _can_be_up(asked):
        return []
    since, until = bounds(asked)
    records = await live.records(
        call_id=asked.question.call_id,
        since_ms=ms_from_time(since),
        until_ms=ms_from_time(until),
        texts=_texts(asked),
    )
    names = await account_names(db, records)
    found = []
    for rows in records:
        at_ms = moment_of(rows, asked, names)
        if at_ms is not None:
            found.append(_found(rows, at_ms, names))
    return found


def _can_be_up(asked: Understood) -> bool:
    question = asked.question
    outcome = question.outcome.strip().lower()
    return not (
        asked.after is not None
        or question.kinds
        or question.shorter_than_s is not None
        or (outcome and outcome not in OPEN_WORDS)
    )


def _texts(asked: Understood) -> list[str]:
    """What stands on a leg of the call as it was asked for."""
    whole = [
        number.text
        for number in (asked.cli, asked.ddi, asked.number)
        if number is not None and _is_whole(number)
    ]
    question = asked.question
    return [*whole, *(text for text in (question.line, question.trunk, question.sip_call_id) if text)]


Demand = Callable[[Cdr], bool]


def moment_of(rows: Sequence[Cdr], asked: Understood, names: dict[int, str]) -> int | None:
    """When the leg began that the question is about; None where something that was asked is not true of this call.

    The demands and their order are those of care/search/statement.py: the first leads to the leg, the others are met
    by any.
    """
    demands = _demands(asked, names) or [_is_callers]
    if not all(any(demand(row) for row in rows) for demand in demands):
        return None
    longer_than_s = asked.question.longer_than_s
    if longer_than_s is not None and rows[0].duration_ms <= longer_than_s * 1000:
        return None
    return next((row.setup_at_ms for row in rows if demands[0](row) and _is_within(asked, row)), None)


def _demands(asked: Understood, names: dict[int, str]) -> list[Demand]:
    question = asked.question
    numbers = [
        (number, demand)
        for number, demand in (
            (asked.cli, _calls_from), (asked.ddi, _leads_to), (asked.number, _is_from_or_to)
        )
        if number is not None
    ]  # fmt: skip
    ids = [partial(_has, name, text) for name, text in _ids(question) if text]
    whole = [partial(demand, number) for number, demand in numbers if _is_whole(number)]
    parts = [partial(demand, number) for number, demand in numbers if not _is_whole(number)]
    rest: list[Demand] = [partial(_has, "line", question.line)] if question.line else []
    if question.account:
        rest.append(partial(_concerns, question.account.lower(), names))
    if question.trunk or asked.cause is not None:
        rest.append(partial(_came_to, question.trunk, asked.cause))
    return [*ids, *whole, *rest, *parts]


def _ids(question: CallQuestion) -> tuple[tuple[str, str], ...]:
    return ("call_id", question.call_id), ("sip_call_id", question.sip_call_id)


def _is_whole(number: NumberAsked) -> bool:
    return number.form in (NumberForm.WHOLE, NumberForm.WORD)


def _is_within(asked: Understood, row: Cdr) -> bool:
    at = time_from_ms(row.setup_at_ms)
    return any(period.since <= at < period.until for period in asked.periods)


def _is_callers(row: Cdr) -> bool:
    return row.leg == 0


def _has(name: str, text: str, row: Cdr) -> bool:
    return bool(getattr(row, name) == text)


def _concerns(account: str, names: dict[int, str], row: Cdr) -> bool:
    return account in (
        names.get(row.account_id or 0, "").lower(),
        names.get(row.payer_account_id or 0, "").lower(),
    )


def _is_from_or_to(asked: NumberAsked, row: Cdr) -> bool:
    return _calls_from(asked, row) or _leads_to(asked, row)


def _calls_from(asked: NumberAsked, row: Cdr) -> bool:
    if row.leg:
        return False
    is_withheld = bool(row.privacy) and not row.is_emergency
    match asked.form:
        case NumberForm.WITHHELD:
            return is_withheld
        case NumberForm.WORD:
            return row.line == asked.text
    numbers = (row.network_number, row.presentation_number)
    return not is_withheld and any(_is_it(number, asked) for number in numbers)


def _leads_to(asked: NumberAsked, row: Cdr) -> bool:
    return _is_it(row.destination, asked) or (bool(row.ddi) and _is_it(row.ddi, asked))


def _is_it(number: str, asked: NumberAsked) -> bool:
    match asked.form:
        case NumberForm.FIRST:
            return number.startswith(asked.text)
        case NumberForm.LAST:
            return number.endswith(asked.text)
    return bool(number) and number == asked.text


def _came_to(trunk: str, cause: CauseAsked | None, row: Cdr) -> bool:
    if trunk and row.trunk != trunk:
        return False
    if cause is None:
        return True
    if cause.sip_status is not None:
        return row.sip_status == cause.sip_status
    if cause.q850_cause is not None:
        return row.q850_cause == cause.q850_cause
    return cause.words in row.reason.lower() or row.outcome == cause.words.replace(" ", "_")


def _found(rows: Sequence[Cdr], at_ms: int, names: dict[int, str]) -> CallFound:
    caller = without_withheld(rows[0])
    answered = [row for row in rows[1:] if row.answered_at_ms is not None]
    return CallFound(
        call_id=caller.call_id,
        at_ms=at_ms,
        setup_at_ms=caller.setup_at_ms,
        answered_at_ms=caller.answered_at_ms,
        ended_at_ms=caller.ended_at_ms,
        cli=caller.network_number,
        presentation_number=caller.presentation_number,
        dialled=caller.dialled,
        destination=caller.destination,
        ddi=caller.ddi,
        account=names.get(caller.account_id or 0, ""),
        payer=names.get(caller.payer_account_id or 0, ""),
        line=caller.line,
        answered_by=answered_by(answered[-1].line, answered[-1].trunk, answered[-1].destination) if answered else "",
        legs=len(rows),
        trunks=sorted({row.trunk for row in rows if row.trunk}),
        duration_ms=caller.duration_ms,
        cost_micros=sum(row.cost_micros for row in rows),
        outcome=caller.outcome,
        reason=caller.reason,
        sip_status=caller.sip_status,
        q850_cause=caller.q850_cause,
        ended_by=caller.ended_by,
        is_emergency=caller.is_emergency,
        has_bad_sound=False,
        is_one_way=False,
        cursor=cursor_text(at_ms, caller.call_id),
    )
