"""A plan with a menu and a queue, imported by the command, walked by pjsua2 phones through the real media server.

Bob's number leads to the plan; alice calls it, carol and dave are where it leads.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.phone import Phone, PhoneCall
from demo.phone_messages import CallState, MediaState
from tests.wire.phones.calling import hang_up, talk
from tests.wire.phones.conftest import PhoneStarter
from tests.wire.phones.heard import hears
from tests.wire.phones.records import records_of
from tests.wire.phones.town import Town

PLAN = """
start = "welcome"
fallback = "message"

[welcome]
menu = "menu-welcome"
press = { 1 = "sales", 2 = "wait", 3 = "away" }
timeout = 4
tries = 1

[sales]
line = "carol"
ring = 5
else = "help"

[help]
line = "dave"
ring = 20

[wait]
queue = ["line carol"]
ring = 15

[away]
number = "07700900123"

[message]
voicemail = "bob"
"""
NUMBER = "01632960002"
VOICE_S = 15  # until the media server has answered, on a machine with other work


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("plans"), voicemail="")
    try:
        town.start()
        town.populate()
        plan = town.directory / "office.toml"
        plan.write_text(PLAN, encoding="utf-8")
        town.run("plan", "import", str(plan), "--account", "shop")
        town.run("plan", "assign", NUMBER, "office")
        town.wait_until("voicemail", lambda: town.status()["voicemail"] == "connected")
        yield town
    finally:
        town.stop()


@pytest.fixture
def people(
    office: Town, phone: PhoneStarter, tmp_path: Path
) -> Iterator[Callable[[str, int], tuple[Phone, Path]]]:
    def start(user: str, hz: int) -> tuple[Phone, Path]:
        ear = tmp_path / f"{user}.wav"
        one = phone(office.settings(user, tone_hz=hz, recording=str(ear)))
        one.register()
        return one, ear

    yield start
    office.check_calls_over()


def in_the_menu(town: Town, alice: Phone) -> PhoneCall:
    call = alice.dial(town.uri(NUMBER))
    call.wait_for(CallState.CONFIRMED, timeout_s=VOICE_S)
    call.wait_for_media(MediaState.ACTIVE)
    talk(1.0)
    return call


def test_a_key_leads_to_a_phone_and_both_hear_each_other(
    office: Town, people: Callable[[str, int], tuple[Phone, Path]]
) -> None:
    (alice, alice_hears), (carol, carol_hears) = people("alice", 700), people("carol", 1100)
    call = in_the_menu(office, alice)
    mark = carol.mark()
    call.press("1")
    theirs = carol.expect_call(after=mark)
    theirs.answer()
    theirs.wait_for(CallState.CONFIRMED)
    talk(4.0)
    hears(alice_hears, 1100)
    hears(carol_hears, 700)
    hang_up(call, theirs)
    caller, voice, agent = records_of(office, call.sip_call_id, legs=3)
    assert [row.outcome for row in (caller, voice, agent)] == ["answered"] * 3
    assert voice.leg_reason == "menu of plan office"
    assert agent.leg_reason == "plan office: a phone of line carol"


def test_nobody_answers_there_and_the_plan_goes_on(
    office: Town, people: Callable[[str, int], tuple[Phone, Path]]
) -> None:
    (alice, alice_hears), (carol, _), (dave, dave_hears) = (
        people("alice", 700),
        people("carol", 1100),
        people("dave", 1500),
    )
    call = in_the_menu(office, alice)
    marks = carol.mark(), dave.mark()
    call.press("1")
    ringing = carol.expect_call(after=marks[0])
    theirs = dave.expect_call(after=marks[1])
    ringing.wait_ended()
    theirs.answer()
    theirs.wait_for(CallState.CONFIRMED)
    talk(4.0)
    hears(alice_hears, 1500)
    hears(dave_hears, 700)
    hang_up(call, theirs)


def test_a_queue_rings_who_becomes_free(
    office: Town, people: Callable[[str, int], tuple[Phone, Path]]
) -> None:
    (alice, alice_hears), (carol, carol_hears), (dave, _) = (
        people("alice", 700),
        people("carol", 1100),
        people("dave", 1500),
    )
    mark = carol.mark()
    other = dave.dial(office.uri("01632960003"))
    busy = carol.expect_call(after=mark)
    busy.answer()
    other.wait_for(CallState.CONFIRMED)
    call = in_the_menu(office, alice)
    call.press("2")
    talk(4.0)
    assert office.status()["live_calls"] == 2
    mark = carol.mark()
    hang_up(other, busy)
    theirs = carol.expect_call(after=mark)
    theirs.answer()
    theirs.wait_for(CallState.CONFIRMED)
    talk(4.0)
    hears(alice_hears, 1100)
    hears(carol_hears, 700)
    hang_up(call, theirs)
    rows = records_of(office, call.sip_call_id, legs=4)
    assert [row.leg_reason for row in rows[1:]] == [
        "menu of plan office",
        "queue office/wait",
        "plan office: a phone of line carol",
    ]


def test_a_number_outside_is_called_on_the_account_of_the_plan(
    office: Town, people: Callable[[str, int], tuple[Phone, Path]]
) -> None:
    alice, _ = people("alice", 700)
    carrier = office.start_carrier("carrier_b")
    try:
        call = in_the_menu(office, alice)
        mark = carrier.mark()
        call.press("3")
        theirs = carrier.expect_call(after=mark)
        theirs.answer()
        theirs.wait_for(CallState.CONFIRMED)
        talk(3.0)
        hang_up(call, theirs)
        *_, outside = records_of(office, call.sip_call_id, legs=3)
        assert outside.trunk == "carrier_b" and outside.cost_micros > 0
    finally:
        carrier.stop()


def test_nothing_pressed_leads_to_the_mailbox(
    office: Town, people: Callable[[str, int], tuple[Phone, Path]]
) -> None:
    alice, _ = people("alice", 700)
    call = in_the_menu(office, alice)
    office.wait_until("deposit", lambda: office.status()["live_calls"] == 1)
    talk(16.0)
    call.hang_up()
    call.wait_ended()
    rows = records_of(office, call.sip_call_id, legs=3)
    assert rows[-1].leg_reason == "plan office: voicemail"
