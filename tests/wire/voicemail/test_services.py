"""What call services need of sound, over the wire; the stand-in for the switch is a socket of ours."""

import math
import time
import urllib.request
from array import array
from collections.abc import Callable

import pytest

from demo.free_ports import free_port
from media.codecs import G722, PCMA, PCMU
from media.wav import format_wav
from tests.wire.voicemail.callee import Callee
from tests.wire.voicemail.caller import HOST, Caller, calling, header, level_at, response_to, tone
from tests.wire.voicemail.server import VoicemailServer
from voicemail.account_prompts import AccountPrompts

pytestmark = pytest.mark.wire

HEARD_S = 20.0


def rms(pcm: bytes) -> float:
    samples = array("h", pcm)
    return math.sqrt(sum(value * value for value in samples) / max(len(samples), 1))


def wait_heard_for(caller: Caller, seconds: float) -> bytes:
    """The sound once that much of it has come."""
    deadline = time.monotonic() + HEARD_S
    while len(caller.heard) < seconds * 50:
        assert time.monotonic() < deadline, f"{len(caller.heard)} packets were heard"
        time.sleep(0.02)
    return caller.sound()


def put_tone(server: VoicemailServer, name: str, hz: float, seconds: float = 1.0) -> None:
    """A prompt of account 7 that can be told from others."""
    AccountPrompts(server.data / "prompts").put("7", name, format_wav(tone(hz, seconds), 8000))


def test_words_are_said_and_the_call_is_ended(voicemail: VoicemailServer) -> None:
    put_tone(voicemail, "one", 600)
    put_tone(voicemail, "two", 1100)
    with calling(voicemail.switch, "say@;words=own.7.one.no-such-prompt.own.7.two") as caller:
        caller.dial()
        caller.wait_ended(HEARD_S)
        sound = caller.sound()
    first, second = (
        next(at for at in range(0, len(sound), 640) if level_at(sound[at : at + 640], hz, 8000) > 3000)
        for hz in (600, 1100)
    )
    assert 1.9 * 8000 < (second - first) < 2.2 * 8000
    assert "no-such-prompt" in voicemail.log
    voicemail.assert_at_rest()


def test_a_key_hands_the_call_to_the_switch_and_nothing_more_is_sent(voicemail: VoicemailServer) -> None:
    with calling(voicemail.switch, "say@;words=telephone-number.number-02079460123;keys=3") as caller:
        caller.dial()
        caller.press("7")
        caller.press("3")
        assert caller.wait_referred() == "<sip:pressed.3@example.org>"
        refer = voicemail.switch.wait(caller.call_id, lambda text: text.startswith("REFER"))
        assert (header(refer, "Refer-Sub"), header(refer, "Supported")) == ("false", "norefersub")
        time.sleep(0.5)
        before = len(caller.heard)
        time.sleep(0.5)
        assert len(caller.heard) == before
        caller.hang_up()
    voicemail.assert_at_rest()


def test_without_a_bye_of_the_switch_the_call_is_ended_all_the_same(voicemail: VoicemailServer) -> None:
    with calling(voicemail.switch, "say@;words=error;keys=3") as caller:
        caller.dial()
        caller.press_by_info("3")
        caller.wait_referred()
        caller.wait_ended(20.0)
    voicemail.assert_at_rest()


def test_a_refused_refer_is_told_to_the_caller(voicemail: VoicemailServer) -> None:
    voicemail.switch.refer_status = "603 Decline"
    with calling(voicemail.switch, "say@;words=silence;keys=3") as caller:
        caller.dial()
        caller.press_by_info("3")
        caller.wait_referred()
        caller.wait_ended(HEARD_S)
        assert rms(caller.sound()[-2 * 8000 * 3 :]) > 100
    voicemail.assert_at_rest()


@pytest.mark.parametrize("digits", ["2", "416"])
def test_a_menu_yields_what_was_pressed(voicemail: VoicemailServer, digits: str) -> None:
    put_tone(voicemail, "menu", 700, 8.0)
    target = "menu@;prompt=own.7.menu;choices=1.2.s;extension=3;timeout=3;tries=2"
    with calling(voicemail.switch, target) as caller:
        caller.dial()
        caller.wait_heard(700)
        caller.press(digits)
        assert caller.wait_referred() == f"<sip:pressed.{digits}@example.org>"
        caller.hang_up()
    voicemail.assert_at_rest()


