"""The search in PostgreSQL, against a filter in Python over the same calls."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from care.search import CallKind, CallQuestion, Order, find_calls, page_after
from care.search.question import SHORT_CALL_S
from provisioning.cdr_row import CDR_COLUMNS, row_from_cdr
from provisioning.media_row import MEDIA_COLUMNS, row_from_media
from provisioning.problems import Refused
from provisioning.utc import ms_from_time
from rating.records import Cdr, MediaFigures
from tests.postgres import PostgresServer
from tests.provisioning.databases import add_prepaid, in_database
from tests.provisioning.records import cdr

pytestmark = pytest.mark.wire

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOW_MS = ms_from_time(NOW)
MINUTE_MS = 60_000

ALICE, BOB, OUTSIDE, OFFICE = "+441632960001", "+441632960002", "+442079460123", "+442079460555"
NUMBERS = [ALICE, BOB, OUTSIDE, OFFICE]


def media(call_id: str, leg: int, **facts: int) -> MediaFigures:
    plain = MediaFigures(
        call_id=call_id, leg=leg, medium=0, ended_at_ms=NOW_MS, codec="PCMA", packets=500, octets=80_000, lost=0,
        reordered=0, duplicates=0, jitter_us=900, jitter_max_us=2_000, gap_us=40_000, round_trip_us=20_000, mos=441,
        packets_sent=500, octets_sent=80_000, remote_address="192.0.2.1:40000", dropped="",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **facts)


async def store(db: asyncpg.Pool, cdrs: list[Cdr], figures: Sequence[MediaFigures] = ()) -> None:
    async with db.acquire() as connection:
        await connection.copy_records_to_table(
            "cdrs", records=[row_from_cdr(each) for each in cdrs], columns=CDR_COLUMNS
        )
        await connection.copy_records_to_table(
            "call_media", records=[row_from_media(each) for each in figures], columns=MEDIA_COLUMNS
        )


async def ids(db: asyncpg.Pool, **question: object) -> list[str]:
    return [call.call_id for call in await find_calls(db, CallQuestion(**question), now=NOW)]  # type: ignore[arg-type]


def at(minutes_ago: float) -> int:
    return NOW_MS - round(minutes_ago * MINUTE_MS)


@in_database
async def _from_a_time_a_cli_and_a_ddi(db: asyncpg.Pool) -> None:
    account = (await add_prepaid(db)).account.id
    right = [
        cdr("c1", setup_at_ms=at(105), account_id=account, payer_account_id=account),
        cdr(
            "c1", 1, setup_at_ms=at(105), account_id=None, payer_account_id=None, line="", trunk="north",
            cost_micros=0, answered_at_ms=None, outcome="failed", sip_status=503, q850_cause=34,
        ),
        cdr(
            "c1", 2, setup_at_ms=at(104.9), account_id=None, payer_account_id=None, line="", trunk="south",
            cost_micros=0,
        ),
        cdr("c1", 10_000, setup_at_ms=at(105), outcome="charged", cost_micros=5_000),
    ]  # fmt: skip
    others = [
        cdr("early", setup_at_ms=at(121)),
        cdr("late", setup_at_ms=at(89)),
        cdr("other-number", setup_at_ms=at(105), network_number=BOB, presentation_number=BOB),
    ]
    await store(db, right + others, [media("c1", 0), media("c1", 2, packets=0, mos=0)])
    found = await find_calls(db, CallQuestion(at="10:15", cli="01632 960001", ddi="020 7946 0123"), now=NOW)
    assert [call.call_id for call in found] == ["c1"]
    call = found[0]
    assert (call.legs, call.trunks, call.answered_by) == (3, ["north", "south"], f"{OUTSIDE} by trunk south")
    assert (call.account, call.payer, call.cost_micros) == ("Shop", "Shop", 17_400)
    assert call.is_one_way
    assert call.has_bad_sound
    for question in (
        {"trunk": "north", "cause": "503"}, {"trunk": "north", "cause": "34"}, {"sip_call_id": "f81d"},
        {"trunk": "south", "cause": "503"}, {"kinds": frozenset({CallKind.ONE_WAY})}, {"cause": "hung up"},
    ):  # fmt: skip
        is_there = "c1" in await ids(db, at="10:15", cli=ALICE, **question)
        assert is_there == (question not in ({"trunk": "south", "cause": "503"}, {"sip_call_id": "f81d"})), (
            question
        )


def test_n10_a_call_is_found_by_the_time_code_the_clid_and_the_ddi_that_customers_report(dsn: str) -> None:
    _from_a_time_a_cli_and_a_ddi(dsn)


def test_withheld_numbers_are_found_by_everything_but_the_number(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await store(
            db,
            [
                cdr("hidden", setup_at_ms=at(60), privacy="id"),
                cdr("help", setup_at_ms=at(60), privacy="id", is_emergency=True, destination="999"),
                cdr("plain", setup_at_ms=at(60)),
            ],
        )
        for by_number in (
            {"cli": ALICE},
            {"number": ALICE},
            {"cli": "...0001"},
            {"cli": "01632..."},
            {"number": "*0001"},
        ):
            assert sorted(await ids(db, **by_number)) == ["help", "plain"], by_number
            assert await ids(db, **by_number, outcome="busy") == []
            assert await ids(db, **by_number, at="10:15", tolerance_s=60) == []
        assert await ids(db, cli="withheld") == ["hidden"]
        assert sorted(await ids(db, line="alice")) == ["help", "hidden", "plain"]
        (hidden,) = await find_calls(db, CallQuestion(call_id="hidden"), now=NOW)
        assert (hidden.cli, hidden.presentation_number) == ("withheld", "withheld")

    body(dsn)


def test_an_account_that_there_is_not_is_refused_and_hostile_text_finds_nothing(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await store(db, [cdr("c1", setup_at_ms=at(60))])
        with pytest.raises(Refused, match="no account"):
            await ids(db, account="Nobody")
        for text in ("%", "_", "'; DROP TABLE cdrs; --", "\\", "{a}", "$1"):
            assert await ids(db, line=text) == []
            assert await ids(db, cause=text, at="11:00") == []
            assert await ids(db, cli=text) == []

    body(dsn)


def test_a_diverted_call_is_found_by_the_line_when_it_rang_there(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await store(
            db,
            [
                cdr("c1", setup_at_ms=at(60)),
                *(cdr("c1", leg, setup_at_ms=at(30), line="bob") for leg in (1, 2)),  # two phones of his
            ],
        )
        (found,) = await find_calls(db, CallQuestion(at="11:30", line="bob"), now=NOW)
        assert (found.at_ms, found.setup_at_ms) == (at(30), at(60))
        assert await ids(db, at="11:00", line="bob", tolerance_s=60) == []
        assert await ids(db, at="11:00", line="alice", tolerance_s=60) == ["c1"]

    body(dsn)


# --- against a filter in Python

minutes = st.integers(0, 40)
legs = st.fixed_dictionaries(
    {
        "later": st.integers(0, 4),
        "line": st.sampled_from(["", "alice", "bob"]),
        "trunk": st.sampled_from(["", "north", "south"]),
        "destination": st.sampled_from([*NUMBERS, "bob", "999"]),
        "ddi": st.sampled_from(["", OUTSIDE, OFFICE]),
        "account_id": st.sampled_from([None, 1, 2]),
        "payer_account_id": st.sampled_from([None, 1, 2]),
        "cause": st.sampled_from([(200, 16), (503, 34), (486, 17), (404, 1)]),
        "answered": st.booleans(),
        "seconds": st.sampled_from([0, 4, 9, 10, 30, 400]),
        "outcome": st.sampled_from(["answered", "busy", "failed", "no_credit", "no_answer"]),
    }
)
calls = st.lists(
    st.tuples(
        minutes,
        st.sampled_from(NUMBERS),
        st.sampled_from(NUMBERS),
        st.sampled_from([("", False), ("", False), ("id", False), ("id", True)]),
        st.lists(legs, min_size=1, max_size=3),
        st.sampled_from(
            [
                None, {}, {"packets": 0}, {"packets": 0, "packets_sent": 199}, {"lost": 30}, {"lost": 9},
                {"jitter_us": 50_000},
            ]
        ),
    ),
    max_size=8,
)
number_texts = st.sampled_from(
    [
        "",
        "",
        "01632 960001",
        "+44 (0)1632 960002",
        "020 7946 0123",
        "...0123",
        "*0001",
        "0207946...",
        "01632*",
        "999",
        "bob",
    ]
)
ASKED = {
    "at": st.sampled_from(["11:40", "11:45:00", "22/11"]),
    "cli": number_texts | st.just("withheld"),
    "ddi": number_texts,
    "number": number_texts,
    "line": st.sampled_from(["alice", "bob"]),
    "account": st.sampled_from(["One", "Two"]),
    "trunk": st.just("north"),
    "cause": st.sampled_from(["503", "17", "hung", "no credit"]),
    "outcome": st.just("no answer"),
    "sip_call_id": st.sampled_from(["sip-1-0", "sip-1-1"]),
    "call_id": st.just("c1"),
    "kinds": st.sampled_from([frozenset({kind}) for kind in CallKind]),
    "longer_than_s": st.just(9),
    "shorter_than_s": st.just(10),
}
# Few demands at once: most of what asks for everything finds nothing.
questions = st.builds(
    lambda facts, tolerance_s, order: CallQuestion(**facts, tolerance_s=tolerance_s, order=order),
    st.sets(st.sampled_from(sorted(ASKED)), max_size=3).flatmap(
        lambda names: st.fixed_dictionaries({name: ASKED[name] for name in sorted(names)})
    ),
    st.sampled_from([None, 60, 600]),
    st.sampled_from(Order),
)


def records(drawn: list[tuple]) -> tuple[list[Cdr], list[MediaFigures]]:  # type: ignore[type-arg]
    rows, figures = [], []
    for count, (ago, number, presented, (privacy, is_emergency), its_legs, heard) in enumerate(drawn):
        for index, leg in enumerate(its_legs):
            facts = {
                name: leg[name]
                for name in ("line", "trunk", "destination", "ddi", "account_id", "payer_account_id")
            }
            setup_at_ms = at(ago) + index * leg["later"] * MINUTE_MS
            status, cause = leg["cause"]
            rows.append(
                cdr(
                    f"c{count}", index, setup_at_ms=setup_at_ms, network_number=number, presentation_number=presented,
                    privacy=privacy, is_emergency=is_emergency, sip_status=status, q850_cause=cause,
                    answered_at_ms=setup_at_ms if leg["answered"] else None, duration_ms=leg["seconds"] * 1000,
                    outcome=leg["outcome"], sip_call_id=f"sip-{count}-{index}", **facts,
                )
            )  # fmt: skip
        if heard is not None:
            figures.append(media(f"c{count}", 0, ended_at_ms=at(ago), **heard))
    return rows, figures


def filtered(question: CallQuestion, rows: list[Cdr], figures: list[MediaFigures]) -> list[str]:
    """The same by reading everything."""
    found = []
    for _, group in itertools.groupby(rows, key=lambda row: row.call_id):
        call = list(group)
        heard = [each for each in figures if each.call_id == call[0].call_id]
        at_ms = _moment(question, call)
        if at_ms is not None and _fits(question, call, heard):
            found.append((at_ms, call[0].call_id))
    return [call_id for _, call_id in sorted(found, reverse=question.order is Order.LATEST)]


def _period(question: CallQuestion) -> tuple[int, int]:
    if question.at == "22/11":
        return NOW_MS - 720 * MINUTE_MS, NOW_MS + 720 * MINUTE_MS
    if not question.at:
        return NOW_MS - 7 * 1440 * MINUTE_MS, NOW_MS
    middle, usual = {"11:40": (at(20), 900), "11:45:00": (at(15), 120)}[question.at]
    seconds = question.tolerance_s or usual
    return middle - seconds * 1000, middle + seconds * 1000


def _number_fits(text: str, number: str) -> bool:
    if text.startswith(("...", "*")):
        return number.endswith(text.lstrip(".*"))
    if text.endswith(("...", "*")):
        return number.startswith("+44" + text.rstrip(".*")[1:])
    if text[0] in "0+" and len(text) > 5:
        return number == "+44" + text.replace("+44 (0)", "0").replace(" ", "")[1:]
    return number == text


def _cli_fits(text: str, row: Cdr) -> bool:
    if row.leg != 0:
        return False
    if text == "withheld":
        return bool(row.privacy) and not row.is_emergency
    if text in ("bob", "999"):
        return row.line == text
    is_shown = not row.privacy or row.is_emergency
    return is_shown and (
        _number_fits(text, row.network_number) or _number_fits(text, row.presentation_number)
    )


def _ddi_fits(text: str, row: Cdr) -> bool:
    return _number_fits(text, row.destination) or (bool(row.ddi) and _number_fits(text, row.ddi))


def _either_fits(text: str, row: Cdr) -> bool:
    return _cli_fits(text, row) or _ddi_fits(text, row)


def _cause_fits(text: str, row: Cdr) -> bool:
    if text == "hung":
        return "hung" in row.reason
    if text == "no credit":
        return row.outcome == "no_credit"
    return text in (str(row.sip_status), str(row.q850_cause))


def _demands(question: CallQuestion) -> list:  # type: ignore[type-arg]
    """In the order in which they drive: whole numbers, line, account, trunk and cause, parts of numbers."""
    numbers = [(question.cli, _cli_fits), (question.ddi, _ddi_fits), (question.number, _either_fits)]
    is_part = [text == "withheld" or "*" in text or "..." in text for text, _ in numbers]
    whole = [
        lambda row, t=t, f=f: f(t, row)
        for (t, f), part in zip(numbers, is_part, strict=True)
        if t and not part
    ]
    parts = [
        lambda row, t=t, f=f: f(t, row) for (t, f), part in zip(numbers, is_part, strict=True) if t and part
    ]
    found = []
    if question.call_id:
        found.append(lambda row: row.call_id == question.call_id)
    if question.sip_call_id:
        found.append(lambda row: row.sip_call_id == question.sip_call_id)
    found += whole
    if question.line:
        found.append(lambda row: row.line == question.line)
    if question.account:
        account = {"One": 1, "Two": 2}[question.account]
        found.append(lambda row: account in (row.account_id, row.payer_account_id))
    if question.trunk or question.cause:
        found.append(
            lambda row: (
                (not question.trunk or row.trunk == question.trunk)
                and (not question.cause or _cause_fits(question.cause, row))
            )
        )
    return found + parts


def _moment(question: CallQuestion, call: list[Cdr]) -> int | None:
    since, until = _period(question)
    demands = _demands(question)
    drives = demands[0] if demands else lambda row: row.leg == 0
    return next((row.setup_at_ms for row in call if drives(row) and since <= row.setup_at_ms < until), None)


def _fits(question: CallQuestion, call: list[Cdr], heard: list[MediaFigures]) -> bool:
    if not all(any(demand(row) for row in call) for demand in _demands(question)):
        return False
    first, kinds = call[0], question.kinds
    is_one_way = any(each.packets == 0 and each.packets_sent >= 200 for each in heard)
    is_bad = is_one_way or any(each.lost >= 16 or each.jitter_us >= 50_000 for each in heard)
    return (
        (not question.outcome or first.outcome == "no_answer")
        and (
            CallKind.FAILED not in kinds
            or (first.answered_at_ms is None and first.outcome not in ("busy", "no_answer"))
        )
        and (CallKind.SHORT not in kinds or _is_shorter(first, SHORT_CALL_S))
        and (CallKind.ONE_WAY not in kinds or is_one_way)
        and (CallKind.BAD_SOUND not in kinds or is_bad)
        and (question.longer_than_s is None or first.duration_ms > question.longer_than_s * 1000)
        and (question.shorter_than_s is None or _is_shorter(first, question.shorter_than_s))
    )


def _is_shorter(row: Cdr, seconds: int) -> bool:
    return row.answered_at_ms is not None and row.duration_ms < seconds * 1000


def test_the_search_agrees_with_a_filter_that_reads_everything(postgres: PostgresServer) -> None:
    """In pages, too: together they are the answer, each call once."""

    dsn = postgres.new_database()
    sizes: list[int] = []

    async def once(drawn: list[tuple], question: CallQuestion, page: int) -> None:  # type: ignore[type-arg]
        rows, figures = records(drawn)
        await books.execute("TRUNCATE cdrs, call_media")
        await books.copy_records_to_table(
            "cdrs", records=[row_from_cdr(each) for each in rows], columns=CDR_COLUMNS
        )
        await books.copy_records_to_table(
            "call_media", records=[row_from_media(each) for each in figures], columns=MEDIA_COLUMNS
        )
        expected = filtered(question, rows, figures)
        sizes.append(len(expected))
        assert [call.call_id for call in await find_calls(books, question, now=NOW)] == expected
        asked: CallQuestion | None = msgspec.structs.replace(question, limit=page)
        seen: list[str] = []
        while asked is not None:
            some = await find_calls(books, asked, now=NOW)
            seen += [call.call_id for call in some]
            asked = page_after(asked, some)
        assert seen == expected

    with asyncio.Runner() as runner:

        async def connect() -> asyncpg.Connection:
            connection = await asyncpg.connect(dsn)
            for name in ("One", "Two"):
                await connection.execute(
                    "INSERT INTO accounts (name, kind, vat, tariff, credit_limit_micros)"
                    " VALUES ($1, 'prepaid', 'inc_vat', 'retail', 0)",
                    name,
                )
            return connection

        books = runner.run(connect())

        @settings(
            max_examples=100,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(calls, questions, st.integers(1, 3))
        def agrees(drawn: list[tuple], question: CallQuestion, page: int) -> None:  # type: ignore[type-arg]
            runner.run(once(drawn, question, page))

        try:
            agrees()
        finally:
            runner.run(books.close())
    assert sum(size > 1 for size in sizes) > len(sizes) // 10, (
        "most questions find nothing: that shows nothing"
    )
    postgres.drop_database(dsn)
