"""RFC 5359 2.17 and 2.18: calls that the exchange makes for somebody."""


from demo.phone_messages import CallState
from tests.wire.phones.calling import connect, hang_up
from tests.wire.phones.town import Town
from tests.wire.services.codes import RING_BACK
from tests.wire.services.conftest import People


def test_automatic_redial(town: Town, people: People) -> None:
    """2.17: Bob is busy; when he is free, Alice's phone rings, and then his."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    busy, carols = connect(town, bob.phone, carol.number, carol.phone)
    mark, bobs_mark = alice.phone.mark(), bob.phone.mark()
    refused = alice.phone.dial(town.uri(bob.number))
    bob.rings(after=bobs_mark).answer(486)
    assert refused.wait_ended().status == 486
    asked = alice.phone.dial(town.uri(RING_BACK.replace("#", "%23")))
    asked.wait_for(CallState.CONFIRMED, timeout_s=5.0)
    asked.wait_ended(timeout_s=20.0)
    bobs_mark = bob.phone.mark()
    hang_up(busy, carols)
    own = alice.rings(after=mark)
    own.answer()
    bobs = bob.rings(after=bobs_mark)
    bobs.answer()
    bobs.wait_for(CallState.CONFIRMED)
    hang_up(own, bobs)


def test_click_to_dial(town: Town, people: People) -> None:
    """2.18: somebody else's program has Alice's phone ring, and then calls Bob for her."""
    alice, bob = people("alice"), people("bob")
    marks = alice.phone.mark(), bob.phone.mark()
    town.run("call", "dial", "alice", bob.number)
    own = alice.rings(after=marks[0])
    own.answer()
    bobs = bob.rings(after=marks[1])
    bobs.answer()
    bobs.wait_for(CallState.CONFIRMED)
    hang_up(own, bobs)
