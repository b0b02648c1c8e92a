"""RFC 5359 2.4 to 2.6: transfers."""

import pytest

from demo.phone_messages import CallState
from tests.wire.phones.calling import connect, hang_up, hold, talk, wait_until_heard
from tests.wire.phones.town import Town
from tests.wire.services.conftest import People

SOUND_S = 3.0


@pytest.mark.parametrize("who", ["callee", "caller"])
def test_transfer_unattended(town: Town, people: People, who: str) -> None:
    """2.4: one of two sends the other on to Carol, and leaves."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    call, theirs = connect(town, alice.phone, bob.number, bob.phone)
    leaves, stays, other = (theirs, call, alice) if who == "callee" else (call, theirs, bob)
    hold(leaves, stays)
    mark = carol.phone.mark()
    leaves.transfer(town.uri(carol.number))
    carols = carol.rings(after=mark, timeout_s=3.0)
    carols.answer()
    carols.wait_for(CallState.CONFIRMED)
    assert leaves.wait_transferred().status == 200
    leaves.hang_up()
    leaves.wait_ended()
    talk(SOUND_S)
    other.hears(carol)
    carol.hears(other)
    hang_up(stays, carols)


def test_a_transfer_that_comes_to_nothing_leaves_the_call(town: Town, people: People) -> None:
    """2.4, the other way round: Carol is busy, and Bob has Alice back."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    call, theirs = connect(town, alice.phone, bob.number, bob.phone)
    mark = carol.phone.mark()
    theirs.transfer(town.uri(carol.number))
    carol.rings(after=mark, timeout_s=3.0).answer(486)
    assert theirs.wait_transferred().status == 486
    wait_until_heard(call, more_than=call.count_audio().received)
    hang_up(call, theirs)


def test_transfer_attended(town: Town, people: People) -> None:
    """2.5: Bob asks Carol first, and then brings Alice and her together."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    call, theirs = connect(town, alice.phone, bob.number, bob.phone)
    hold(theirs, call)
    question, carols = connect(town, bob.phone, carol.number, carol.phone)
    theirs.transfer_to(question)
    assert theirs.wait_transferred().status == 200
    question.wait_ended()
    talk(SOUND_S)
    alice.hears(carol)
    carol.hears(alice)
    hang_up(call, carols)


def test_transfer_instant_messaging_is_refused_in_words(town: Town, people: People) -> None:
    """2.6 (docs/services-rfc5359.md says why): the phone is told, and the call goes on."""
    alice, bob = people("alice"), people("bob")
    call, theirs = connect(town, alice.phone, bob.number, bob.phone)
    theirs.transfer(f"<{town.uri('carol')};method=MESSAGE>")
    assert theirs.wait_transferred().status == 501
    wait_until_heard(call, more_than=call.count_audio().received)
    hang_up(call, theirs)
