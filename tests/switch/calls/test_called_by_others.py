"""A line that rings because somebody sent the call there was called: 1471, 14258 and *57 are about that call.

alice is outside the account of bob, ben and boss; the number of boss has a plan, or boss diverts.
"""

import pytest

from provisioning.model import Divert, DivertCondition, DivertKind, LineChanged, Number
from provisioning.plans.plan_text import read_plan
from rating.records import TracedCall
from tests.switch.calls.office import STRANGER, Office
from tests.switch.house import make_line

ALICE = "+441632960001"
DESK_IS_LATER = 'start = "team"\n[team]\ngroup = ["line ben", "line bob"]\nstrategy = "in_order"\nring = 5\n'


def last_number(office: Office, user: str) -> str:
    last = office.house.exchange.services.last_callers.of(
        user, office.house.exchange.board.clock.ms(office.house.clock.now)
    )
    return "" if last is None else last.number


def boss_diverts(office: Office, condition: DivertCondition, **rest: object) -> None:
    divert = Divert(condition, DivertKind.LINE, destination="bob", **rest)
    line = make_line("boss", 2, diverts=(divert,))
    office.house.exchange.apply_changes([LineChanged(line)], office.house.clock.now)


def boss_has_plan(office: Office, plan: str) -> None:
    books = office.house.exchange.books
    books.plans = {2: {"office": read_plan(plan)}}
    books.numbers["+441632960004"] = Number("+441632960004", "boss", plan="office")


@pytest.mark.parametrize("condition", [DivertCondition.ALL, DivertCondition.NO_REPLY])
def test_by_a_divert(condition: DivertCondition) -> None:
    office = Office()
    boss_diverts(office, condition, ring_s=5 if condition is DivertCondition.NO_REPLY else 0)
    office.boss.answer_after_s = None
    office.alice.invite("boss")
    office.run(8)
    assert office.conversations() == [["alice", "bob"]]
    assert [last_number(office, user) for user in ("boss", "bob", "ben")] == [ALICE, ALICE, ""]
    office.end(office.alice)


def test_by_a_group_each_of_those_that_rang() -> None:
    office = Office()
    office.ben.answer_after_s = None
    boss_has_plan(office, DESK_IS_LATER)
    office.stranger.invite("+441632960004", from_=f"<sip:{STRANGER}@192.0.2.50>")
    office.run(2)
    assert [last_number(office, user) for user in ("ben", "bob")] == [STRANGER, ""]
    office.run(6)
    assert [last_number(office, user) for user in ("ben", "bob")] == [STRANGER, STRANGER]
    office.end(office.stranger)


def test_by_a_transfer_it_is_the_one_who_talks_there_then() -> None:
    office = Office()
    office.call(office.alice, "boss")
    office.refer(office.boss, "bob")
    office.run(2)
    assert last_number(office, "bob") == ALICE
    office.end(office.alice)
    office.call(office.boss, "alice")
    office.refer(office.boss, "ben")
    office.run(2)
    assert last_number(office, "ben") == ALICE, "not the boss, who has only sent her there"
    office.end(office.alice)


def test_a_withheld_number_stays_withheld() -> None:
    office = Office()
    boss_diverts(office, DivertCondition.ALL)
    office.alice.invite("14101632960004")
    office.run(2)
    now_ms = office.house.exchange.board.clock.ms(office.house.clock.now)
    last = office.house.exchange.services.last_callers.of("bob", now_ms)
    assert last is not None and last.is_withheld and last.number == ""
    office.end(office.alice)


def test_57_marks_the_call_that_rang_and_not_an_earlier_one() -> None:
    office = Office()
    office.call(office.dora, "bob")
    office.end(office.dora)
    boss_has_plan(office, DESK_IS_LATER.replace("line ben", "line boss"))
    office.boss.answer_after_s = None
    office.stranger.invite("+441632960004", from_=f"<sip:{STRANGER}@192.0.2.50>")
    office.run(8)
    office.end(office.stranger)
    office.bob.invite("*57", uri="sip:*57%23@example.com")
    office.run(1)
    (traced,) = [record for record in office.house.journal.records if isinstance(record, TracedCall)]
    assert (traced.line, traced.network_number, traced.trunk) == ("bob", STRANGER, "in")
