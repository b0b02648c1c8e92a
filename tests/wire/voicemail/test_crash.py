"""A killed process leaves whole messages only, and a message that the caller was told is safe is there."""

import time

import pytest

from media.wav import load_wav
from tests.wire.voicemail.caller import calling, stretches, tone
from tests.wire.voicemail.server import VoicemailServer
from tests.wire.voicemail.test_calls import at_the_tone

pytestmark = pytest.mark.wire


def test_killed_while_a_message_is_spoken_it_is_finished_as_far_as_it_was_written(
    voicemail: VoicemailServer,
) -> None:
    with calling(voicemail.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 5.0))
        voicemail.kill()
    assert voicemail.store.messages("alice") == []
    voicemail.start()
    (message,) = voicemail.store.messages("alice")
    assert message.is_cut_short
    assert message.caller == "01632960111"
    kept = load_wav(voicemail.store.sound_file("alice", message.id), 8000)
    ((begun, ended, _),) = stretches(kept.pcm, 1004, 8000, least_s=1.0)
    assert ended - begun > 3.0
    voicemail.switch.wait_published("Voice-Message: 1/0")
    voicemail.assert_at_rest()


def test_killed_after_a_word_nothing_is_left(voicemail: VoicemailServer) -> None:
    with calling(voicemail.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 0.5))
        voicemail.kill()
    voicemail.start()
    assert voicemail.store.messages("alice") == []
    voicemail.assert_at_rest()


@pytest.mark.parametrize("delay_ms", [0, 2, 5, 10, 20, 50, 100])
def test_killed_around_the_moment_of_saving_there_is_one_whole_message(
    voicemail: VoicemailServer, delay_ms: int
) -> None:
    with calling(voicemail.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 4.0))
        caller.press("#")
        time.sleep(delay_ms / 1000)
        voicemail.kill()
    voicemail.start()
    (message,) = voicemail.store.messages("alice")
    assert load_wav(voicemail.store.sound_file("alice", message.id), 8000).duration_s > 2.0
    voicemail.assert_at_rest()
