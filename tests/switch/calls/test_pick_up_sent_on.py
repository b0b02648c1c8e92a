"""A phone that rings for a call which is up already is picked up at another: after a transfer, a menu, in a queue, or
when a parked call returns. Who sent the call there pays as if that phone had answered.
"""

from collections.abc import Callable

import pytest

from provisioning.model import Number
from provisioning.plans.plan_text import read_plan
from switch.calls.q850 import COMPLETED_ELSEWHERE
from tests.clock import HandClock
from tests.link import Link
from tests.switch.calls.office import Office, names_ringing, notified
from tests.switch.calls.test_taking_over import BENS_OFFER, HOW, NO_CODEC, answer_body, picks_up, port_of
from tests.switch.house import ANSWER, DOMAIN

MENU = """
start = "welcome"
[welcome]
menu = "menu-welcome"
press = { 1 = "sales" }
[sales]
line = "bob"
ring = 20
"""
QUEUE = """
start = "wait"
[wait]
queue = ["line bob"]
ring = 20
"""


def with_plan(plan: str) -> Office:
    office = Office()
    office.bob.answer_after_s = None
    books = office.house.exchange.books
    books.plans = {2: {"office": read_plan(plan)}}
    books.numbers["+441632960004"] = Number("+441632960004", "boss", plan="office")
    return office


def transferred() -> Office:
    """alice talks with boss, who sends her to bob."""
    office = Office()
    office.bob.answer_after_s = None
    office.call(office.alice, "boss")
    office.refer(office.boss, "bob")
    return office


def chosen() -> Office:
    """alice has pressed a key."""
    office = with_plan(MENU)
    office.call(office.alice, "01632960004")
    voice = office.voicemail
    assert voice is not None
    request = voice.dialogs[-1].create_request("REFER", contact=f"<{voice.contact}>")
    for name, value in (
        ("refer-to", f"<sip:pressed.1@{DOMAIN}>"),
        ("refer-sub", "false"),
        ("supported", "norefersub"),
    ):
        request.headers.add(name, value)
    voice.stack.send_request(request, voice.flow, voice, office.house.clock.now)
    return office


def waiting() -> Office:
    """alice waits in a queue."""
    office = with_plan(QUEUE)
    office.call(office.alice, "01632960004")
    return office


def returned() -> Office:
    """bob has parked alice, and nobody has fetched her."""
    office = Office()
    office.call(office.alice, "bob")
    office.bob.answer_after_s = None
    office.refer(office.bob, "*68")
    office.run(office.house.exchange.board.conf.calls.park_return_s)
    return office


WAYS = [transferred, chosen, waiting, returned]


def rung(way: Callable[[], Office]) -> Office:
    """bob's phone rings for a call that is up, with alice at its other end."""
    office = way()
    office.run(3)
    assert office.bob.requests_of("INVITE") and not office.bob.requests_of("CANCEL")
    return office


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("way", WAYS)
def test_it_is_picked_up(way: Callable[[], Office], how: str) -> None:
    office = rung(way)
    assert picks_up(office, how, BENS_OFFER) == 200
    office.run(2)
    assert office.conversations() == [["alice", "ben"]]
    assert office.bob.requests_of("CANCEL")[0].headers.get("reason") == COMPLETED_ELSEWHERE
    reinvites = [invite for invite in office.alice.requests_of("INVITE") if invite.to_tag]
    assert port_of(reinvites[-1].body) == 4444 and answer_body(office.ben) == ANSWER
    assert office.house.exchange.board.of_line["bob"] == 0
    assert len(office.house.exchange.board.queues) == len(office.house.exchange.board.parked) == 0
    office.run(30)
    office.end(office.ben)
    costs = office.assert_money_adds_up()
    # alice has called the account's line or number, and who sent her on to bob's phone has called that; a call that
    # was parked returns for nothing.
    assert costs[2] == (0 if way is returned else 40_000)
    own = next(row for row in office.rows() if row.leg_reason == "picks up the call to line bob")
    assert (own.line, own.payer_account_id, own.cost_micros) == ("ben", None, 0)
    assert office.house.exchange.counts.transfers["picked_up"] == 1


def test_who_transferred_hears_that_somebody_has_it() -> None:
    office = rung(transferred)
    assert picks_up(office, "*8") == 200
    office.run(2)
    assert notified(office.boss)[-1] == "SIP/2.0 200 OK" and office.boss.requests_of("BYE")
    office.end(office.alice)


