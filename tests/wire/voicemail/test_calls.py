"""Calls to the voicemail process: who is served, what ends a message, what is kept, what the lamp is told."""

import socket
import time
import urllib.request
from collections.abc import Callable

import pytest

from media.codecs import OPUS
from media.wav import load_wav
from tests.wire.voicemail.caller import HOST, Caller, SwitchSocket, calling, header, stretches, tone
from tests.wire.voicemail.server import VoicemailServer
from voicemail.publish import ANSWER_WAIT_S

pytestmark = pytest.mark.wire

BEEP_HZ = 1400.0  # media/tones.py: record-beep


def at_the_tone(caller: Caller) -> None:
    """Past the greeting, and past the tone after it."""
    caller.dial()
    caller.press("#")
    caller.wait_heard(BEEP_HZ)
    time.sleep(0.6)


def test_who_hangs_up_while_speaking_leaves_what_was_said(voicemail: VoicemailServer) -> None:
    with calling(voicemail.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 3.0))
        caller.hang_up()
    voicemail.switch.wait_published("Voice-Message: 1/0")
    (message,) = voicemail.wait_messages("alice", 1)
    kept = load_wav(voicemail.store.sound_file("alice", message.id), 8000)
    ((begun, ended, _),) = stretches(kept.pcm, 1004, 8000, least_s=1.0)
    assert abs(ended - begun - 3.0) <= 0.1
    assert (message.caller, message.name, message.called) == ("01632960111", "Ann Other", "01632960222")
    voicemail.assert_at_rest()


def test_who_hangs_up_after_a_word_leaves_nothing(voicemail: VoicemailServer) -> None:
    with calling(voicemail.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 1.5) + bytes(2 * 16_000))
        caller.hang_up()
    with calling(voicemail.switch, "deposit.alice@") as caller:
        caller.dial()
        caller.hang_up()
    time.sleep(0.3)
    assert voicemail.store.messages("alice") == []
    voicemail.assert_at_rest()


def test_silence_ends_a_message_and_is_cut_off(make_voicemail: Callable[..., VoicemailServer]) -> None:
    server = make_voicemail(settings="silence_end_s = 2")
    server.start()
    with calling(server.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 3.0) + bytes(int(2.5 * 16_000)))
        caller.wait_ended()
    (message,) = server.wait_messages("alice", 1)
    assert 3000 <= message.duration_ms <= 4500
    server.assert_at_rest()


def test_a_message_ends_at_its_limit(make_voicemail: Callable[..., VoicemailServer]) -> None:
    server = make_voicemail(settings="message_max_s = 10")
    server.start()
    with calling(server.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 11.0))
        caller.wait_ended()
    (message,) = server.wait_messages("alice", 1)
    assert 9000 <= message.duration_ms <= 10_000
    server.assert_at_rest()


def test_a_message_in_opus_is_heard_in_g711(voicemail: VoicemailServer) -> None:
    with calling(voicemail.switch, "deposit.alice@", codec=OPUS) as caller:
        caller.dial()
        caller.press("#")
        caller.wait_heard(BEEP_HZ)
        time.sleep(0.6)
        caller.speak(tone(1004, 3.0, rate=16_000))
        caller.press("#")
        caller.wait_ended()
    voicemail.wait_messages("alice", 1)
    with calling(voicemail.switch, "retrieve.alice@") as owner:
        owner.dial()
        owner.press("11")
        owner.wait_heard(1004)
        owner.hang_up()
    voicemail.assert_at_rest()


def test_a_full_mailbox_says_so_before_it_answers(voicemail: VoicemailServer) -> None:
    voicemail.store.change("alice", lambda settings: type(settings)(messages_max=1))
    with calling(voicemail.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 2.5))
        caller.press("#")
        caller.wait_ended()
    with calling(voicemail.switch, "deposit.alice@") as caller:
        caller.invite()
        caller.wait_for(183)
        refused = caller.wait_for(480)
        assert header(refused, "Reason") == "Q.850;cause=19"
        assert len(caller.heard) > 50
    voicemail.assert_at_rest()


def test_from_elsewhere_number_and_pin_open_the_mailbox_and_five_wrong_ones_shut_it(
    voicemail: VoicemailServer,
) -> None:
    voicemail.store.set_pin("alice", "4711")
    with calling(voicemail.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 2.5))
        caller.press("#")
        caller.wait_ended()
    with calling(voicemail.switch, "retrieve@") as owner:
        owner.dial()
        owner.press("01632960222#4711#")
        time.sleep(0.5)
        owner.press("11")
        owner.wait_heard(1004)
        owner.hang_up()
    for _ in range(2):
        with calling(voicemail.switch, "retrieve@") as guesser:
            guesser.dial()
            for _ in range(3):
                guesser.press("01632960222#0000#")
                time.sleep(0.3)
            guesser.wait_ended()
    settings = voicemail.store.settings("alice")
    assert settings.wrong_pins == 5
    assert settings.locked_until_ms > 0
    voicemail.assert_at_rest()


