"""RFC 5359 2.1 to 2.3: hold, consultation hold, music on hold."""

from tests.wire.phones.calling import connect, hang_up, hold, received, resume, talk
from tests.wire.phones.records import records_of
from tests.wire.phones.town import MUSIC_HZ, Town
from tests.wire.services.conftest import People

SOUND_S = 3.0


def test_call_hold(town: Town, people: People) -> None:
    """2.1: Bob holds Alice and comes back."""
    alice, bob = people("alice"), people("bob")
    call, theirs = connect(town, alice.phone, bob.number, bob.phone)
    hold(theirs, call)
    [offer] = [each for each in received(alice.phone, "INVITE") if ";tag=" in each.text.partition("\nTo:")[2]]
    assert "a=sendonly" in offer.text
    resume(theirs, call)
    talk(SOUND_S)
    alice.hears(bob)
    bob.hears(alice)
    hang_up(call, theirs)
    assert len(records_of(town, call.sip_call_id, legs=2)) == 2


def test_consultation_hold(town: Town, people: People) -> None:
    """2.2: Bob holds Alice, asks Carol something in a call of its own, and comes back to Alice."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    call, theirs = connect(town, alice.phone, bob.number, bob.phone)
    hold(theirs, call)
    question, carols = connect(town, bob.phone, carol.number, carol.phone)
    talk(SOUND_S)
    carol.hears(bob)
    hang_up(question, carols)
    resume(theirs, call)
    talk(SOUND_S)
    alice.hears(bob)
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)
    records_of(town, question.sip_call_id, legs=2)


def test_music_on_hold(town: Town, people: People) -> None:
    """2.3: while Bob holds Alice, she hears music; of Bob, who says something all the same, nothing."""
    alice, bob = people("alice"), people("bob")
    call, theirs = connect(town, alice.phone, bob.number, bob.phone)
    hold(theirs, call)
    talk(SOUND_S)
    alice.hears(MUSIC_HZ)
    resume(theirs, call)
    talk(SOUND_S)
    alice.hears(bob)
    hang_up(call, theirs)
