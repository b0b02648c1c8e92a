"""What phones hear of each other through the relay, by the frequency of their tones.

Each phone believes that it hears at an address that is somebody else's, as phones behind NAT do: only the relay, which
answers to where a phone's packets come from, can bring them together.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.phone import Phone
from demo.phone_messages import MediaState
from demo.sound import read_recording
from tests.wire.phones.baresip import Baresip
from tests.wire.phones.calling import connect, hang_up, hold, received, resume, talk
from tests.wire.phones.heard import assert_tone, hears
from tests.wire.phones.town import MUSIC_HZ, Town

pytestmark = pytest.mark.alone

Registered = Callable[..., Phone]
# From 192.0.2.0/24 (RFC 5737), where nobody is.
NOWHERE = "192.0.2.77"


@pytest.fixture
def nat_pair(town: Town, registered: Registered, tmp_path: Path) -> tuple[Phone, Phone, Path, Path]:
    """Alice (700 Hz) and Bob (1100 Hz), each wrong about where it hears; and their recordings."""
    ears = tmp_path / "alice.wav", tmp_path / "bob.wav"
    alice, bob = (
        registered(user, tone_hz=hz, recording=str(ear), claimed_media_host=NOWHERE)
        for user, hz, ear in (("alice", 700, ears[0]), ("bob", 1100, ears[1]))
    )
    return alice, bob, *ears


def test_two_phones_behind_nat_hear_each_other(
    town: Town, nat_pair: tuple[Phone, Phone, Path, Path]
) -> None:
    alice, bob, alice_hears, bob_hears = nat_pair
    call, theirs = connect(town, alice, "01632960002", bob)
    call.wait_for_media(MediaState.ACTIVE)
    talk(4.0)
    hears(alice_hears, 1100)
    hears(bob_hears, 700)
    [invite] = received(bob, "INVITE")[:1]
    assert NOWHERE not in invite.text
    hang_up(call, theirs)


def test_they_hear_each_other_again_after_a_hold(
    town: Town, nat_pair: tuple[Phone, Phone, Path, Path]
) -> None:
    alice, bob, alice_hears, bob_hears = nat_pair
    call, theirs = connect(town, alice, "01632960002", bob)
    call.wait_for_media(MediaState.ACTIVE)
    hold(call, theirs)
    resume(call, theirs)
    talk(4.0)
    hears(alice_hears, 1100)
    hears(bob_hears, 700)
    hang_up(call, theirs)


@pytest.mark.parametrize("holder", ["caller", "callee"])
def test_the_held_end_hears_music_until_it_is_resumed(
    town: Town, nat_pair: tuple[Phone, Phone, Path, Path], holder: str
) -> None:
    alice, bob, alice_hears, bob_hears = nat_pair
    call, theirs = connect(town, alice, "01632960002", bob)
    call.wait_for_media(MediaState.ACTIVE)
    holds, held, ear, hz = (
        (call, theirs, bob_hears, 700) if holder == "caller" else (theirs, call, alice_hears, 1100)
    )
    talk(2.5)
    hears(ear, hz)
    hold(holds, held)
    talk(3.0)
    hears(ear, MUSIC_HZ)
    resume(holds, held)
    talk(3.0)
    hears(ear, hz)
    hang_up(call, theirs)


@pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed")
def test_baresip_and_a_phone_behind_nat_hear_each_other(
    town: Town, registered: Registered, tmp_path: Path
) -> None:
    carol = Baresip(town, "carol", hears_into=tmp_path / "carol")
    try:
        carol.start()
        ear = tmp_path / "bob.wav"
        bob = registered("bob", tone_hz=1100, recording=str(ear), claimed_media_host=NOWHERE)
        mark = bob.mark()
        carol.dial("01632960002")
        theirs = bob.expect_call(after=mark)
        theirs.answer()
        carol.wait_for("CALL_ESTABLISHED")
        talk(4.0)
        hears(ear, 440)
        carol.hang_up()
        theirs.wait_ended()
    finally:
        carol.stop()
    assert_tone(*read_recording(next((tmp_path / "carol").glob("*dec.wav"))), 1100)
