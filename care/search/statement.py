"""From a question to one parameterised statement that indexes answer, however many calls there are.

One demand drives: the one whose index leads to the fewest calls, newest first. Its rows are read in the order of that
index until the page is full; everything else is looked up by the call's id. A call is found at the first of its legs
that meets the driving demand within the time: so each is found once, and by a line that it was diverted to at the time
when that line rang.
"""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import msgspec

from care.search.bad_sound import BAD_SOUND, ONE_WAY
from care.search.numbers import NumberAsked, NumberForm
from care.search.question import SHORT_CALL_S, CallKind, Order
from care.search.understanding import CauseAsked, Understood
from provisioning.cdr_search import Argument
from rating.charge import CALL_S_MAX

# A caller's number that was withheld must not be found by that number; an emergency call has no privacy.
_SHOWN: Final = "({a}.privacy = '' OR {a}.is_emergency)"
_NOT_FAILURES: Final = "('busy', 'cancelled', 'declined', 'no_answer')"
# The fee of an attempt is a row of its own and no leg (switch/calls/attempt_fee.py).
_FEE: Final = "charged"
# A row of call_media comes when its call has ended.
_MEDIA_LATER: Final = timedelta(seconds=CALL_S_MAX)
_DIRECTIONS: Final = {Order.LATEST: ("DESC", "<"), Order.EARLIEST: ("ASC", ">")}


class Demand(msgspec.Struct, frozen=True):
    """Something that must be true of a leg: any of `ways`, texts with {a} for the leg's alias.

    `of_caller`: it is said of leg 0. Each way by which it can drive has an index, or is one only.
    """

    ways: tuple[str, ...]
    of_caller: bool = False

    def at(self, alias: str) -> str:
        return "(" + " OR ".join(f"({way.format(a=alias)})" for way in self.ways) + ")"


# Looked up for each row that was found, by the call's id: a join would first read all that a busy line ever had.
_EACH: Final = " OFFSET 0"
_ANY_CALL: Final = Demand(("{a}.leg = 0",), of_caller=True)


class _Arguments:
    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: list[Argument] = []

    def add(self, value: Argument) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def call_statement(asked: Understood, account_id: int | None) -> tuple[str, list[Argument]]:
    """The statement and its arguments; `account_id` is that of the account named, None for none."""
    arguments = _Arguments()
    demands = _demands(asked, account_id, arguments)
    driving, rest = (demands[0], demands[1:]) if demands else (_ANY_CALL, [])
    within = _within(asked, arguments)
    direction, beyond = _DIRECTIONS[asked.question.order]
    conditions = [within.format(a="c"), *_others(driving, rest, asked, arguments)]
    if asked.after is not None:
        at, call_id = arguments.add(asked.after.at), arguments.add(asked.after.call_id)
        conditions.append(f"c.setup_at {beyond}= {at} AND (c.setup_at, c.call_id) {beyond} ({at}, {call_id})")
    if not driving.of_caller:
        conditions.append(
            "NOT EXISTS (SELECT FROM cdrs d WHERE d.call_id = c.call_id AND d.leg < c.leg"
            f" AND {within.format(a='d')} AND {driving.at('d')}{_EACH})"
        )
    order = f"ORDER BY setup_at {direction}, call_id {direction} LIMIT {asked.question.limit}"
    selects = []
    for place, way in enumerate(driving.ways):
        earlier = [f"({other.format(a='c')}) IS NOT TRUE" for other in driving.ways[:place]]
        where = " AND ".join([f"({way.format(a='c')})", *earlier, *conditions])
        selects.append(f"(SELECT c.call_id, c.setup_at FROM cdrs c WHERE {where} {order})")
    found = selects[0] if len(selects) == 1 else f"(SELECT * FROM ({' UNION ALL '.join(selects)}) u {order})"
    return _with_facts(found, direction), arguments.values