def test_a_menu_yields_nothing_after_its_tries_and_says_what_is_wrong(voicemail: VoicemailServer) -> None:
    put_tone(voicemail, "menu", 700, 0.4)
    target = "menu@;prompt=own.7.menu;choices=1.s;timeout=1;tries=2"
    with calling(voicemail.switch, target) as caller:
        caller.dial()
        caller.wait_heard(700)
        caller.press("9")
        assert caller.wait_referred(HEARD_S) == "<sip:pressed@example.org>"
        caller.hang_up()
    with calling(voicemail.switch, target) as caller:
        caller.dial()
        caller.press("*")
        assert caller.wait_referred() == "<sip:pressed.s@example.org>"
        caller.hang_up()
    voicemail.assert_at_rest()


@pytest.mark.parametrize("codec", [PCMA, G722], ids=lambda codec: codec.name)
def test_music_is_heard_until_the_switch_ends_it(voicemail: VoicemailServer, codec: object) -> None:
    with calling(voicemail.switch, "music@;music=hold", codec=codec) as caller:
        caller.dial()
        sound = wait_heard_for(caller, 3.0)
        second = 2 * caller.codec.sample_rate
        levels = [rms(sound[at : at + second]) for at in range(second, len(sound) - second, second)]
        assert all(200 < level < 4000 for level in levels), levels
        caller.hang_up()
    voicemail.assert_at_rest()


def test_an_accounts_own_music_goes_round(voicemail: VoicemailServer) -> None:
    put_tone(voicemail, "jingle", 900, 0.5)
    with calling(voicemail.switch, "music@;music=own.7.jingle") as caller:
        caller.dial()
        sound = wait_heard_for(caller, 2.5)
        assert level_at(sound[8000:32000], 900, 8000) > 7000
        caller.hang_up()
    voicemail.assert_at_rest()


def test_a_queue_says_the_place_and_plays_on(voicemail: VoicemailServer) -> None:
    put_tone(voicemail, "jingle", 900, 0.5)
    with calling(voicemail.switch, "queue@;music=own.7.jingle;position=4;says=1") as caller:
        caller.dial()
        caller.wait_heard(900)
        assert rms(caller.sound()[6400:32000]) > 300, "the place is said before the music"
        caller.inform("position=2", "application/offhook-queue")
        mark = len(caller.heard)
        deadline = time.monotonic() + HEARD_S
        while level_at(caller.sound()[mark * 320 :][-3200:], 900, 8000) > 3000:
            assert time.monotonic() < deadline, "the music was not interrupted"
            time.sleep(0.05)
        while level_at(caller.sound()[-3200:], 900, 8000) < 3000:
            assert time.monotonic() < deadline, "the music did not go on"
            time.sleep(0.05)
        caller.inform("position=x", "application/offhook-queue")
        caller.inform("position=3", "text/plain")
        caller.hang_up()
    voicemail.assert_at_rest()


def test_another_codec_in_the_middle_is_heard_from_the_start(voicemail: VoicemailServer) -> None:
    """Of a place that is being said, and of the music after it."""
    put_tone(voicemail, "jingle", 900, 0.5)
    with calling(voicemail.switch, "queue@;music=own.7.jingle;position=4;says=1", codec=G722) as caller:
        caller.dial()
        caller.codec = PCMU
        caller.invite()
        voicemail.switch.wait(
            caller.call_id, lambda text: text.startswith("SIP/2.0 200") and "CSeq: 2 INVITE" in text
        )
        caller.wait_for(200)  # and its ACK
        time.sleep(0.2)
        caller.heard.clear()
        caller.wait_heard(900)
        caller.inform("position=1", "application/offhook-queue")
        mark = len(caller.heard)
        deadline = time.monotonic() + HEARD_S
        while level_at(caller.sound()[mark * 320 :][-3200:], 900, 8000) > 3000:
            assert time.monotonic() < deadline, "the place was not said"
            time.sleep(0.05)
        caller.hang_up()
    voicemail.assert_at_rest()


