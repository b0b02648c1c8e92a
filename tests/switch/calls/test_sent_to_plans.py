"""Calls that somebody sends on to a plan once they are up, or by a divert: menus are heeded there, queues have a row.

The number is bob's (account 2); alice (account 1) calls dave, who transfers or diverts the call to it.
"""

import msgspec
import pytest

from provisioning.model import Divert, DivertCondition, DivertKind
from switch.calls.identity import CallerId
from tests.switch.calls.test_plans import MENU, QUEUE, Office
from tests.switch.house import DOMAIN, Phone


def refer(office: Office, phone: Phone, target: str) -> int:
    request = phone.dialogs[-1].create_request("REFER", contact=f"<{phone.contact}>")
    request.headers.add("refer-to", target)
    phone.responses.clear()
    phone.stack.send_request(request, phone.flow, phone, office.house.clock.now)
    office.house.run(2)
    return next(response.status for response in phone.responses if response.cseq.method == "REFER")


def test_a_menu_that_a_call_was_transferred_to_is_heeded() -> None:
    office = Office(MENU)
    office.alice.invite("dave")
    office.house.run(2)
    assert refer(office, office.dave, f"<sip:01632960002@{DOMAIN}>") == 202
    assert office.talkers() == [["alice", "voicemail"]]
    assert office.press("1").status == 202
    office.house.run(3)
    assert office.talkers() == [["alice", "carol"]]
    office.house.run(10)
    assert office.end() == {1: 40_000, 2: 40_000}


def test_a_queue_that_a_call_was_transferred_to_gives_it_a_place() -> None:
    office = Office(QUEUE)
    office.carol.answer_after_s = None
    office.alice.invite("dave")
    office.house.run(2)
    assert refer(office, office.dave, f"<sip:01632960002@{DOMAIN}>") == 202
    assert len(office.house.exchange.board.queues) == 1
    office.carol.answer_after_s = 1.0
    office.carol.register()
    office.house.run(14)
    assert office.talkers() in ([["alice", "carol"]], [["alice", "dave"]])
    office.end()


def test_who_hangs_up_in_a_queue_he_was_transferred_to_leaves_its_row() -> None:
    office = Office(QUEUE)
    for phone in (office.carol, office.dave):
        phone.answer_after_s = None
    office.bob.invite("alice")
    office.house.run(2)
    assert refer(office, office.bob, f"<sip:01632960002@{DOMAIN}>") == 202
    assert len(office.house.exchange.board.queues) == 1
    office.end()


@pytest.mark.parametrize("condition", [DivertCondition.NO_REPLY, DivertCondition.BUSY, DivertCondition.ALL])
def test_a_menu_behind_a_divert_is_heeded(condition: DivertCondition) -> None:
    office = Office(MENU)
    books = office.house.exchange.books
    divert = Divert(condition, DivertKind.PLAN, "office", ring_s=6 if condition is DivertCondition.NO_REPLY else 0)
    books.lines["dave"] = msgspec.structs.replace(books.lines["dave"], diverts=(divert,))
    office.dave.answer, office.dave.answer_after_s = 486, 0.5 if condition is DivertCondition.BUSY else None
    office.alice.invite("dave")
    office.house.run(9)
    assert office.talkers() == [["alice", "voicemail"]]
    assert office.press("1").status == 202
    office.house.run(3)
    assert office.talkers() == [["alice", "carol"]]
    office.end()


def test_a_queue_behind_a_divert_gives_the_call_a_place() -> None:
    office = Office(QUEUE)
    for phone in (office.carol, office.bob):
        phone.answer_after_s = None
    books = office.house.exchange.books
    divert = Divert(DivertCondition.NO_REPLY, DivertKind.PLAN, "office", ring_s=6)
    books.lines["bob"] = msgspec.structs.replace(books.lines["bob"], diverts=(divert,))
    office.alice.invite("bob")
    office.house.run(9)
    assert len(office.house.exchange.board.queues) == 1
    office.end()


def test_a_menu_is_heeded_that_somebody_is_connected_to_by_a_key() -> None:
    """carol has been called by the office's number, asks 1471 and presses 3."""
    office = Office(MENU)
    exchange = office.house.exchange
    at_ms = exchange.board.clock.ms(office.house.clock.now)
    caller_id = CallerId("+441632960002", "+441632960002", is_withheld=False)
    exchange.services.last_callers.note("carol", caller_id, at_ms)
    office.carol.invite("1471")
    office.house.run(1)
    assert office.press("3").status == 202
    office.house.run(2)
    assert office.voicemail.asked[-1].startswith("menu;")
    assert office.press("2").status == 202
    office.house.run(3)
    assert office.mobile.requests_of("INVITE")
    office.end(office.carol)


def test_a_voice_behind_a_menu_that_a_call_left_is_not_the_menus_any_more() -> None:
    """carol has the call from the menu and sends it to her mailbox: what is pressed there is no choice of the menu."""
    office = Office(MENU)
    books = office.house.exchange.books
    books.lines["dave"] = msgspec.structs.replace(
        books.lines["dave"], diverts=(Divert(DivertCondition.ALL, DivertKind.VOICEMAIL),)
    )
    office.call()
    office.press("1")
    office.house.run(3)
    assert office.talkers() == [["alice", "carol"]]
    assert refer(office, office.carol, f"<sip:dave@{DOMAIN}>") == 202
    assert office.talkers() == [["alice", "voicemail"]]
    assert office.press("2").status == 403
    office.end()
