"""Phones that a plan, a divert or a transfer rings: who called them last, and what a trace of it says.

1471, 14258 and *57# are about that call. alice is outside the account of bob, ben and boss.
"""

import msgspec
import pytest

from provisioning.model import Divert, DivertCondition, DivertKind, LineChanged, Number
from provisioning.plans.plan_text import read_plan
from provisioning.settings import LineSettings
from rating.records import TracedCall
from switch.calls.tracing import mark_last_call
from tests.switch.calls.office import STRANGER, Office
from tests.switch.calls.test_plans import GROUP, OFFICE, QUEUE
from tests.switch.calls.test_plans import Office as PlanOffice
from tests.switch.calls.test_reminders import call_of_media_server, set_for_a_minute_later
from tests.switch.calls.test_service_codes import Street
from tests.switch.house import House, make_line

TRUNK_SIDE = "192.0.2.50"
ALICE = "+441632960001"
DESK_IS_LATER = 'start = "team"\n[team]\ngroup = ["line ben", "line bob"]\nstrategy = "in_order"\nring = 5\n'


def traced(house: House, user: str) -> TracedCall | None:
    """What `*57#` on this line puts on record."""
    board = house.exchange.board
    if mark_last_call(board.books.lines[user], board, house.clock.now) is None:
        return None
    return next(r for r in reversed(house.journal.records) if isinstance(r, TracedCall) and r.line == user)


def last_number(house: House, user: str) -> str | None:
    last = house.exchange.services.last_callers.of(user, 0)
    return None if last is None else last.number


@pytest.mark.parametrize("plan", [GROUP, GROUP.replace("in_order", "together"), QUEUE])
def test_a_phone_that_a_plan_rings_knows_who_called_and_can_have_it_traced(plan: str) -> None:
    office = PlanOffice(plan)
    house = office.house
    office.stranger.invite(OFFICE, from_=f"<sip:{STRANGER}@{TRUNK_SIDE}>")
    house.run(3)
    assert office.carol.requests_of("INVITE")
    record = traced(house, "carol")
    assert record is not None
    assert (record.network_number, record.trunk, record.caller_line) == (STRANGER, "in", "")
    assert f"From: <sip:{STRANGER}@{TRUNK_SIDE}>" in record.identity_headers
    assert last_number(house, "carol") == STRANGER
    assert last_number(house, "bob") == STRANGER, "whose number was called"
    has_rung = "together" in plan
    assert (traced(house, "dave") is not None) is has_rung
    assert (last_number(house, "dave") is not None) is has_rung


def test_a_line_that_a_call_was_diverted_to_was_called_by_the_caller() -> None:
    office = Office()
    books = office.house.exchange.books
    divert = Divert(DivertCondition.NO_REPLY, DivertKind.LINE, "ben", ring_s=5)
    books.lines["bob"] = msgspec.structs.replace(books.lines["bob"], diverts=(divert,))
    watched = LineSettings(traces_until="2100-01-01")
    books.lines["ben"] = msgspec.structs.replace(books.lines["ben"], settings=watched)
    office.bob.answer_after_s = None
    asserted = [("p-asserted-identity", f"<sip:{STRANGER}@{TRUNK_SIDE}>")]
    office.stranger.invite("+441632960002", from_="<sip:anonymous@anonymous.invalid>", extra=asserted)
    office.run(3)
    assert last_number(office.house, "ben") is None
    office.run(4)
    (record,) = (record for record in office.house.journal.records if isinstance(record, TracedCall))
    assert (record.line, record.network_number, record.is_withheld) == ("ben", STRANGER, True)
    last = office.house.exchange.services.last_callers.of("ben", 0)
    assert (last.number, last.is_withheld) == ("", True)


def test_a_reminder_does_not_push_out_the_call_that_is_to_be_traced() -> None:
    street = Street()
    street.phones["1002"].invite("01632960001")
    street.books.run(2)
    street.phones["1002"].hang_up()
    street.books.run(1)
    set_for_a_minute_later(street)
    street.books.run(62)
    call_of_media_server(street, street.voicemail.requests_of("REFER")[0])
    street.books.run(2)
    assert len(street.me.requests_of("INVITE")) == 2
    record = traced(street.house, "1001")
    assert record is not None
    assert record.network_number == "+441632960002"


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
    assert [last_number(office.house, user) for user in ("boss", "bob", "ben")] == [ALICE, ALICE, None]
    office.end(office.alice)


def test_by_a_group_each_of_those_that_rang() -> None:
    office = Office()
    office.ben.answer_after_s = None
    boss_has_plan(office, DESK_IS_LATER)
    office.stranger.invite("+441632960004", from_=f"<sip:{STRANGER}@192.0.2.50>")
    office.run(2)
    assert [last_number(office.house, user) for user in ("ben", "bob")] == [STRANGER, None]
    office.run(6)
    assert [last_number(office.house, user) for user in ("ben", "bob")] == [STRANGER, STRANGER]
    office.end(office.stranger)


def test_by_a_transfer_it_is_the_one_who_talks_there_then() -> None:
    office = Office()
    office.call(office.alice, "boss")
    office.refer(office.boss, "bob")
    office.run(2)
    assert last_number(office.house, "bob") == ALICE
    office.end(office.alice)
    office.call(office.boss, "alice")
    office.refer(office.boss, "ben")
    office.run(2)
    assert last_number(office.house, "ben") == ALICE, "not the boss, who has only sent her there"
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