def test_keys_by_info_are_keys(voicemail: VoicemailServer) -> None:
    with calling(voicemail.switch, "retrieve.alice@") as owner:
        owner.dial()
        owner.press_by_info("#")
        owner.wait_ended()


def test_only_the_switch_is_answered(voicemail: VoicemailServer) -> None:
    stranger = SwitchSocket((HOST, voicemail.port))
    try:
        for target in ("retrieve.alice@", "nonsense@"):
            with calling(stranger, target) as caller:
                caller.invite()
                stranger.send("nonsense\r\n\r\n")
        time.sleep(1.0)
        assert stranger._calls == {}
        assert stranger.published == []
    finally:
        stranger.close()


def test_sound_from_a_stranger_is_not_recorded(voicemail: VoicemailServer) -> None:
    with calling(voicemail.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        peer = caller._peer
        assert peer is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", 0))
            for number in range(200):
                stranger.sendto(bytes([0x80, 8]) + number.to_bytes(2, "big") + bytes(8) + b"\x2a" * 160, peer)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other_port:
            caller.speak(tone(1004, 0.1))
            for number in range(200):
                other_port.sendto(
                    bytes([0x80, 8]) + number.to_bytes(2, "big") + bytes(8) + b"\x2a" * 160, peer
                )
        caller.speak(tone(1004, 3.0))
        caller.press("#")
        caller.wait_ended()
    (message,) = voicemail.wait_messages("alice", 1)
    assert message.duration_ms < 4500


@pytest.mark.parametrize(("target", "status"), [("alice@", 404), ("deposit.@", 404), ("deposit..@", 404)])
def test_what_is_no_mailbox_is_not_found(voicemail: VoicemailServer, target: str, status: int) -> None:
    with calling(voicemail.switch, target) as caller:
        caller.invite()
        caller.wait_for(status)


def test_a_call_beyond_the_limit_is_refused_and_the_others_go_on(
    make_voicemail: Callable[..., VoicemailServer],
) -> None:
    server = make_voicemail(settings="calls_max = 1")
    server.start()
    with (
        calling(server.switch, "retrieve.alice@") as first,
        calling(server.switch, "retrieve.bob@") as second,
    ):
        first.dial()
        second.invite()
        second.wait_for(503)
        first.hang_up()
        time.sleep(0.2)
    with calling(server.switch, "retrieve.bob@") as third:
        third.dial()
        third.hang_up()
    server.assert_at_rest()


def test_the_lamp_is_told_at_the_start_after_a_command_and_when_the_switch_is_back(
    voicemail: VoicemailServer,
) -> None:
    switch = voicemail.switch
    with calling(switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 2.5))
        caller.press("#")
        caller.wait_ended()
    switch.wait_published("Voice-Message: 1/0")
    voicemail.kill()
    switch.published.clear()
    voicemail.start()
    switch.wait_published("Voice-Message: 1/0")
    (message,) = voicemail.store.messages("alice")
    voicemail.store.delete("alice", (message.id,))
    switch.wait_published("Voice-Message: 0/0")
    switch.answers_publish = False
    switch.ask("one-life")
    seen = len(switch.published)
    switch.ask("another-life")
    switch.wait_published("PUBLISH", after=seen + 1)  # the first, and its repeat
    time.sleep(ANSWER_WAIT_S)
    switch.answers_publish = True
    seen = len(switch.published)
    switch.ask("another-life")
    switch.wait_published("Voice-Message: 0/0", after=seen)


def test_the_process_keeps_what_is_being_said_when_it_is_told_to_stop(voicemail: VoicemailServer) -> None:
    with calling(voicemail.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 3.0))
        assert voicemail.process is not None
        voicemail.process.terminate()
        caller.wait_ended()
        assert voicemail.process.wait(10) == 0
    (message,) = voicemail.store.messages("alice")
    assert message.duration_ms >= 2900
    voicemail.assert_at_rest()


def test_metrics_are_served_and_count_what_happened(make_voicemail: Callable[..., VoicemailServer]) -> None:
    port = free_tcp_port()
    server = make_voicemail(settings=f'metrics = "{HOST}:{port}"')
    server.start()
    with calling(server.switch, "retrieve.alice@") as owner:
        owner.dial()
        owner.hang_up()
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=5) as page:
        text = page.read().decode()
    assert 'offhook_voicemail_calls_total{kind="retrieval"} 1.0' in text
    for name in (
        "messages",
        "mail_queue",
        "lamp_deliveries",
        "pins",
        "deposits",
        "tick_lateness_seconds_bucket",
    ):
        assert f"offhook_voicemail_{name}" in text, name


def free_tcp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
