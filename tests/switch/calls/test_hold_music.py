"""Who hears music while a call is on hold, and when it ends."""

import pytest

from media.relay.messages import Play, Played, Stop
from switch.calls.hold_music import HOLD_MUSIC
from switch.conf_media import Media
from tests.switch.calls.test_browser_calls import Bench as BrowserBench
from tests.switch.house import ANSWER, OFFER, House, Phone, make_account, make_conf, make_line, make_trunk
from tests.switch.relay.relay_stub import RelayStub
from tests.switch.voicemail_stand_in import ALL, StandIn, to_voicemail, voicemail_conf

SDP = "application/sdp"
UNSPECIFIED = b"c=IN IP4 0.0.0.0"


class Bench:
    """Alice has called Bob, or a carrier's customer."""

    def __init__(
        self, *, hold_music: str = "music", dialled: str = "01632960002", answers: str = "bob"
    ) -> None:
        carrier = make_trunk("carrier", "192.0.2.50")
        self.house = House(
            conf=make_conf(trunks=[carrier], media=Media(hold_music=hold_music)),
            lines=[make_line("alice"), make_line("bob", 2)],
            accounts=[make_account(1), make_account(2)],
            numbers={"+441632960001": "alice", "+441632960002": "bob"},
        )
        self.relay = RelayStub(self.house)
        self.relay.arrive()
        self.alice = self.house.phone("alice", "192.0.2.10")
        self.alice.register()
        if answers == "bob":
            self.bob = self.house.phone("bob", "192.0.2.11")
            self.bob.register()
        else:
            self.bob = self.house.phone("carrier", "192.0.2.50")
        self.alice.invite(dialled)
        self.house.run(2)
        # The callee's endpoint is opened first: for the INVITE.
        self.bobs_end, self.alices_end = sorted(self.relay.opened)

    def offer(self, phone: Phone, direction: str, answer: str, *, method: str = "INVITE") -> None:
        """One end offers, the other answers, in these directions; "" says nothing, "0.0.0.0" is the older way."""
        other = self.bob if phone is self.alice else self.alice
        other.answer_body = self.body(other, answer)
        phone.send_in_dialog(method, self.body(phone, direction), SDP)
        self.house.run(2)

    def body(self, phone: Phone, direction: str) -> bytes:
        body = OFFER if phone is self.alice else ANSWER
        if direction == "0.0.0.0":
            return body.replace(b"c=IN IP4 192.0.2.9", UNSPECIFIED)
        return body + f"a={direction}\r\n".encode() if direction else body

    @property
    def playing(self) -> set[int]:
        """The ends that hear music, from what the relay was told."""
        self.relay.take()
        heard: set[int] = set()
        for message in self.relay.said:
            if isinstance(message, Play):
                assert (message.name, message.repeats) == (HOLD_MUSIC, 0)
                heard.add(message.endpoint)
            elif isinstance(message, Stop):
                heard.discard(message.endpoint)
        return heard


@pytest.mark.parametrize(
    ("offer", "answer", "hears"),
    [
        ("sendonly", "recvonly", True),
        ("sendonly", "", True),  # a sloppy answer, but it listens
        ("0.0.0.0", "", True),
        ("0.0.0.0", "recvonly", True),
        ("inactive", "inactive", False),
        ("inactive", "recvonly", True),
        ("sendonly", "inactive", False),
        ("sendonly", "0.0.0.0", False),
        ("", "", False),
        ("recvonly", "sendonly", False),
    ],
)
@pytest.mark.parametrize("holder", ["alice", "bob"])
def test_the_held_end_hears_music_if_it_listens(holder: str, offer: str, answer: str, hears: bool) -> None:
    bench = Bench()
    phone, held_end = (bench.alice, bench.bobs_end) if holder == "alice" else (bench.bob, bench.alices_end)
    bench.offer(phone, offer, answer)
    assert bench.playing == ({held_end} if hears else set())


