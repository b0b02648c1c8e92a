"""`offhook route explain`: the same answers as live calls, and nothing left behind."""

from datetime import UTC, datetime

import msgspec
import pytest

from provisioning.model import (
    AccountPlan,
    BundleChanged,
    Divert,
    DivertCondition,
    DivertKind,
    LineChanged,
    Number,
    NumberChanged,
    PlanChanged,
)
from provisioning.plans.plan_text import read_plan
from rating.bundle_terms import BundleTerms
from switch.calls.explain import Question, QuestionError, explain
from switch.calls.routing import make_routing
from switch.journey.time_sets import Period, TimeSet, TimeSets
from tests.switch.house import House, make_account, make_conf, make_line, make_trunk
from tests.switch.voicemail_stand_in import StandIn, voicemail_conf

MONDAY_MS = round(datetime(2026, 11, 23, 9, 30, tzinfo=UTC).timestamp() * 1000)
SUNDAY_MS = MONDAY_MS - 86_400_000
PLAN = """
start = "opening"
[opening]
hours = "office"
then = "desk"
else = "box"
[desk]
group = ["line bob", "line carol"]
strategy = "round_robin"
else = "mobile"
[mobile]
number = "07700 900456"
else = "box"
[box]
voicemail = "bob"
"""
OFFICE = TimeSets({"office": TimeSet(hours=((Period(540, 1050),),) * 5 + ((), ()))})


@pytest.fixture
def house() -> House:
    trunks = [make_trunk("one", "192.0.2.50"), make_trunk("two", "192.0.2.51", calls_max=1)]
    conf = msgspec.structs.replace(make_conf(trunks=trunks), time_sets=OFFICE)
    lines = [make_line("alice"), make_line("bob"), make_line("carol")]
    numbers = {"+441632960001": "alice", "+441632960002": "bob"}
    house = House(conf=voicemail_conf(conf), lines=lines, numbers=numbers)
    StandIn(house)
    house.exchange.books.apply(PlanChanged(AccountPlan(1, "main", 1, read_plan(PLAN))))
    house.exchange.books.apply(NumberChanged(Number("+441632960009", "bob", "main")))
    for place, line in enumerate(lines):
        house.phone(line.user, f"192.0.2.1{place}").register()
    return house


def told(
    house: House, caller: str = "alice", to: str = "01632960009", at_ms: int = MONDAY_MS, **more: object
) -> list[str]:
    question = Question(caller, to, at_ms, **more)  # type: ignore[arg-type]
    return explain(question, house.exchange.board, house.clock.now)


def about(lines: list[str], name: str) -> list[str]:
    return [line.partition(": ")[2] for line in lines if line.partition(": ")[0] == name]


def test_a_call_to_the_outside_is_told_with_its_price_and_every_trunk(house: House) -> None:
    house.exchange.board.of_trunk["two"] = 1
    assert told(house, to="07700900123") == [
        "time: Mon 23 Nov 2026 09:30 GMT in London",
        "caller: line alice of account account1",
        "CLI: network number +441632960001, presented +441632960001",
        "dialled: 07700900123 is +447700900123 (mobile)",
        "ladder: no rule forbids the call",
        "price: tariff retail, UK mobile (+447) for +447700900123: £0.01 and £0.06 a minute, in steps of 1 s, then 1 s",
        "credit: £10.00, enough",
        "trunk: left out: two has as many calls as it may have at once",
        "trunk: 1. one at udp:192.0.2.50:5060",
    ]


def test_a_plan_is_walked_and_moves_fail_unless_said_otherwise(house: House) -> None:
    lines = told(house)
    assert about(lines, "move") == [
        "ring line bob for 20 s",
        "ring line carol for 20 s",
        "ring number +447700900456 for 20 s",
        "take a message for line bob",
    ]
    assert about(lines, "then") == ["no_answer"] * 3
    assert "[opening] hours: 'office' says yes at Mon 23 Nov 2026 09:30 -> desk" in about(lines, "plan")
    lines = told(house, came={"bob": "busy", "group": "declined", "number": "answered"})
    assert about(lines, "then") == ["busy", "no_answer", "it is answered"]
    assert about(told(house, at_ms=SUNDAY_MS), "move") == ["take a message for line bob"]


def test_a_divert_is_followed_and_says_who_pays(house: House) -> None:
    diverts = (
        Divert(DivertCondition.BUSY, DivertKind.LINE, "nobody"),
        Divert(DivertCondition.BUSY, DivertKind.NUMBER, "+447700900123", answer_s=9),
        Divert(DivertCondition.BUSY, DivertKind.VOICEMAIL),
    )
    house.exchange.books.apply(LineChanged(make_line("bob", diverts=diverts)))
    lines = told(house, to="bob", came={"bob": "busy"})
    assert lines[6:] == [
        "move: ring line bob for 120 s",
        "line bob: rings the phone at udp:192.0.2.11:5060",
        "then: busy",
        "passed over: line nobody: the number is not assigned here",
        "move: ring number +447700900123 for 9 s",
        "number +447700900123: 1. one at udp:192.0.2.50:5060",
        "number +447700900123: 2. two at udp:192.0.2.51:5060",
        "payer: account account1, by divert_busy of line bob: tariff retail, UK mobile (+447) for +447700900123: "
        "£0.01 and £0.06 a minute, in steps of 1 s, then 1 s",
        "then: no_answer",
        "move: take a message for line bob",
    ]
    lines = told(house, to="bob", came={"bob": "declined"})
    assert lines[-2:] == ["then: declined", "end: the caller is told 603, cause 21: declined"]
    came = {"bob": "busy", "one": "failed", "two": "busy", "voicemail": "failed"}
    assert told(house, to="bob", came=came)[-4:] == [
        "then: busy",
        "move: take a message for line bob",
        "then: unreachable",
        "end: the caller is told 486, cause 17: busy",
    ]