def test_an_announcement_of_several_words_is_refused_after_them(voicemail: VoicemailServer) -> None:
    put_tone(voicemail, "closed", 800, 0.4)
    target = "announce@;words=own.7.closed.count-3;status=486;cause=17"
    with calling(voicemail.switch, target) as caller:
        caller.invite()
        caller.wait_for(183)
        refused = caller.wait_for(486, HEARD_S)
        assert header(refused, "Reason") == "Q.850;cause=17"
        assert level_at(caller.sound()[3200:7200], 800, 8000) > 3000
    voicemail.assert_at_rest()


@pytest.mark.parametrize(
    "target", ["say@", "menu@;prompt=p", "queue@;says=7", "conference.@", "say@;words=a;keys=x"]
)
def test_what_cannot_be_read_is_not_found(voicemail: VoicemailServer, target: str) -> None:
    with calling(voicemail.switch, target) as caller:
        caller.invite()
        caller.wait_for(404)


def speak_for(callers: list[Caller], tones: list[bytes], seconds: float) -> None:
    """All of them, in real time."""
    due = time.monotonic()
    for beat in range(int(seconds * 50)):
        for caller, pcm in zip(callers, tones, strict=True):
            size = caller.codec.pcm_bytes_per_frame
            at = beat * size % (len(pcm) - size)
            caller.packet(pcm[at : at + size])
        due += 0.02
        time.sleep(max(due - time.monotonic(), 0))


def test_parties_of_a_conference_hear_each_other_in_three_codecs(voicemail: VoicemailServer) -> None:
    frequencies = (400, 1000, 1600)
    callers = [Caller(voicemail.switch, "conference.room-1@", codec=codec) for codec in (PCMA, PCMU, G722)]
    for caller in callers:
        caller.dial()
    tones = [
        tone(hz, 1.0, rate=caller.codec.sample_rate) for caller, hz in zip(callers, frequencies, strict=True)
    ]
    speak_for(callers, tones, 3.0)
    for caller, own in zip(callers, frequencies, strict=True):
        rate = caller.codec.sample_rate
        heard = caller.sound()[2 * rate : 5 * rate]
        for hz in frequencies:
            level = level_at(heard, hz, rate)
            assert (level < 300) if hz == own else (level > 5000), (caller.codec.name, hz, level)
    callers[0].hang_up()
    callers[1].hang_up()
    callers[2].wait_ended(15.0)
    for caller in callers:
        caller.close()
    voicemail.assert_at_rest()


def test_conferences_have_limits_that_are_told(make_voicemail: Callable[..., VoicemailServer]) -> None:
    port = free_port()
    server = make_voicemail(settings=f'conferences_max = 1\nmetrics = "{HOST}:{port}"')
    server.start()
    callers = [Caller(server.switch, "conference.a@", listens=False) for _ in range(8)]
    for caller in callers:
        caller.dial()
    with calling(server.switch, "conference.a@") as late, calling(server.switch, "conference.b@") as other:
        for caller in (late, other):
            caller.invite()
            caller.wait_for(486)
    page = urllib.request.urlopen(f"http://{HOST}:{port}/metrics").read().decode()
    assert 'calls_refused_total{reason="parties_max"} 1' in page
    assert 'calls_refused_total{reason="conferences_max"} 1' in page
    assert 'calls_live_by_kind{kind="conference"} 8' in page
    assert "offhook_voicemail_conference_parties 8" in page
    for caller in callers:
        caller.hang_up()
        caller.close()
    server.assert_at_rest()


