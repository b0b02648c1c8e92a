"""The switch, the relay or voicemail is killed in the middle of calls, with phones that hear through the relay only.

Each phone says a tone of its own and is wrong about its address, as behind NAT. What they heard is judged by their own
recordings. On an exchange of their own, on which a call between lines costs something and five silent seconds count.
"""

import contextlib
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from demo.exchange import ExchangeError
from demo.free_ports import free_port
from demo.phone import Phone, PhoneCall
from demo.phone_messages import CallState, MailboxChanged, MediaState
from demo.sound import level_dbfs, longest_stretch, read_growing_recording, read_recording
from offhook.control_client import ask
from offhook.exit_codes import CommandError
from tests.wire.phones.calling import hang_up, received, sent, talk
from tests.wire.phones.conftest import PhoneStarter
from tests.wire.phones.heard import heard, recorded_s
from tests.wire.phones.records import Record, answered_and_ended, records_of
from tests.wire.phones.town import Town, kill_part

# From 192.0.2.0/24 (RFC 5737), where nobody is.
NOWHERE = "192.0.2.77"
NUMBER_OF = {
    "alice": "01632960001",
    "bob": "01632960002",
    "carol": "01632960003",
    "dave": "01632960004",
}
TONE_OF = {"alice": 700, "bob": 1100, "carol": 440, "dave": 1500}
ACCESS_NUMBER = "01632960099"
PIN = "4821"
SILENCE_S = 5
ON_NET_MICROS = 60_000  # a minute
CONNECT_MICROS = 10_000

# A packet is 20 ms; the jitter buffer and the machine take their part of this.
HOLE_MAX_S = 0.3
# Until the supervisor has started the relay again, and the switch has told it of its calls: a Python process starts in
# half a second on an idle machine.
RELAY_GAP_MAX_S = 5.0
# The switch writes where its calls are once a second.
HEARTBEAT_S = 1.0
# The machine has more to do than this test.
SLACK_S = 1.5
# The sound of a phone's last moments is in the buffer of its file.
TAIL_S = 0.5
# Two questions without an answer, or the one that a new voicemail server answers; and 64*T1 for one that stays away.
VOICEMAIL_MISSED_S = 20.0
PROBES_FAIL_S = 60.0
BEEP_S = 1.0
ANNOUNCEMENT_S = 30.0