MENU = """
start = "welcome"
[welcome]
menu = "welcome"
press = { 1 = "desk", 2 = "row" }
else = "words"
[desk]
line = "bob"
else = "row"
[row]
queue = ["line carol"]
[words]
announce = "closed"
"""


@pytest.mark.parametrize(
    ("came", "moves", "end"),
    [
        ({}, ["play 'welcome' and take 1, 2", "play 'closed', then 480"], []),
        (
            {"menu": "1"},
            ["play 'welcome' and take 1, 2", "ring line bob for 20 s", "wait for line carol, 600 s at most"],
            ["the call ends: the plan has nowhere left to go"],
        ),
        (
            {"menu": "2", "queue": "answered"},
            ["play 'welcome' and take 1, 2", "wait for line carol, 600 s at most"],
            [],
        ),
    ],
)
def test_menus_and_queues_come_to_what_is_said(
    house: House, came: dict[str, str], moves: list[str], end: list[str]
) -> None:
    house.exchange.books.apply(PlanChanged(AccountPlan(1, "main", 2, read_plan(MENU))))
    lines = told(house, came=came)
    assert about(lines, "move") == moves
    assert about(lines, "end") == end
    assert len(house.exchange.board.queues) == 0


def test_a_split_falls_out_as_it_did_for_the_call_that_is_named(house: House) -> None:
    plan = 'start = "s"\n[s]\nsplit = { a = 50, b = 50 }\n[a]\nline = "bob"\n[b]\nline = "carol"\n'
    house.exchange.books.apply(PlanChanged(AccountPlan(1, "main", 2, read_plan(plan))))
    names = [f"call-{number}" for number in range(20)]
    first = [about(told(house, call_id=name), "move")[0] for name in names]
    assert first == [about(told(house, call_id=name), "move")[0] for name in names]
    assert len(set(first)) == 2


def test_asking_takes_no_turn_and_counts_nothing(house: House) -> None:
    board = house.exchange.board
    house.exchange.books.apply(LineChanged(make_line("alice", calls_per_second_max=1)))
    board.of_trunk["two"] = 1
    board.trunks.skipped["one", "of yesterday"] = 3
    tables = [board.clock, board.call_rates, board.turns, board.of_line, board.of_account, board.of_trunk]
    before = [dict(board.trunks.skipped), dict(board.voicemail.diverted), house.journal.seq]
    for _ in range(5):
        assert about(told(house), "move")[0] == "ring line bob for 20 s"
        told(house, to="07700900123")
        with pytest.raises(QuestionError):
            told(house, caller="nobody")
    assert before == [dict(board.trunks.skipped), dict(board.voicemail.diverted), house.journal.seq]
    after = [board.clock, board.call_rates, board.turns, board.of_line, board.of_account, board.of_trunk]
    assert all(one is other for one, other in zip(tables, after, strict=True))
    assert len(board.call_rates) == 0 and len(board.turns) == 0
    del board.of_trunk["two"]
    house.assert_clean()


def test_too_little_credit_is_told() -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("one", "192.0.2.50")]),
        lines=[make_line("alice")],
        balances={1: 10_999},
    )
    assert about(told(house, to="07700900123"), "credit") == [
        "£0.010999, too little: refused, 402, cause 21 (no_credit): "
        "not enough credit for the first interval of this call"
    ]


def test_what_the_ladder_says_is_told(house: House) -> None:
    assert told(house, to="0500123456")[-1] == (
        "ladder: refused, 404, cause 1 (number_not_in_use): no line or route for the dialled number"
    )
    house.exchange.books.accounts[1] = make_account(1, is_suspended=True)
    assert "account_suspended" in told(house)[-1]
    assert "(line_calls_per_second)" not in "".join(told(house))


@pytest.mark.parametrize(
    ("caller", "who", "cli"),
    [
        (
            "01632 960001",
            "line alice of account account1",
            "network number +441632960001, presented +441632960001",
        ),
        ("+442079460001", "trunk one", "network number +442079460001, presented +442079460001"),
        ("withheld", "trunk one", "network number none, presented none, withheld"),
    ],
)
def test_who_calls_may_be_a_number(house: House, caller: str, who: str, cli: str) -> None:
    lines = told(house, caller=caller, to="+441632960009")
    assert about(lines, "caller")[-1] == who
    assert about(lines, "CLI") == [cli]
    assert about(lines, "move")[0] == "ring line bob for 20 s"