def test_an_answer_that_only_says_what_it_was_asked_holds_nobody_unless_it_did_before() -> None:
    bench = Bench()
    bench.offer(bench.bob, "recvonly", "sendonly")
    assert bench.playing == set()
    bench.offer(bench.bob, "sendrecv", "sendrecv")
    bench.offer(bench.alice, "sendonly", "recvonly")
    bench.offer(bench.bob, "recvonly", "sendonly")  # the held end says once more what it had answered
    assert bench.playing == {bench.bobs_end}


@pytest.mark.parametrize("by", ["INVITE", "UPDATE"])
def test_until_it_is_resumed(by: str) -> None:
    bench = Bench()
    bench.alice.answer_headers = bench.bob.answer_headers = [("allow", "INVITE, UPDATE")]
    bench.offer(bench.alice, "sendonly", "recvonly", method=by)
    bench.offer(bench.alice, "sendrecv", "sendrecv", method=by)
    assert bench.playing == set()
    assert any(isinstance(message, Stop) for message in bench.relay.said)


def test_two_ends_that_hold_each_other_hear_nothing_and_the_first_to_resume_waits_with_music() -> None:
    bench = Bench()
    bench.offer(bench.alice, "sendonly", "recvonly")
    bench.offer(bench.bob, "sendonly", "inactive")
    assert bench.playing == set()
    bench.offer(bench.bob, "sendrecv", "sendonly")
    assert bench.playing == {bench.bobs_end}
    bench.offer(bench.alice, "sendrecv", "sendrecv")
    assert bench.playing == set()


def test_a_hold_that_was_refused_is_none() -> None:
    bench = Bench()
    bench.bob.reinvite_status = 488
    bench.offer(bench.alice, "sendonly", "recvonly")
    assert bench.playing == set()


def refer(bench: Bench, target: str) -> None:
    dialog = bench.bob.dialogs[-1]
    request = dialog.create_request("REFER", contact=f"<{bench.bob.contact}>")
    request.headers.add("refer-to", target)
    bench.bob.stack.send_request(request, bench.bob.flow, bench.bob, bench.house.clock.now)
    bench.house.run(2)


def with_carol(answer: int) -> Bench:
    """Bob has put Alice on hold and sends her on to Carol, whose phone rings."""
    bench = Bench()
    bench.house.exchange.books.lines["carol"] = make_line("carol", 2)
    carol = bench.house.phone("carol", "192.0.2.12")
    carol.register()
    carol.answer, carol.answer_after_s = answer, 4.0
    bench.offer(bench.bob, "sendonly", "recvonly")
    refer(bench, "<sip:carol@example.com>")
    bench.relay.take()
    last = [message for message in bench.relay.said if isinstance(message, Play)][-1]
    assert (last.endpoint, last.name) == (bench.alices_end, "ringing")
    bench.relay.said.clear()
    return bench


def test_who_is_held_has_his_music_back_when_a_transfer_comes_to_nothing() -> None:
    bench = with_carol(486)
    bench.house.run(5)
    assert bench.playing == {bench.alices_end}
    bench.alice.hang_up()
    bench.house.run(2)
    bench.house.assert_clean()


def test_who_is_held_hears_no_music_after_a_transfer() -> None:
    bench = with_carol(200)
    bench.house.run(5)
    assert bench.playing == set()
    assert [message.endpoint for message in bench.relay.said if isinstance(message, Play)] == []
    assert bench.alices_end in [message.endpoint for message in bench.relay.said if isinstance(message, Stop)]


def test_nothing_plays_after_the_call() -> None:
    bench = Bench()
    bench.offer(bench.alice, "sendonly", "recvonly")
    bench.alice.hang_up()
    bench.house.run(40)
    assert sorted(bench.relay.closed) == [bench.bobs_end, bench.alices_end]
    bench.house.assert_clean()


