"""Calls that are up are found by the same questions as those on record."""

import asyncio
import itertools
from collections.abc import Sequence

import asyncpg
import msgspec
from hypothesis import given

from care.search import CallKind, CallQuestion, find_live, understand
from care.search.live import moment_of
from provisioning.settings import WITHHELD
from rating.records import Cdr
from tests.care.search.test_find import ALICE, NOW, NOW_MS, at, calls, filtered, questions, records
from tests.provisioning.records import cdr

NAMES = {1: "One", 2: "Two"}


class Switch:
    """Calls that are up, and what it was asked."""

    def __init__(self, *calls_up: list[Cdr]) -> None:
        self.calls = list(calls_up)
        self.asked: list[dict[str, object]] = []

    async def records(
        self, *, call_id: str = "", since_ms: int = 0, until_ms: int | None = None, texts: Sequence[str] = ()
    ) -> list[list[Cdr]]:
        self.asked.append({"call_id": call_id, "since_ms": since_ms, "until_ms": until_ms, "texts": [*texts]})
        return self.calls


class Books:
    """The names of accounts."""

    async def fetch(self, _statement: str, ids: list[int]) -> list[dict[str, object]]:
        return [{"id": each, "name": NAMES[each]} for each in ids]


def up(call_id: str = "c1", leg: int = 0, **facts: object) -> Cdr:
    return cdr(call_id, leg, **{"setup_at_ms": at(2), "outcome": "open", "reason": "", "sip_status": 0, "q850_cause": 0,
                                "ended_by": "", **facts})  # fmt: skip


def found(switch: Switch, **question: object) -> list[str]:
    asked = understand(CallQuestion(**question), NOW)  # type: ignore[arg-type]
    books: asyncpg.Pool = Books()  # type: ignore[assignment]
    return [call.call_id for call in asyncio.run(find_live(books, asked, switch))]


@given(calls, questions)
def test_what_is_up_is_found_as_what_is_on_record(drawn: list[tuple], question: CallQuestion) -> None:  # type: ignore[type-arg]
    """But for what only an end can tell."""
    question = msgspec.structs.replace(question, kinds=frozenset(), outcome="", shorter_than_s=None)
    rows, figures = records(drawn)
    asked = understand(question, NOW)
    moments = []
    for call_id, group in itertools.groupby(rows, key=lambda row: row.call_id):
        at_ms = moment_of(list(group), asked, NAMES)
        if at_ms is not None:
            moments.append((at_ms, call_id))
    expected = filtered(question, rows, figures)
    assert sorted(call_id for _, call_id in moments) == sorted(expected)


def test_the_switch_is_asked_for_what_stands_on_a_leg_and_no_more() -> None:
    switch = Switch([up()])
    assert found(switch, at="11:58", cli="01632 960001", ddi="...0123", line="alice") == ["c1"]
    (asked,) = switch.asked
    assert asked["texts"] == [ALICE, "alice"]
    assert (asked["since_ms"], asked["until_ms"]) == (NOW_MS - 17 * 60_000, NOW_MS + 13 * 60_000)


def test_what_only_an_end_can_tell_finds_no_call_that_is_up() -> None:
    for question in (
        {"kinds": frozenset({CallKind.SHORT})},
        {"shorter_than_s": 10},
        {"outcome": "busy"},
        {"after": f"{NOW_MS}-c9"},
    ):
        switch = Switch([up()])
        assert found(switch, line="alice", **question) == []
        assert switch.asked == []
    assert found(Switch([up()]), line="alice", outcome="open") == ["c1"]


def test_a_withheld_number_is_neither_found_by_nor_shown() -> None:
    switch = Switch([up(privacy="id")])
    assert found(switch, cli=ALICE) == []
    books: asyncpg.Pool = Books()  # type: ignore[assignment]
    (call,) = asyncio.run(find_live(books, understand(CallQuestion(line="alice"), NOW), switch))
    assert (call.cli, call.presentation_number, call.account) == (WITHHELD, WITHHELD, "One")