def test_a_carriers_call_to_a_number_that_is_not_ours_is_refused(house: House) -> None:
    assert "(trunk_to_trunk)" in told(house, caller="withheld", trunk="two", to="07700900123")[-1]


def test_an_emergency_call_is_told_and_a_line_by_name(house: House) -> None:
    lines = told(house, to="999")
    assert about(lines, "dialled") == ["999 is an emergency call to 999"]
    assert about(lines, "price") == ["free of charge"]
    assert "line bob: rings the phone at udp:192.0.2.11:5060" in told(house, to="bob")


def test_an_emergency_call_without_a_trunk_is_told_as_its_record_says_it() -> None:
    house = House(conf=make_conf(routing=make_routing({}, version="routing1")), lines=[make_line("alice")])
    assert "no trunk for emergency calls is there" in told(house, to="999")[-1]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"trunk": "three"}, "there is no trunk 'three'"),
        ({"caller": "nobody"}, "is neither a line nor a number"),
        ({"to": "1" * 200}, "200 characters to dial"),
        ({"came": {"line": "maybe"}}, "line=maybe: expected one of answered, busy"),
        ({"came": {"menu": "x"}}, "menu=x: expected"),
        ({"came": {"lines": "busy"}}, "'lines': expected line, number"),
        ({"came": {"\x1b[2J": "busy"}}, "x1b"),
    ],
)
def test_a_question_that_makes_no_sense(house: House, more: dict[str, object], words: str) -> None:
    with pytest.raises(QuestionError, match=words):
        told(house, **more)  # type: ignore[arg-type]


def test_a_condition_may_be_for_a_number_as_it_is_dialled(house: House) -> None:
    lines = told(house, to="07700 900123", came={"07700900123": "answered"})
    assert lines[-1] == "then: it is answered"
    lines = told(house, to="bob", came={"01632 960002": "busy"})
    assert "the caller is told 486" in lines[-1]


def test_the_two_passes_of_an_hour_are_told_apart(house: House) -> None:
    first_ms = 1_792_888_200_000  # 25 October 2026, 00:30 UTC
    times = [about(told(house, at_ms=first_ms + hour * 3_600_000), "time")[0] for hour in (0, 1)]
    assert times == ["Sun 25 Oct 2026 01:30 BST in London", "Sun 25 Oct 2026 01:30 GMT in London"]


@pytest.mark.parametrize("to", ["", "\x1b[2J", "a b", "\udc80", "<sip:x>", "%00", "urn:service:sos", "é"])
def test_what_is_dialled_may_be_anything(house: House, to: str) -> None:
    try:
        lines = told(house, to=to)
    except QuestionError:
        return
    assert all(line.isprintable() for line in lines)


def test_a_busy_group_member_and_one_who_is_away_are_left_out(house: House) -> None:
    house.exchange.board.of_line["bob"] = 1
    lines = told(house)
    assert "[desk] group: line bob is busy" in about(lines, "plan")
    assert about(lines, "move")[0] == "ring line carol for 20 s"


def test_a_plan_that_refuses_at_once_says_why(house: House) -> None:
    house.exchange.bindings.remove_user("carol")
    plan = 'start = "a"\n[a]\nline = "carol"\ndiverts = false\n'
    house.exchange.books.apply(PlanChanged(AccountPlan(1, "main", 2, read_plan(plan))))
    assert told(house)[4:] == [
        "plan: +441632960009 of line bob leads to plan 'main'",
        "plan: plan 'main' begins at 'a'",
        "plan: [a] line carol for 20 s",
        "passed over: line carol: no phone is registered on the called line",
        "plan: the plan has nowhere left to go",
        "passed over: plan main: the plan has nowhere left to go",
        "ladder: refused, 480, cause 20 (plan_ended): the plan has nowhere left to go",
    ]


def test_a_bundle_is_told_and_pays_for_a_call_without_credit(house: House) -> None:
    terms = BundleTerms(
        id=5, account_id=1, revision=1, name="UK 1", granted_s=40, valid_from_ms=0, expires_at_ms=None,
        prefixes=("+447",),
    )  # fmt: skip
    house.exchange.engine.apply_credit(1, 1, -house.balance())
    refused = told(house, to="07700900123", came={"one": "answered"})
    assert about(refused, "bundle") == []
    assert any("no credit" in line or "credit" in line for line in about(refused, "end"))
    house.exchange.apply_changes([BundleChanged(terms)], house.clock.now)
    lines = told(house, to="07700900123", came={"one": "answered"})
    assert about(lines, "bundle") == ["40 s of 'UK 1' (5)"]
    assert about(lines, "credit")[0].endswith("enough")
    assert not any("no credit" in line for line in about(lines, "end")), lines
    (totals,) = house.exchange.engine.bundles.of_account(1, MONDAY_MS)
    assert (totals.left_s, totals.reserved_s) == (40, 0)
    assert about(told(house, to="+15550100123"), "bundle") == []
