"""Phones that a plan, a divert or a transfer rings: who called them last, and what a trace of it says."""

import msgspec
import pytest

from provisioning.model import Divert, DivertCondition, DivertKind
from provisioning.settings import LineSettings
from rating.records import TracedCall
from switch.calls.tracing import mark_last_call
from tests.switch.calls.office import STRANGER, Office
from tests.switch.calls.test_plans import GROUP, OFFICE, QUEUE
from tests.switch.calls.test_plans import Office as PlanOffice
from tests.switch.calls.test_reminders import call_of_media_server, set_for_a_minute_later
from tests.switch.calls.test_service_codes import Street
from tests.switch.house import House

TRUNK_SIDE = "192.0.2.50"


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


def test_a_line_that_a_call_was_transferred_to_was_called_by_who_stays() -> None:
    office = Office()
    office.call(office.alice, "01632960004")
    assert office.refer(office.boss, "bob").status == 202
    office.run(3)
    record = traced(office.house, "bob")
    assert record is not None
    assert (record.network_number, record.caller_line) == ("+441632960001", "alice")
    assert last_number(office.house, "bob") == "+441632960001"


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