def _with_facts(found: str, direction: str) -> str:
    """The calls found with what is shown of them: a few look-ups by the call's id each."""
    return (
        f"SELECT f.setup_at AS at, z.*, a.name AS account_name, p.name AS payer_name, l.legs, l.trunks, l.cost_micros,"
        " w.line AS answered_line, w.trunk AS answered_trunk, w.destination AS answered_destination,"
        f" m.has_bad_sound, m.is_one_way FROM {found} f"
        " CROSS JOIN LATERAL (SELECT call_id, setup_at, answered_at, ended_at, network_number, presentation_number,"
        " privacy, dialled, destination, ddi, account_id, payer_account_id, line, duration_ms, outcome, reason,"
        " sip_status, q850_cause, ended_by, is_emergency"
        " FROM cdrs WHERE call_id = f.call_id ORDER BY leg LIMIT 1) z"
        f" CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE outcome <> '{_FEE}') AS legs,"
        " array_agg(DISTINCT trunk) FILTER (WHERE trunk <> '') AS trunks, sum(cost_micros)::bigint AS cost_micros"
        " FROM cdrs WHERE call_id = f.call_id) l"
        " LEFT JOIN LATERAL (SELECT line, trunk, destination FROM cdrs WHERE call_id = f.call_id AND leg > 0"
        f" AND answered_at IS NOT NULL AND outcome <> '{_FEE}' ORDER BY answered_at DESC, leg DESC LIMIT 1) w ON true"
        f" CROSS JOIN LATERAL (SELECT coalesce(bool_or({BAD_SOUND}), false) AS has_bad_sound,"
        f" coalesce(bool_or({ONE_WAY}), false) AS is_one_way FROM call_media WHERE call_id = f.call_id) m"
        " LEFT JOIN accounts a ON a.id = z.account_id LEFT JOIN accounts p ON p.id = z.payer_account_id"
        f" ORDER BY f.setup_at {direction}, f.call_id {direction}"
    )


def _within(asked: Understood, arguments: _Arguments) -> str:
    """Within a period. The bounds of all stand first: an index reads by them."""
    edges = [(arguments.add(period.since), arguments.add(period.until)) for period in asked.periods]
    within = f"{{a}}.setup_at >= {edges[0][0]} AND {{a}}.setup_at < {edges[-1][1]}"
    if len(edges) == 1:
        return within
    each = " OR ".join(f"{{a}}.setup_at >= {since} AND {{a}}.setup_at < {until}" for since, until in edges)
    return f"{within} AND ({each})"


def _demands(asked: Understood, account_id: int | None, arguments: _Arguments) -> list[Demand]:
    """Of the call's legs, the one that shall drive first: by what leads to fewer calls."""
    question = asked.question
    numbers = (
        (asked.cli, _cli_ways, True),
        (asked.ddi, _ddi_ways, False),
        (asked.number, _either_ways, False),
    )
    whole = [
        _number(number, ways, arguments, of_caller=of_caller)
        for number, ways, of_caller in numbers
        if _is_whole(number)
    ]
    parts = [
        _number(number, ways, arguments, of_caller=of_caller)
        for number, ways, of_caller in numbers
        if number is not None and not _is_whole(number)
    ]
    demands: list[Demand] = []
    for column, text in (("call_id", question.call_id), ("sip_call_id", question.sip_call_id)):
        if text:
            demands.append(Demand((f"{{a}}.{column} = {arguments.add(text)}",)))
    demands += whole
    if question.line:
        demands.append(Demand((f"{{a}}.line = {arguments.add(question.line)} AND {{a}}.line <> ''",)))
    if account_id is not None:
        account = arguments.add(account_id)
        paid = (
            f"{{a}}.payer_account_id = {account} AND {{a}}.payer_account_id IS DISTINCT FROM {{a}}.account_id"
        )
        demands.append(Demand((f"{{a}}.account_id = {account}", paid)))
    ending = ([f"{{a}}.trunk = {arguments.add(question.trunk)}"] if question.trunk else []) + (
        [_cause(asked.cause, arguments)] if asked.cause is not None else []
    )
    if ending:
        demands.append(Demand((" AND ".join(ending),)))
    return demands + parts


def _is_whole(number: NumberAsked | None) -> bool:
    return number is not None and number.form in (NumberForm.WHOLE, NumberForm.WORD)


Ways = Callable[[NumberAsked, str], tuple[str, ...]]


def _number(number: NumberAsked | None, ways: Ways, arguments: _Arguments, *, of_caller: bool) -> Demand:
    assert number is not None
    if number.form is NumberForm.WITHHELD:
        return Demand(("{a}.leg = 0 AND {a}.privacy <> '' AND NOT {a}.is_emergency",), of_caller=True)
    return Demand(ways(number, arguments.add(number.text)), of_caller=of_caller)


def _matches(number: NumberAsked, column: str, value: str) -> str:
    match number.form:
        case NumberForm.FIRST:
            return f"left({{a}}.{column}, {len(number.text)}) = {value}"
        case NumberForm.LAST:
            return f"right({{a}}.{column}, {len(number.text)}) = {value}"
        case _:
            return f"{{a}}.{column} = {value}"


