"""JsSIP in a real Chromium talks with pjsua2: ICE, DTLS-SRTP and Opus or G.711 on one side, plain RTP on the other."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.phone import Phone, PhoneCall
from demo.phone_messages import CallState, KeyHeard
from demo.sound import read_growing_recording
from tests.wire.browser.browser import TONE_HZ, BrowserPhone
from tests.wire.browser.conftest import Phones, WebTown
from tests.wire.phones.heard import assert_tone
from tests.wire.phones.town import MUSIC_HZ

pytestmark = pytest.mark.alone

PHONE_HZ = 440


@pytest.fixture
def telephone(town: WebTown, tmp_path: Path) -> Iterator[Phone]:
    recording = tmp_path / "heard.wav"
    phone = Phone.start(town.settings("carol", tone_hz=PHONE_HZ, recording=str(recording)))
    phone.register()
    yield phone
    phone.stop()


def hears_the_browser(phone: Phone) -> None:
    """What it has written down last is the browser's tone."""
    recording = read_growing_recording(Path(phone.settings.recording))
    assert_tone(*recording, TONE_HZ, among=(PHONE_HZ, TONE_HZ, 1100, 1500))


def talking(town: WebTown, page: BrowserPhone, telephone: Phone) -> PhoneCall:
    """The browser has called the telephone and hears it."""
    mark = telephone.mark()
    page.dial(town.uri("01632960003"))
    call = telephone.expect_call(after=mark)
    call.answer()
    page.wait_for("confirmed")
    page.wait_to_hear(PHONE_HZ)
    return call


@pytest.fixture
def browsers_ready(town: WebTown) -> None:
    town.wait_until("gate for browsers", lambda: town.status()["browsers"].startswith("connected"))


@pytest.mark.usefixtures("browsers_ready")
@pytest.mark.parametrize("hangs_up", ["browser", "telephone"])
def test_a_browser_calls_a_telephone_and_both_hear_each_other(
    town: WebTown, phones: Phones, telephone: Phone, hangs_up: str
) -> None:
    alice = phones.start("alice")
    alice.dial(town.uri("01632960003"))
    call = telephone.expect_call()
    call.ring()
    alice.wait_for("ringing")
    call.answer()
    alice.wait_for("confirmed")
    alice.wait_to_hear(PHONE_HZ)
    town.wait_until("four seconds of sound", lambda: call.count_audio().received > 200)
    hears_the_browser(telephone)
    if hangs_up == "browser":
        alice.hang_up()
    else:
        call.hang_up()
    alice.wait_for("ended")
    call.wait_ended()
    telephone.unregister()


@pytest.mark.usefixtures("browsers_ready")
def test_a_telephone_calls_a_browser_and_both_hear_each_other(
    town: WebTown, phones: Phones, telephone: Phone
) -> None:
    alice = phones.start("alice")
    call = telephone.dial(town.uri("01632960001"))
    alice.wait_for("arrived")
    alice.answer()
    call.wait_for(CallState.CONFIRMED)
    alice.wait_to_hear(PHONE_HZ)
    town.wait_until("four seconds of sound", lambda: call.count_audio().received > 200)
    hears_the_browser(telephone)
    alice.hang_up()
    call.wait_ended()
    telephone.unregister()


@pytest.mark.usefixtures("browsers_ready")
def test_a_browser_that_holds_hears_nothing_and_then_the_telephone_again(
    town: WebTown, phones: Phones, telephone: Phone
) -> None:
    alice = phones.start("alice")
    call = talking(town, alice, telephone)
    alice.hold()
    alice.wait_for_silence()
    alice.resume()
    alice.wait_to_hear(PHONE_HZ)
    alice.hang_up()
    call.wait_ended()
    telephone.unregister()


@pytest.mark.usefixtures("browsers_ready")
def test_a_browser_that_is_held_hears_music(town: WebTown, phones: Phones, telephone: Phone) -> None:
    alice = phones.start("alice")
    call = talking(town, alice, telephone)
    call.hold()
    assert alice.wait_for("hold")["by"] == "remote"
    alice.wait_to_hear(MUSIC_HZ)
    call.hang_up()
    alice.wait_for("ended")
    call.wait_ended()
    telephone.unregister()


@pytest.mark.usefixtures("browsers_ready")
def test_a_browser_that_was_held_hears_the_telephone_again(
    town: WebTown, phones: Phones, telephone: Phone
) -> None:
    alice = phones.start("alice")
    call = talking(town, alice, telephone)
    call.hold()
    alice.wait_to_hear(MUSIC_HZ)
    call.resume()
    assert alice.wait_for("unhold")["by"] == "remote"
    try:
        alice.wait_to_hear(PHONE_HZ)
    finally:
        call.hang_up()
        alice.wait_for("ended")
        call.wait_ended()
        telephone.unregister()


@pytest.mark.usefixtures("browsers_ready")
def test_two_browsers_hear_each_other_in_opus(town: WebTown, phones: Phones) -> None:
    alice, bob = phones.start("alice"), phones.start("bob")
    alice.dial(town.uri("01632960002"))
    bob.wait_for("arrived")
    bob.answer()
    alice.wait_for("confirmed")
    for phone in (alice, bob):
        phone.wait_to_hear(TONE_HZ)
        assert phone.codec() == "audio/opus"
    alice.hang_up()
    bob.wait_for("ended")


@pytest.mark.usefixtures("browsers_ready")
def test_the_process_is_killed_in_a_call(town: WebTown, phones: Phones, telephone: Phone) -> None:
    """That call ends at both ends, with a record; the next one has sound again."""
    alice = phones.start("alice")
    call = talking(town, alice, telephone)
    mark = telephone.mark()
    os.kill(town.part_id("media.browser"), signal.SIGKILL)
    alice.wait_for("ended")
    call.wait_ended()
    town.check_calls_over()
    town.wait_until("gate for browsers", lambda: town.status()["browsers"].startswith("connected"))
    alice.dial(town.uri("01632960003"))
    again = telephone.expect_call(after=mark)
    again.answer()
    alice.wait_to_hear(PHONE_HZ)
    alice.hang_up()
    again.wait_ended()
    telephone.unregister()


@pytest.mark.usefixtures("browsers_ready")
def test_a_browser_hears_why_it_was_refused_before_the_refusal(town: WebTown, phones: Phones) -> None:
    """Early media: the announcement is heard in a 183, from voicemail's plain RTP."""
    alice = phones.start("alice")
    alice.dial(town.uri("01632960099"))
    assert alice.wait_for("ringing")["status"] == 183
    alice.wait_to_hear_anything()
    assert alice.wait_for("failed")["status"] == 404


@pytest.mark.usefixtures("browsers_ready")
def test_keys_of_a_browser_are_telephone_events_at_the_telephone(
    town: WebTown, phones: Phones, telephone: Phone
) -> None:
    alice = phones.start("alice")
    call = talking(town, alice, telephone)
    alice.press("7")
    assert telephone.wait_for(KeyHeard, "a key").digit == "7"
    alice.hang_up()
    call.wait_ended()
    telephone.unregister()


@pytest.mark.usefixtures("browsers_ready")
def test_a_browser_that_leaves_without_a_word_of_sip_is_hung_up(
    town: WebTown, phones: Phones, telephone: Phone
) -> None:
    alice = phones.start("alice")
    call = talking(town, alice, telephone)
    alice.leave()
    call.wait_ended()
    telephone.unregister()
