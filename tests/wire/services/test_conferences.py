"""RFC 5359 2.10 and 2.11: three in one conversation."""

import pytest

from demo.phone_messages import CallState, MediaState
from demo.sound import read_growing_recording, tone_share
from tests.wire.phones.calling import connect, hang_up, hold, resume, talk
from tests.wire.phones.town import Town
from tests.wire.services.codes import CONFERENCE
from tests.wire.services.conftest import VOICES, People, Person

pytestmark = pytest.mark.alone

SOUND_S = 3.0
# Of two voices that are mixed each has about half; what one hears of somebody else's echo is far less.
MIXED_SHARE = 0.2
TAIL_S = 1.5


def assert_hears_both(person: Person, *others: Person) -> None:
    samples, rate = read_growing_recording(person.ear)
    second = samples[-int(TAIL_S * rate) : -int((TAIL_S - 1) * rate)]
    shares = {other.user: tone_share(second, rate, VOICES[other.user]) for other in others}
    assert all(share > MIXED_SHARE for share in shares.values()), shares


def test_conference_third_party_is_added(town: Town, people: People) -> None:
    """2.10: Alice talks with Bob, calls Carol, and mixes the two on her phone, as the RFC has it."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    call, bobs = connect(town, alice.phone, bob.number, bob.phone)
    hold(call, bobs)
    second, carols = connect(town, alice.phone, carol.number, carol.phone)
    resume(call, bobs)
    second.wait_for_media(MediaState.ACTIVE)
    call.mix(second)
    talk(SOUND_S)
    assert_hears_both(bob, alice, carol)
    assert_hears_both(carol, alice, bob)
    hang_up(call, bobs)
    hang_up(second, carols)


def test_conference_at_the_exchange(town: Town, people: People) -> None:
    """2.10 for a phone that cannot mix: Alice sends both her calls to the conference, and joins it."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    call, bobs = connect(town, alice.phone, bob.number, bob.phone)
    hold(call, bobs)
    second, carols = connect(town, alice.phone, carol.number, carol.phone)
    for each in (call, second):
        each.transfer(town.uri(CONFERENCE))
        assert each.wait_transferred().status == 200
    own = alice.phone.dial(town.uri(CONFERENCE))
    own.wait_for(CallState.CONFIRMED)
    talk(SOUND_S)
    assert_hears_both(bob, alice, carol)
    assert_hears_both(carol, alice, bob)
    for each in (bobs, own):
        each.hang_up()
        each.wait_ended()
    carols.wait_ended()  # whoever is left alone is sent home


def test_conference_third_party_joins(town: Town, people: People) -> None:
    """2.11: Alice and Bob are in the exchange's conference, and Carol joins it by herself."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    calls = [person.phone.dial(town.uri(CONFERENCE)) for person in (alice, bob)]
    for each in calls:
        each.wait_for(CallState.CONFIRMED)
    third = carol.phone.dial(town.uri(CONFERENCE))
    third.wait_for(CallState.CONFIRMED)
    talk(SOUND_S)
    assert_hears_both(carol, alice, bob)
    for each in (third, *calls):
        each.hang_up()
        each.wait_ended()