def refer(server: VoicemailServer, line: str, params: str, *extra: str) -> str:
    """A REFER outside calls, as the switch sends it. Its Call-ID."""
    call_id = f"refer-{time.monotonic_ns()}"
    lines = (
        f"REFER sip:call@{HOST}:{server.port}{params} SIP/2.0",
        f"Via: SIP/2.0/UDP {server.switch.address};rport;branch=z9hG4bK{call_id}",
        "Max-Forwards: 70", "From: <sip:example.org>;tag=sw", f"To: <sip:call@{HOST}:{server.port}>",
        f"Call-ID: {call_id}", "CSeq: 1 REFER", f"Contact: <sip:switch@{server.switch.address}>",
        f"Refer-To: <sip:{line}@{server.switch.address}>", *extra, "Content-Length: 0", "", "",
    )  # fmt: skip
    server.switch.send("\r\n".join(lines))
    return call_id


QUIET = ("Refer-Sub: false", "Supported: norefersub")


def test_a_reminder_calls_a_line_and_speaks(voicemail: VoicemailServer) -> None:
    put_tone(voicemail, "reminder", 750, 1.5)
    asked = refer(voicemail, "alice", ";token=T-1;words=own.7.reminder", *QUIET)
    accepted = voicemail.switch.wait(asked, lambda text: text.startswith("SIP/2.0 202"))
    assert header(accepted, "Refer-Sub") == "false"
    invite = voicemail.switch.wait_new("INVITE")
    assert invite.startswith(f"INVITE sip:alice@{voicemail.switch.address} SIP/2.0")
    assert header(invite, "From").startswith(f"<sip:call.T-1@{voicemail.switch.address}>")
    line = Callee(voicemail.switch, invite)
    line.answer()
    line.wait_heard(750)
    line.wait_ended(HEARD_S)
    line.close()
    assert not any(text.startswith("NOTIFY") for text in voicemail.switch.messages(asked))
    voicemail.assert_at_rest()


@pytest.mark.parametrize(("key", "target"), [("", "pressed"), ("5", "pressed.5")])
def test_ring_back_goes_on_to_the_switch_after_its_words(
    voicemail: VoicemailServer, key: str, target: str
) -> None:
    put_tone(voicemail, "free", 750, 1.5)
    refer(voicemail, "alice", ";token=T-2;words=own.7.free;keys=5;then=refer", *QUIET)
    line = Callee(voicemail.switch, voicemail.switch.wait_new("INVITE"))
    line.answer()
    line.wait_heard(750)
    if key:
        line.press(key)
    assert line.wait_referred() == f"<sip:{target}@{voicemail.switch.address}>"
    line.hang_up()
    line.close()
    voicemail.assert_at_rest()


def test_a_busy_line_ends_it_and_a_subscriber_learns_that(voicemail: VoicemailServer) -> None:
    asked = refer(voicemail, "bob", ";token=T-3;words=reminder-call")
    line = Callee(voicemail.switch, voicemail.switch.wait_new("INVITE"))
    line.answer("486 Busy Here")
    over = voicemail.switch.wait(asked, lambda text: text.startswith("NOTIFY") and "SIP/2.0 486" in text)
    assert header(over, "Subscription-State").startswith("terminated")
    assert header(over, "Event") == "refer"
    begun = next(text for text in voicemail.switch.messages(asked) if text.startswith("NOTIFY"))
    assert "SIP/2.0 100" in begun
    line.close()
    voicemail.assert_at_rest()


def test_a_refer_that_asks_for_nothing_known_is_refused(voicemail: VoicemailServer) -> None:
    for params in ("", ";token=T", ";words=a", ";token=T;words=a;then=dance"):
        asked = refer(voicemail, "alice", params)
        voicemail.switch.wait(asked, lambda text: text.startswith("SIP/2.0 404"))


def test_the_server_that_stops_cancels_what_rings(voicemail: VoicemailServer) -> None:
    refer(voicemail, "alice", ";token=T;words=reminder-call", *QUIET)
    invite = voicemail.switch.wait_new("INVITE")
    voicemail.switch.send(response_to(invite, "180 Ringing"))
    process = voicemail.process
    assert process is not None
    time.sleep(0.2)
    process.terminate()
    cancel = voicemail.switch.wait_new("CANCEL")
    voicemail.switch.send(response_to(cancel))
    voicemail.switch.send(response_to(invite, "487 Request Terminated"))
    process.wait(20)