def test_a_loudspeaker_that_only_hears_has_nobody_on_hold() -> None:
    """Alice's phone has only ever spoken: no music over what she says."""
    bench = Bench()
    bench.alice.hang_up()
    bench.house.run(40)
    bench.relay.said.clear()
    bench.bob.answer_body = bench.body(bench.bob, "recvonly")
    bench.alice.invite("01632960002", body=bench.body(bench.alice, "sendonly"))
    bench.house.run(2)
    bench.offer(bench.alice, "sendonly", "recvonly")
    assert bench.playing == set()


def test_no_music_where_the_operator_wants_none() -> None:
    bench = Bench(hold_music="")
    bench.offer(bench.alice, "sendonly", "recvonly")
    assert bench.playing == set()


@pytest.mark.parametrize(("direction", "hears"), [("sendonly", False), ("0.0.0.0", True)])
def test_a_carriers_end_that_goes_on_to_speak_is_heard(direction: str, hears: bool) -> None:
    bench = Bench(dialled="01632960123", answers="carrier")
    bench.offer(bench.bob, direction, "recvonly")
    assert bench.playing == ({bench.alices_end} if hears else set())
    bench.offer(bench.bob, "", "")
    bench.offer(bench.alice, "sendonly", "recvonly")
    assert bench.playing == {bench.bobs_end}


def test_an_emergency_call_is_left_alone() -> None:
    bench = Bench(dialled="999", answers="carrier")
    bench.offer(bench.alice, "sendonly", "recvonly")
    assert bench.playing == set()


def test_voicemail_records_no_music() -> None:
    house = House(
        conf=voicemail_conf(),
        lines=[make_line("alice"), make_line("bob", diverts=to_voicemail(ALL))],
        numbers={"+441632960001": "alice", "+441632960002": "bob"},
    )
    relay = RelayStub(house)
    relay.arrive()
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    voicemail = StandIn(house)
    alice.invite("01632960002")
    house.run(2)
    voicemail.answer_body = ANSWER + b"a=recvonly\r\n"
    alice.send_in_dialog("INVITE", OFFER + b"a=sendonly\r\n", SDP)
    house.run(2)
    assert voicemail.requests_of("INVITE")[-1].body.endswith(b"a=sendonly\r\n")
    assert not [message for message in relay.take() if isinstance(message, Play)]


def test_pips_come_between_and_the_music_goes_on() -> None:
    bench = Bench()
    bench.offer(bench.bob, "sendonly", "recvonly")
    [call] = bench.house.exchange.board.calls.values()
    sound = call.caller_leg.media.sound
    bench.relay.take()
    sound.play("credit-pips", repeats=3)
    now = bench.house.clock.now
    bench.relay.relay.hear(Played(bench.alices_end, 1, False), now)  # the music, for the pips
    bench.relay.relay.hear(Played(bench.alices_end, 0, True), now)
    names = [message.name for message in bench.relay.take() if isinstance(message, Play)]
    assert names == ["credit-pips", HOLD_MUSIC]


def test_a_new_relay_plays_on() -> None:
    bench = Bench()
    bench.offer(bench.alice, "sendonly", "recvonly")
    bench.relay.relay.lost()
    bench.relay.said.clear()
    bench.relay.arrive("relay-2")
    assert bench.playing == {bench.bobs_end}


def test_a_browser_is_held_and_holds_like_any_phone() -> None:
    bench = BrowserBench()
    bench.alice_calls()
    callee, caller = sorted(bench.relay.opened)
    held = ANSWER + b"a=sendonly\r\n"
    bench.alice.answer_body = bench.alice.answer_body.replace(b"a=sendrecv", b"a=recvonly")
    bench.bob.send_in_dialog("INVITE", held, SDP)
    bench.house.run(2)
    plays = [message.endpoint for message in bench.relay.take() if isinstance(message, Play)]
    assert plays == [caller]
    assert callee != caller