def _cli_ways(number: NumberAsked, value: str) -> tuple[str, ...]:
    """Said of leg 0; what is no number is the caller's line."""
    if number.form is NumberForm.WORD:
        return (f"{{a}}.leg = 0 AND {{a}}.line = {value} AND {{a}}.line <> ''",)
    own = f"{{a}}.leg = 0 AND {_matches(number, 'network_number', value)} AND {_SHOWN}"
    presented = (
        f"{{a}}.leg = 0 AND {{a}}.presentation_number <> {{a}}.network_number"
        f" AND {_matches(number, 'presentation_number', value)} AND {_SHOWN}"
    )
    return _as_ways(number, (own, presented))


def _ddi_ways(number: NumberAsked, value: str) -> tuple[str, ...]:
    ddi = f"{{a}}.ddi <> '' AND {{a}}.ddi <> {{a}}.destination AND {_matches(number, 'ddi', value)}"
    return _as_ways(number, (_matches(number, "destination", value), ddi))


def _either_ways(number: NumberAsked, value: str) -> tuple[str, ...]:
    return _as_ways(number, (*_cli_ways(number, value), *_ddi_ways(number, value)))


def _as_ways(number: NumberAsked, ways: tuple[str, ...]) -> tuple[str, ...]:
    """Parts of a number have no index: the calls of the time are read once, not once for each way."""
    if number.form in (NumberForm.WHOLE, NumberForm.WORD):
        return ways
    return (" OR ".join(f"({way})" for way in ways),)


def _cause(cause: CauseAsked, arguments: _Arguments) -> str:
    if cause.sip_status is not None:
        return f"{{a}}.sip_status = {arguments.add(cause.sip_status)}"
    if cause.q850_cause is not None:
        return f"{{a}}.q850_cause = {arguments.add(cause.q850_cause)}"
    words = arguments.add(cause.words)
    return f"(strpos(lower({{a}}.reason), {words}) > 0 OR {{a}}.outcome = replace({words}, ' ', '_'))"


def _others(driving: Demand, rest: list[Demand], asked: Understood, arguments: _Arguments) -> list[str]:
    """What does not drive, as conditions on the leg `c` that was found."""
    conditions = []
    for demand in rest:
        if demand.of_caller and driving.of_caller:
            conditions.append(demand.at("c"))
        else:
            conditions.append(
                f"EXISTS (SELECT FROM cdrs o WHERE o.call_id = c.call_id AND {demand.at('o')}{_EACH})"
            )
    of_caller = _caller_conditions(asked, arguments)
    if of_caller and driving.of_caller:
        conditions += [each.format(a="c") for each in of_caller]
    elif of_caller:
        together = " AND ".join(each.format(a="z") for each in of_caller)
        conditions.append(
            f"EXISTS (SELECT FROM cdrs z WHERE z.call_id = c.call_id AND z.leg = 0 AND {together})"
        )
    return conditions + _sound_conditions(asked, arguments, is_alone=driving == _ANY_CALL)


def _caller_conditions(asked: Understood, arguments: _Arguments) -> list[str]:
    question = asked.question
    conditions = []
    if question.outcome:
        conditions.append(
            f"{{a}}.outcome = {arguments.add(question.outcome.strip().lower().replace(' ', '_'))}"
        )
    if CallKind.FAILED in question.kinds:
        conditions.append(f"{{a}}.answered_at IS NULL AND {{a}}.outcome NOT IN {_NOT_FAILURES}")
    if question.longer_than_s is not None:
        conditions.append(f"{{a}}.duration_ms > {arguments.add(question.longer_than_s * 1000)}")
    shorter_s = [SHORT_CALL_S] if CallKind.SHORT in question.kinds else []
    shorter_s += [question.shorter_than_s] if question.shorter_than_s is not None else []
    if shorter_s:
        limit = arguments.add(min(shorter_s) * 1000)
        conditions.append(f"{{a}}.answered_at IS NOT NULL AND {{a}}.duration_ms < {limit}")
    return conditions


def _sound_conditions(asked: Understood, arguments: _Arguments, *, is_alone: bool) -> list[str]:
    """By the index of bad sound, whose rows lie between the time and the longest call after it.

    Where nothing but the time drives, the bad ones are read first and their calls looked up, as an array: a planner
    that expects few calls to the page would look at the sound of each call of the time instead.
    """
    kinds = asked.question.kinds
    bad = [
        text for kind, text in ((CallKind.ONE_WAY, ONE_WAY), (CallKind.BAD_SOUND, BAD_SOUND)) if kind in kinds
    ]
    conditions = []
    for text in bad:
        since = arguments.add(asked.periods[0].since)
        until = arguments.add(asked.periods[-1].until + _MEDIA_LATER)
        found = (
            f"SELECT call_id FROM call_media WHERE ended_at >= {since} AND ended_at < {until} AND ({text})"
        )
        conditions.append(f"c.call_id = ANY (ARRAY({found}))" if is_alone else f"c.call_id IN ({found})")
    return conditions