def test_who_transferred_may_have_gone() -> None:
    office = rung(transferred)
    office.boss.hang_up()
    office.run(1)
    assert picks_up(office, "*8", BENS_OFFER) == 200
    office.run(10)
    assert office.conversations() == [["alice", "ben"]]
    office.end(office.alice)
    assert office.assert_money_adds_up() == {1: 40_000, 2: 40_000}


@pytest.mark.parametrize(("who", "left"), [("ben", [["alice", "boss"]]), ("alice", []), ("boss", [["alice", "boss"]])])
def test_any_end_may_go_while_it_is_picked_up(who: str, left: list[list[str]]) -> None:
    office = rung(transferred)
    office.alice.reinvite_status = 0  # she does not come to say what she agrees to
    office.ben.invite("*8")
    office.run(0.5)
    assert office.bob.requests_of("CANCEL") and 200 not in office.ben.statuses[-1:]
    if who == "ben":
        office.ben.stack.cancel(office.ben.invites[-1], office.house.clock.now)
    else:
        office.phones[who].hang_up()
    office.run(20)
    office.alice.reinvite_status = 200
    office.run(20)  # the boss, who has left, has the call back
    assert office.conversations() == left
    if left:
        office.end(office.alice)
    office.assert_over()
    assert office.assert_money_adds_up()[2] == 0


def test_without_a_codec_in_common_the_call_is_as_it_was() -> None:
    office = rung(transferred)
    office.alice.reinvite_status = 488
    assert picks_up(office, "*8", NO_CODEC) == 488
    office.run(2)
    assert notified(office.boss)[-1].split()[1] == "480"
    assert office.conversations() == [["alice", "boss"]]
    office.end(office.alice)
    assert office.assert_money_adds_up()[2] == 0


def test_one_that_cannot_be_recorded_is_not_made() -> None:
    office = rung(transferred)
    office.house.journal.durable = "never"
    assert picks_up(office, "*8") == 503
    office.run(2)
    assert office.conversations() == [["alice", "boss"]]
    office.house.journal.durable = "at once"
    office.end(office.alice)
    assert office.assert_money_adds_up()[2] == 0


def test_who_picks_up_a_call_that_is_up_needs_an_offer() -> None:
    office = rung(transferred)
    assert picks_up(office, "*8", b"") == 488
    assert not office.bob.requests_of("CANCEL")
    office.end(office.alice)


def test_strangers_do_not_pick_it_up() -> None:
    office = rung(transferred)
    assert office.status_of(office.dora, "*8") == 480
    assert office.status_of(office.dora, "bob", extra=names_ringing(office.bob)) == 603
    assert not office.bob.requests_of("CANCEL")
    office.end(office.alice)


def test_a_crash_afterwards_charges_both_who_called_and_who_transferred() -> None:
    office = rung(transferred)
    assert picks_up(office, "*8") == 200
    office.run(20)
    reborn = office.house.killed_and_started_again()
    paid = {row.payer_account_id: row.cost_micros for row in reborn.journal.cdrs() if row.cost_micros}
    assert paid == {1: 40_000, 2: 40_000}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("how", ["*8", "replaces", "recall"])
def test_on_a_bad_link_it_comes_to_one_conversation_or_none_and_the_money_adds_up(how: str, seed: int) -> None:
    link = Link(HandClock(), seed=seed, loss=0.25, duplication=0.1, reorder=0.2, delay_s=0.05)
    office = Office(link=link, with_media_server=False)
    for phone in office.phones.values():
        for _ in range(6):
            phone.register()
    office.alice.invite("boss")
    office.run(20)
    office.bob.answer_after_s = None
    if how == "recall":
        office.bob.answer, office.bob.answer_after_s = 486, 4.0
    if office.boss.dialogs:
        request = office.boss.dialogs[-1].create_request("REFER", contact=f"<{office.boss.contact}>")
        request.headers.add("refer-to", f"<sip:bob@{DOMAIN}>")
        office.boss.stack.send_request(request, office.boss.flow, office.boss, office.house.clock.now)
    office.run(1 if how == "recall" else 10)
    if how == "recall" and office.boss.dialogs:
        office.boss.hang_up()
    elif how == "*8":
        office.ben.invite("*8")
    elif how == "replaces" and office.bob._ringing:
        office.ben.invite("bob", extra=names_ringing(office.bob))
    office.run(60)
    assert office.conversations() in ([["alice", "ben"]], [["alice", "boss"]], [])
    for phone in office.phones.values():
        while phone.dialogs:
            phone.hang_up()
    office.run(200)
    for call in list(office.house.exchange.board.calls.values()):
        call.hang_up(office.house.clock.now, words="the test is over", ended_by="exchange")
    office.run(80)
    office.assert_over()
    office.assert_money_adds_up()