class KillTown(Town):
    """With voicemail, mailboxes reached from elsewhere, and calls between lines that cost 6p a minute and 1p."""

    def __init__(self, directory: Path) -> None:
        main = f"""
[media]
listen = ["127.0.0.1"]
silence_timeout_s = {SILENCE_S}

[voicemail]
sip = "127.0.0.1:{free_port()}"
metrics = ""
access_numbers = ["{ACCESS_NUMBER}"]
"""
        super().__init__(directory, main=main)
        with (self.conf / "tariffs" / "retail.csv").open("a") as file:
            file.write("on-net,Other lines,0.01,0.06,1,1,2020-01-01,\n")

    def wait_for_voicemail(self) -> None:
        self.wait_for_status(VOICEMAIL_MISSED_S, voicemail="connected")  # type: ignore[arg-type]

    def streams(self) -> list[dict[str, Any]]:
        """What `offhook relay --json` prints, the caller's first."""
        rows: list[dict[str, Any]] = ask(self.data, "relay")
        return sorted(rows, key=lambda row: (row["call_id"], row["leg"]))

    def relay_is_back(self, killed: int) -> bool:
        try:
            return self.part_id("media.relay") != killed and self.status()["relay"].startswith("connected")
        except (CommandError, ExchangeError):
            return False

    def voicemail_is_back(self, killed: int) -> bool:
        try:
            return self.part_id("voicemail") != killed
        except ExchangeError:
            return False

    def ports_in_use(self) -> int:
        """Pairs that are neither free nor held ready for new calls, by the metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        free, most, granted = (
            int(float(text.partition(f'offhook_relay_ports{{state="{state}"}} ')[2].partition("\n")[0]))
            for state in ("free", "max", "granted")
        )
        return most - free - granted

    def messages(self, user: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.run_json("voicemail", "list", user)
        return rows


class Ear(NamedTuple):
    """A phone and what it hears."""

    phone: Phone
    recording: Path


@pytest.fixture(scope="module")
def kill_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillTown]:
    town = KillTown(tmp_path_factory.mktemp("kills"))
    try:
        town.start()
        town.populate()
        town.run("divert", "set", "bob", "--ring-s", "5")
        town.run("voicemail", "pin", "bob", "--pin-stdin", stdin=PIN + "\n")
        town.wait_for_voicemail()
        yield town
    finally:
        town.stop()


@pytest.fixture
def town(kill_town: KillTown) -> Iterator[KillTown]:
    kill_town.check_calls_over()
    kill_town.wait_for_voicemail()
    yield kill_town
    kill_town.check_calls_over()


Starter = Callable[..., Ear]


@pytest.fixture
def ear(town: KillTown, phone: PhoneStarter, tmp_path: Path) -> Starter:
    """A registered phone of a line, with its tone and an ear."""

    def start(user: str, **settings: object) -> Ear:
        recording = tmp_path / f"{user}-{time.monotonic_ns()}.wav"
        started = phone(
            town.settings(
                user,
                tone_hz=TONE_OF.get(user, 440),
                recording=str(recording),
                claimed_media_host=NOWHERE,
                **settings,
            )
        )
        started.register()
        return Ear(started, recording)

    return start


def connect(town: KillTown, caller: Ear, callee: Ear) -> tuple[PhoneCall, PhoneCall]:
    mark = callee.phone.mark()
    call = caller.phone.dial(town.uri(NUMBER_OF[callee.phone.settings.user]))
    theirs = callee.phone.expect_call(after=mark)
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    theirs.wait_for(CallState.CONFIRMED)
    call.wait_for_media(MediaState.ACTIVE)
    return call, theirs


def check_paid(caller: Record) -> None:
    """What the call lasted is what it costs."""
    assert caller.rate_prefix == "on-net"
    assert caller.billed_s == -(-caller.duration_ms // 1000)
    assert caller.cost_micros == CONNECT_MICROS + caller.billed_s * ON_NET_MICROS // 60


def media_of(town: KillTown, call: Record) -> list[dict[str, Any]]:
    """The figures of the caller's and the callee's sound; they follow the CDRs."""
    found: list[dict[str, Any]] = []

    def has_come() -> bool:
        rows = town.run_json("cdr", "list", "--call-id", call.call_id)
        found[:] = [figures for row in sorted(rows, key=lambda row: row["leg"]) for figures in row["media"]]
        return len(found) == 2

    town.wait_until("figures of both ends", has_come)
    return found


def says_at(phone: Phone, beginning: str) -> str:
    """Where a phone really hears: the port of its description is right, only the host is not."""
    [*_, message] = [seen for seen in sent(phone, beginning) if "m=audio" in seen.text]
    port = message.text.partition("m=audio ")[2].split(" ")[0]
    assert f"c=IN IP4 {NOWHERE}" in message.text
    return f"127.0.0.1:{port}"


def test_the_figures_of_two_phones_are_right_live_and_on_record(town: KillTown, ear: Starter) -> None:
    alice, bob = ear("alice"), ear("bob")
    call, theirs = connect(town, alice, bob)
    places = says_at(alice.phone, "INVITE"), says_at(bob.phone, "SIP/2.0 200")
    codec = call.count_audio().codec
    talk(5.0)
    first, first_at = town.streams(), time.monotonic()
    talk(4.0)
    second, second_at = town.streams(), time.monotonic()
    assert [row["peer"] for row in second] == list(places)
    for before, after in zip(first, second, strict=True):
        rate = (after["packets"] - before["packets"]) / (second_at - first_at)
        assert 40 < rate < 60
        assert after["codec"] == codec
        assert after["lost"] == 0
        assert after["mos"] > 400
    hang_up(call, theirs)
    caller, callee = records_of(town, call.sip_call_id, legs=2)
    assert caller.call_id == second[0]["call_id"]
    for figures, place in zip(media_of(town, caller), places, strict=True):
        expected = caller.duration_ms / 20
        assert 0.85 * expected < figures["packets"] < 1.1 * expected + 10
        assert figures["packets_sent"] > 0.85 * expected
        assert (figures["codec"], figures["lost"], figures["duplicates"]) == (codec, 0, 0)
        assert figures["mos"] > 400
        assert figures["remote_address"] == place
    check_paid(caller)
    assert callee.cost_micros == 0
    assert town.streams() == []


def test_a_killed_relay_leaves_a_gap_in_the_sound_and_nothing_else(town: KillTown, ear: Starter) -> None:
    alice, bob = ear("alice"), ear("bob")
    call, theirs = connect(town, alice, bob)
    talk(3.0)
    kill_part(town, "media.relay", town.relay_is_back)
    assert [live["state"] for live in town.live_calls()] == ["up"]
    talk(4.0)
    for listener, speaker in ((alice, bob), (bob, alice)):
        found = heard(listener.recording, TONE_OF[speaker.phone.name])
        print(
            f"{listener.phone.name} heard nothing for {found.longest_hole:.2f} s while the relay was killed"
        )
        assert 0.05 < found.longest_hole < RELAY_GAP_MAX_S
        assert found.recorded - found.last < TAIL_S, "silent at the end"
        after = heard(
            listener.recording, TONE_OF[speaker.phone.name], since=found.hole_at + found.longest_hole + 0.1
        )
        assert after.longest_hole < HOLE_MAX_S
    assert len(town.streams()) == 2
    hang_up(call, theirs)
    caller, callee = records_of(town, call.sip_call_id, legs=2)
    assert (caller.outcome, caller.ended_by, caller.is_recovered) == ("answered", "caller", False)
    answered, ended = answered_and_ended(call)
    assert abs(caller.duration_ms / 1000 - (ended - answered)) < 0.5
    check_paid(caller)
    assert callee.outcome == "answered"
    for figures in media_of(town, caller):
        assert figures["packets"] > 0
    assert town.streams() == []


def test_the_sound_goes_on_while_the_switch_is_away_and_ends_with_the_call(
    town: KillTown, ear: Starter
) -> None:
    alice, bob = ear("alice"), ear("bob")
    call, theirs = connect(town, alice, bob)
    talk(3.0)
    switch = town.part_id("switch")
    with supervisor_standing_still(town):
        os.kill(switch, signal.SIGKILL)
        killed_at = time.time()
        talk(4.0)
        marks = {each: recorded_s(each.recording) for each in (alice, bob)}
    town.wait_until("new switch", lambda: town.is_serving_without(switch))
    for each in (call, theirs):
        each.wait_ended()
        assert received(each.phone, "BYE", sip_call_id=each.sip_call_id)
    ends = {each: recorded_s(each.recording) for each in (alice, bob)}
    check_new_call_has_sound(town, alice, bob)  # at once
    for listener, speaker in ((alice, bob), (bob, alice)):
        found = heard(listener.recording, TONE_OF[speaker.phone.name], until=ends[listener])
        print(f"{listener.phone.name} heard nothing for {found.longest_hole:.2f} s at most without a switch")
        assert found.longest_hole < HOLE_MAX_S
        assert found.last >= marks[listener] - TAIL_S
        assert found.seconds > 3.0 + 4.0 - SLACK_S
    caller, callee = records_of(town, call.sip_call_id, legs=2)
    assert (caller.outcome, caller.is_recovered, callee.is_recovered) == ("answered", True, True)
    answered, _ = answered_and_ended(call)
    unpaid_s = killed_at - answered - caller.duration_ms / 1000
    assert -0.1 < unpaid_s < HEARTBEAT_S + SLACK_S
    check_paid(caller)
    town.wait_until("an empty relay", lambda: town.streams() == [])
    town.wait_until("free ports", lambda: town.streams() == [] and town.ports_in_use() == 0)


def test_messages_survive_a_killed_voicemail_and_its_callers_are_not_left_in_silence(
    town: KillTown, ear: Starter
) -> None:
    alice, carol, dave = ear("alice"), ear("carol"), ear("dave")
    beside, at_dave = connect(town, carol, dave)
    call = leave_message(town, alice)
    talk(4.0)
    killed_at = time.time()
    kill_part(town, "voicemail", town.voicemail_is_back)
    call.wait_ended(timeout_s=VOICEMAIL_MISSED_S)
    print(f"the caller's message ended {time.time() - killed_at:.1f} s after voicemail was killed")
    assert received(alice.phone, "BYE", sip_call_id=call.sip_call_id)
    caller, message = records_of(town, call.sip_call_id, legs=2)
    check_charged_until(caller, call, killed_at)
    assert message.leg_reason == "divert_unreachable"
    town.wait_for_voicemail()
    town.wait_until("the message", lambda: len(town.messages("bob")) == 1)
    [kept] = town.messages("bob")
    assert kept["duration_ms"] > 2_500

    bob = ear("bob")
    listening = bob.phone.dial(town.uri("1571"))
    listening.wait_for(CallState.CONFIRMED)
    talk(1.0)
    listening.press("1")
    talk(1.5)
    killed_at = time.time()
    kill_part(town, "voicemail", town.voicemail_is_back)
    listening.wait_ended(timeout_s=VOICEMAIL_MISSED_S)
    print(f"the listener's call ended {time.time() - killed_at:.1f} s after voicemail was killed")
    caller, _ = records_of(town, listening.sip_call_id, legs=2)
    assert (caller.outcome, caller.cost_micros) == ("answered", 0)
    town.wait_for_voicemail()
    assert [each["id"] for each in town.messages("bob")] == [kept["id"]]

    again = bob.phone.dial(town.uri("1571"))
    again.wait_for(CallState.CONFIRMED)
    again.hang_up()
    again.wait_ended()
    hang_up(beside, at_dave)
    for listener, speaker in ((carol, dave), (dave, carol)):
        found = heard(listener.recording, TONE_OF[speaker.phone.name])
        assert found.longest_hole < HOLE_MAX_S
        assert found.recorded - found.last < TAIL_S
    town.run("voicemail", "delete", "bob", kept["id"])


def test_two_phones_that_vanish_are_noticed_by_their_silence_and_billed_to_the_last_packet(
    town: KillTown, ear: Starter
) -> None:
    alice, bob = ear("alice"), ear("bob")
    call, _ = connect(town, alice, bob)
    talk(4.0)
    answered_at, sip_call_id = answer_of(call), call.sip_call_id
    for each in (alice, bob):
        each.phone.kill()
    killed_at = time.time()
    town.wait_for_status(PROBES_FAIL_S, live_calls=0)
    caller, callee = records_of(town, sip_call_id, legs=2)
    assert (caller.outcome, caller.ended_by, callee.outcome) == ("answered", "exchange", "answered")
    off_s = caller.duration_ms / 1000 - (killed_at - answered_at)
    print(f"billed {off_s:+.2f} s beside the last packet")
    assert abs(off_s) < 2.0
    check_paid(caller)


def test_a_message_is_left_the_lamp_lights_and_it_is_heard_from_another_line_with_the_pin(
    town: KillTown, ear: Starter
) -> None:
    alice, bob = ear("alice"), ear("bob", watches_mailbox=True)
    lamp, mark = bob.phone.mark(), bob.phone.mark()
    call = alice.phone.dial(town.uri(NUMBER_OF["bob"]))
    bob.phone.expect_call(after=mark).answer(486)
    call.wait_for(CallState.CONFIRMED)
    call.press("#")
    talk(BEEP_S + 3.0)
    call.press("#")
    call.wait_ended(timeout_s=ANNOUNCEMENT_S)
    bob.phone.wait_for(
        MailboxChanged, "the lamp", lambda seen: "Messages-Waiting: yes" in seen.text, after=lamp
    )
    [message] = town.messages("bob")
    file = town.directory / "kept.wav"
    town.run("voicemail", "export", "bob", message["id"], str(file))
    kept = longest_stretch(*read_recording(file), TONE_OF["alice"])
    assert kept.seconds > 2.0

    carol, lamp = ear("carol"), bob.phone.mark()
    listening = carol.phone.dial(town.uri(ACCESS_NUMBER))
    listening.wait_for(CallState.CONFIRMED)
    talk(1.0)
    for keys in (f"{NUMBER_OF['bob']}#", f"{PIN}#", "1"):
        listening.press(keys)
        talk(0.2 * len(keys) + 1.0)
    deadline = time.monotonic() + ANNOUNCEMENT_S
    again = kept
    while time.monotonic() < deadline:
        again = longest_stretch(*read_growing_recording(carol.recording), TONE_OF["alice"])
        if again.seconds >= kept.seconds - 0.1:
            break
        talk(0.3)
    assert abs(again.seconds - kept.seconds) <= 0.1
    assert abs(again.level_dbfs - kept.level_dbfs) <= 1.0
    listening.press("3")
    talk(1.0)
    listening.hang_up()
    listening.wait_ended()
    bob.phone.wait_for(
        MailboxChanged, "no lamp", lambda seen: "Messages-Waiting: no" in seen.text, after=lamp
    )
    assert town.messages("bob") == []
    caller, row = records_of(town, listening.sip_call_id, legs=2)
    assert (caller.cost_micros, row.leg_reason) == (0, "retrieval")


@pytest.mark.parametrize(("dialled", "status"), [("0500123456", 404), (NUMBER_OF["bob"], 402)])
def test_why_a_call_is_refused_is_heard_before_its_code(
    town: KillTown, ear: Starter, dialled: str, status: int
) -> None:
    if status == 402:
        town.add_subscriber("erin", account="poor", credit="0.00")
    caller = ear("alice" if status == 404 else "erin")
    call = caller.phone.dial(town.uri(dialled))
    assert call.wait_for(CallState.EARLY).status == 183
    assert call.wait_ended(timeout_s=ANNOUNCEMENT_S).status == status
    samples, rate = read_growing_recording(caller.recording)
    assert len(samples) > rate, "nothing was recorded"
    assert level_dbfs(samples) > -40
    row = records_of(town, call.sip_call_id, legs=2)[0]
    assert (row.sip_status, row.cost_micros) == (status, 0)


def leave_message(town: KillTown, caller: Ear) -> PhoneCall:
    """For bob, whose phone is not there; returns at the beep."""
    call = caller.phone.dial(town.uri(NUMBER_OF["bob"]))
    call.wait_for(CallState.CONFIRMED)
    call.press("#")
    talk(BEEP_S)
    return call


def check_charged_until(caller: Record, call: PhoneCall, killed_at: float) -> None:
    """Voicemail was last heard a moment before it was killed, or a moment after the answer."""
    answered, _ = answered_and_ended(call)
    assert (caller.outcome, caller.ended_by) == ("answered", "exchange")
    unpaid_s = killed_at - answered - caller.duration_ms / 1000
    assert -0.1 < unpaid_s < 2.0 + SLACK_S
    check_paid(caller)


def check_new_call_has_sound(town: KillTown, alice: Ear, bob: Ear) -> None:
    begins = {each: recorded_s(each.recording) for each in (alice, bob)}
    call, theirs = connect(town, alice, bob)
    talk(3.0)
    for listener, speaker in ((alice, bob), (bob, alice)):
        assert heard(listener.recording, TONE_OF[speaker.phone.name], since=begins[listener]).seconds > 1.0
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)


def answer_of(call: PhoneCall) -> float:
    """When the phone was told that it was answered."""
    return call.wait_for(CallState.CONFIRMED).at


@contextlib.contextmanager
def supervisor_standing_still(town: KillTown) -> Iterator[None]:
    """Nothing is started again meanwhile."""
    os.kill(town.process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(town.process_id, signal.SIGCONT)
