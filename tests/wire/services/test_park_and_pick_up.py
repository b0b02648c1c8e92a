"""RFC 5359 2.15 and 2.16: a call that is left for somebody, and a call that rings somewhere else."""

import pytest

from demo.phone_messages import CallState
from tests.wire.phones.calling import connect, hang_up, ring, talk
from tests.wire.phones.town import MUSIC_HZ, Town
from tests.wire.services.codes import PARK, PICK_UP, RETRIEVE
from tests.wire.services.conftest import People

SOUND_S = 3.0


def test_call_park(town: Town, people: People) -> None:
    """2.15: Bob parks Alice, who hears music, and Carol takes her."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    call, theirs = connect(town, alice.phone, bob.number, bob.phone)
    theirs.transfer(town.uri(PARK))
    assert theirs.wait_transferred().status == 200
    theirs.hang_up()
    theirs.wait_ended()
    talk(SOUND_S)
    alice.hears(MUSIC_HZ)
    carols = carol.phone.dial(town.uri(RETRIEVE))
    carols.wait_for(CallState.CONFIRMED)
    talk(SOUND_S)
    alice.hears(carol)
    carol.hears(alice)
    hang_up(call, carols)


@pytest.mark.parametrize("of_whom", ["", "*01632960002"])
def test_call_pick_up(town: Town, people: People, of_whom: str) -> None:
    """2.16: Bob's phone rings, and Carol takes the call: any of her group's, or his."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    for user in ("bob", "carol"):
        town.run("line", "set", user, "pickup_group=desk")
    town.wait_until("pick-up group", lambda: "desk" in town.run("line", "show", "carol"))
    call, bobs = ring(town, alice.phone, bob.number, bob.phone)
    carols = carol.phone.dial(town.uri(PICK_UP + of_whom))
    carols.wait_for(CallState.CONFIRMED)
    call.wait_for(CallState.CONFIRMED)
    bobs.wait_ended()
    talk(SOUND_S)
    alice.hears(carol)
    carol.hears(alice)
    hang_up(call, carols)


def test_pick_up_of_a_call_that_was_transferred(town: Town, people: People) -> None:
    """2.16 after 2.4: Carol has sent Alice on to Bob, has left, and fetches her from his phone, which rings."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    call, theirs = connect(town, alice.phone, carol.number, carol.phone)
    mark = bob.phone.mark()
    theirs.transfer(town.uri(bob.number))
    bobs = bob.rings(after=mark, timeout_s=3.0)
    theirs.hang_up()
    theirs.wait_ended()
    carols = carol.phone.dial(town.uri(f"{PICK_UP}*{bob.number}"))
    carols.wait_for(CallState.CONFIRMED)
    bobs.wait_ended()
    talk(SOUND_S)
    alice.hears(carol)
    carol.hears(alice)
    hang_up(call, carols)


def test_call_pick_up_by_replaces(town: Town, people: People) -> None:
    """2.16 as the RFC has it: Carol's phone names the early dialog that it knows from Bob's."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    call, bobs = ring(town, alice.phone, bob.number, bob.phone)
    ringing = next(seen for seen in bob.phone.trace if not seen.is_sent and seen.text.startswith("INVITE"))
    rang = next(seen for seen in bob.phone.trace if seen.is_sent and seen.text.startswith("SIP/2.0 180"))
    replaces = (
        f"{bobs.sip_call_id};to-tag={_tag(ringing.text, 'From')};from-tag={_tag(rang.text, 'To')};early-only"
    )
    carols = carol.phone.dial(town.uri(bob.number), [("Replaces", replaces)])
    carols.wait_for(CallState.CONFIRMED)
    call.wait_for(CallState.CONFIRMED)
    bobs.wait_ended()
    hang_up(call, carols)


def _tag(text: str, field: str) -> str:
    line = next(each for each in text.replace("\r\n", "\n").split("\n") if each.startswith(f"{field}:"))
    return line.partition(";tag=")[2].partition(";")[0]
