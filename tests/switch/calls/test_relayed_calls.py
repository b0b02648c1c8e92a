"""Calls whose sound goes through the relay: what each end is told, what the relay is told, and what is on record."""

import pytest

from media.course import read_course
from media.relay.messages import Figures, Play
from switch.conf_media import Media
from switch.sdp.description import parse_sdp
from switch.sdp.relayed import hearings
from switch.watch_metrics import watch_metrics
from tests.switch.house import ANSWER, OFFER, House, Phone, make_account, make_conf, make_line, make_trunk
from tests.switch.relay.relay_stub import HOST, PORTS, RelayStub

SDP = "application/sdp"


def make_house(**settings: object) -> House:
    return House(
        lines=[make_line("alice"), make_line("bob", 2)],
        accounts=[make_account(1), make_account(2)],
        numbers={"+441632960001": "alice", "+441632960002": "bob"},
        **settings,
    )


def pair(house: House) -> tuple[Phone, Phone]:
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.11")
    alice.register()
    bob.register()
    return alice, bob


def talking() -> tuple[House, RelayStub, Phone, Phone]:
    house = make_house()
    stub = RelayStub(house)
    stub.arrive()
    alice, bob = pair(house)
    alice.invite("01632960002")
    house.run(2)
    return house, stub, alice, bob


def place(body: bytes) -> tuple[str, int]:
    """Where the first medium of a description is heard."""
    hearing = hearings(parse_sdp(body))[0]
    assert hearing is not None
    return hearing.host, hearing.port


def test_each_end_hears_only_of_the_relay() -> None:
    house, stub, alice, bob = talking()
    assert place(bob.requests_of("INVITE")[0].body) == (HOST, PORTS[0])
    assert place(alice.responses[-1].body) == (HOST, PORTS[1])
    callee, caller = sorted(stub.opened)
    assert [stub.opened[each].label.split("/", 1)[1] for each in (callee, caller)] == ["1/0", "0/0"]
    assert (stub.aims[caller].host, stub.aims[caller].port) == place(OFFER)
    assert (stub.aims[callee].host, stub.aims[callee].port) == place(ANSWER)
    assert stub.bridges == [(caller, callee)]
    # The phone's media is said to be at 192.0.2.9, its signalling comes from .10: both may speak, that one first.
    assert stub.aims[caller].sources == ("192.0.2.9", "192.0.2.10")
    assert [each.name for each in stub.aims[caller].formats] == ["PCMA"]
    alice.hang_up()
    house.run(40)
    assert sorted(stub.closed) == [callee, caller]
    house.assert_clean()


def test_the_figures_of_both_ends_are_on_record_after_the_call() -> None:
    house, stub, alice, _ = talking()
    alice.hang_up()
    house.run(1)
    for number in stub.closed:
        stub.count(number, packets=100 + number)
    records = sorted(house.journal.media(), key=lambda each: each.leg)
    [row, *_] = house.journal.cdrs()
    assert [(each.call_id, each.leg, each.medium) for each in records] == [
        (row.call_id, 0, 0),
        (row.call_id, 1, 0),
    ]
    callee, caller = sorted(stub.opened)
    assert [each.packets for each in records] == [100 + caller, 100 + callee]
    assert (records[0].mos, records[0].dropped, records[0].remote_address) == (
        441,
        "stranger=2",
        "192.0.2.10:4000",
    )
    assert [(each.packets, each.lost) for each in read_course(records[0].course)] == [(50, 0), (47, 3)]


def test_a_reoffer_with_another_port_looks_for_the_peer_anew_and_keeps_its_endpoint() -> None:
    house, stub, alice, bob = talking()
    caller = max(stub.opened)
    before = stub.aims[caller].version
    alice.send_in_dialog("INVITE", OFFER.replace(b"4000", b"4100"), SDP)
    house.run(2)
    assert stub.aims[caller].version == before + 1
    assert stub.aims[caller].port == 4100
    assert len(stub.opened) == 2
    assert place(bob.requests_of("INVITE")[-1].body) == (HOST, PORTS[0])


def test_a_hold_keeps_the_peer_and_says_that_silence_means_nothing() -> None:
    house, stub, alice, bob = talking()
    caller = max(stub.opened)
    before = stub.aims[caller]
    alice.send_in_dialog("INVITE", OFFER + b"a=sendonly\r\n", SDP)
    house.run(2)
    assert stub.aims[caller].version == before.version
    assert stub.aims[caller].may_be_silent
    assert b"a=sendonly\r\n" in bob.requests_of("INVITE")[-1].body


def test_the_version_of_a_description_grows_only_when_it_changes() -> None:
    house, _, alice, bob = talking()

    def origins() -> list[tuple[int, int]]:
        found = [parse_sdp(request.body).origin for request in bob.requests_of("INVITE")]
        return [(origin.session_id, origin.version) for origin in found if origin is not None]

    alice.send_in_dialog("INVITE", OFFER + b"a=sendonly\r\n", SDP)
    house.run(2)
    alice.send_in_dialog("INVITE", OFFER.replace(b"o=- 1 1", b"o=- 1 3"), SDP)
    house.run(2)
    alice.send_in_dialog("INVITE", OFFER.replace(b"o=- 1 1", b"o=- 1 4"), SDP)
    house.run(2)
    [first, held, back, same] = origins()
    assert len({session for session, _ in (first, held, back, same)}) == 1
    assert [version for _, version in (first, held, back, same)] == [1, 2, 3, 3]


def test_a_late_offer_goes_by_the_relay_both_ways() -> None:
    house = make_house()
    stub = RelayStub(house)
    stub.arrive()
    alice, bob = pair(house)
    alice.acks_answers = False
    bob.answer_body = OFFER.replace(b"4000", b"5000")
    alice.invite("01632960002", body=b"")
    house.run(1)
    assert place(alice.responses[-1].body) == (HOST, PORTS[0])
    ack = alice.dialogs[-1].create_ack(alice.invites[-1].request.cseq.number)
    ack.body = ANSWER.replace(b"5000", b"4000")
    ack.headers.add("content-type", SDP)
    alice.stack.send_ack(ack, alice.flow)
    house.run(1)
    assert place(bob.acks[-1].body) == (HOST, PORTS[1])
    caller, callee = sorted(stub.opened)
    assert set(stub.bridges) <= {(caller, callee), (callee, caller)}
    assert stub.bridges
    assert (stub.aims[caller].port, stub.aims[callee].port) == (4000, 5000)


def test_early_media_crosses_and_the_answer_repeats_it() -> None:
    house = make_house()
    stub = RelayStub(house)
    stub.arrive()
    alice, bob = pair(house)
    bob.ring_status, bob.ring_body = 183, ANSWER
    alice.invite("01632960002")
    house.run(2)
    early = next(response for response in alice.responses if response.status == 183)
    assert early.body == alice.responses[-1].body
    assert len(stub.opened) == 2


def test_the_next_carrier_has_an_endpoint_of_its_own_and_the_first_one_is_closed() -> None:
    trunks = [make_trunk("one", "192.0.2.50"), make_trunk("two", "192.0.2.51")]
    house = House(conf=make_conf(trunks=trunks), lines=[make_line("alice")], numbers={})
    stub = RelayStub(house)
    stub.arrive()
    alice = house.phone("alice", "192.0.2.10")
    one, two = house.phone("one", "192.0.2.50"), house.phone("two", "192.0.2.51")
    one.answer, one.answer_after_s, one.ring_status = 503, 0.1, 0
    alice.invite("01632960123")
    house.run(2)
    first, second, caller = sorted(stub.opened)
    assert stub.closed == [first]
    assert stub.bridges == [(caller, second)]
    assert place(two.requests_of("INVITE")[0].body) == (HOST, PORTS[1])
    alice.hang_up()
    house.run(40)
    assert sorted(stub.closed) == [first, second, caller]


def test_without_the_relay_descriptions_cross_as_they_are() -> None:
    house = make_house()
    stub = RelayStub(house)
    alice, bob = pair(house)
    alice.invite("01632960002")
    house.run(2)
    assert bob.requests_of("INVITE")[0].body == OFFER
    assert alice.responses[-1].body == ANSWER
    stub.arrive()  # what has begun without it goes on without it
    alice.send_in_dialog("INVITE", OFFER.replace(b"4000", b"4100"), SDP)
    house.run(2)
    assert bob.requests_of("INVITE")[-1].body == OFFER.replace(b"4000", b"4100")
    assert not stub.opened


def test_without_a_port_left_descriptions_cross_as_they_are_and_that_is_counted() -> None:
    house = make_house()
    stub = RelayStub(house)
    stub.arrive(ports=())
    alice, bob = pair(house)
    alice.invite("01632960002")
    house.run(2)
    assert bob.requests_of("INVITE")[0].body == OFFER
    assert alice.responses[-1].body == ANSWER
    assert stub.relay.unrelayed == 1


def test_a_new_relay_is_told_of_every_call_again() -> None:
    _, stub, _, _ = talking()
    opened, aims = dict(stub.opened), dict(stub.aims)
    stub.relay.lost()
    stub.said.clear()
    stub.arrive("relay-2")
    assert stub.opened == opened
    assert stub.aims == aims
    assert len(stub.bridges) == 1
    assert [each.silence_s for each in stub.watches] == [30]


def test_two_phones_at_one_address_are_left_to_themselves_where_the_operator_wants_that() -> None:
    for bypass in (True, False):
        house = make_house(conf=make_conf(media=Media(bypass=bypass)))
        stub = RelayStub(house)
        stub.arrive()
        alice = house.phone("alice", "192.0.2.10")
        bob = Phone(house, "bob", ("192.0.2.10", 5070))
        alice.register()
        bob.register()
        alice.invite("01632960002")
        house.run(2)
        assert (bob.requests_of("INVITE")[0].body == OFFER) is bypass
        assert bool(stub.opened) is not bypass


@pytest.mark.parametrize("who_is_gone", ["nobody", "callee", "caller"])
def test_silence_asks_both_ends_and_ends_only_a_call_whose_end_is_gone(who_is_gone: str) -> None:
    house, stub, alice, bob = talking()
    house.run(60)
    if who_is_gone != "nobody":
        gone = bob if who_is_gone == "callee" else alice
        house.link.detach(gone.address)
    stub.fall_silent(max(stub.opened), 30.0)
    house.run(40)
    if who_is_gone == "nobody":
        assert house.exchange.board.calls
        return
    assert not house.exchange.board.calls
    caller = house.journal.cdrs()[0]
    assert caller.outcome == "answered"
    assert 30 <= caller.duration_ms / 1000 <= 33  # up to the last packet, 30 s before the relay said so
    assert caller.reason == "no sound from either end, and one of them gone"


@pytest.mark.parametrize("how", ["a packet", "a new relay"])
def test_a_silence_that_is_over_shortens_no_charge(how: str) -> None:
    house, stub, alice, _ = talking()
    house.run(60)
    stub.fall_silent(max(stub.opened), 30.0)
    house.run(10)
    if how == "a packet":
        stub.is_heard_again(max(stub.opened))
    else:
        stub.relay.lost()
    house.run(200)
    house.link.detach(alice.address)
    house.run(800)
    caller = house.journal.cdrs()[0]
    assert caller.duration_ms / 1000 >= 270
    assert caller.reason == "Session timer expired"


def test_a_caller_that_answers_pays_for_the_silence_and_only_the_last_of_it_is_free() -> None:
    """Else a call without sound would be kept up for nothing, and the carrier paid for it."""
    house, stub, alice, _ = talking()
    for seconds in (30.0, 60.0, 90.0):
        house.run(30)
        stub.fall_silent(max(stub.opened), seconds)
    house.run(10)
    house.link.detach(alice.address)
    house.run(20)
    stub.fall_silent(max(stub.opened), 120.0)
    house.run(40)
    assert not house.exchange.board.calls
    assert 89 <= house.journal.cdrs()[0].duration_ms / 1000 <= 93


def test_a_carrier_is_offered_only_its_codecs_and_passed_over_without_one() -> None:
    trunks = [
        make_trunk("one", "192.0.2.50", codecs=frozenset({"g729"})),
        make_trunk("two", "192.0.2.51", codecs=frozenset({"pcmu"})),
    ]
    house = House(conf=make_conf(trunks=trunks), lines=[make_line("alice")], numbers={})
    alice = house.phone("alice", "192.0.2.10")
    one, two = house.phone("one", "192.0.2.50"), house.phone("two", "192.0.2.51")
    alice.invite("01632960123", body=OFFER.replace(b"RTP/AVP 8", b"RTP/AVP 8 0"))
    house.run(2)
    assert one.requests == []
    assert b"RTP/AVP 0\r\n" in two.requests_of("INVITE")[0].body
    alice.send_in_dialog("INVITE", OFFER.replace(b"RTP/AVP 8", b"RTP/AVP 9 8 0"), SDP)
    house.run(2)
    assert b"RTP/AVP 0\r\n" in two.requests_of("INVITE")[-1].body


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("dialled", ["01632960123", "999"])
def test_a_reoffer_without_a_codec_that_the_carrier_takes_is_refused_488(method: str, dialled: str) -> None:
    """The session stays what it was. An emergency call is not held to the rule."""
    trunks = [make_trunk("one", "192.0.2.50", codecs=frozenset({"pcma"}))]
    house = House(conf=make_conf(trunks=trunks), lines=[make_line("alice")], numbers={})
    RelayStub(house).arrive()
    alice, one = house.phone("alice", "192.0.2.10"), house.phone("one", "192.0.2.50")
    alice.invite(dialled)
    house.run(2)
    before = len(one.requests)
    alice.send_in_dialog(method, OFFER.replace(b"RTP/AVP 8", b"RTP/AVP 0"), SDP)
    house.run(2)
    if dialled == "999":
        assert b"RTP/AVP 0\r\n" in one.requests[before].body
        return
    assert alice.statuses[-1] == 488
    assert len(one.requests) == before
    assert house.exchange.board.calls


def test_a_call_that_no_carrier_has_a_codec_for_is_refused_488() -> None:
    trunks = [make_trunk("one", "192.0.2.50", codecs=frozenset({"g729"}))]
    house = House(conf=make_conf(trunks=trunks), lines=[make_line("alice")], numbers={})
    alice = house.phone("alice", "192.0.2.10")
    alice.invite("01632960123")
    house.run(2)
    assert alice.statuses[-1] == 488
    assert house.balance() == 10_000_000
    house.assert_clean()


def test_the_caller_hears_pips_before_the_credit_ends() -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("one", "192.0.2.50")]),
        lines=[make_line("alice")],
        numbers={},
        balances={1: 300_000},
    )
    stub = RelayStub(house)
    stub.arrive()
    alice = house.phone("alice", "192.0.2.10")
    house.phone("one", "192.0.2.50")
    alice.invite("07700900123")
    house.run(2000)
    caller = max(stub.opened)
    [play] = [each for each in stub.said if isinstance(each, Play)]
    assert (play.endpoint, play.name) == (caller, "credit-pips")
    assert house.journal.cdrs()[0].ended_by == "credit"


def test_finished_streams_are_counted_by_trunk_and_poor_ones_apart() -> None:
    house, stub, alice, _ = talking()
    alice.hang_up()
    house.run(1)
    sounds = house.exchange.relay.sounds
    callee, caller = sorted(stub.opened)
    stub.count(callee, packets=1000)
    assert (sounds.of_trunk[""].streams, sounds.of_trunk[""].poor) == (1, 0)
    stub.count(caller, packets=80)
    assert sounds.of_trunk[""].streams == 1, "too short to be evidence"
    sounds.count("carrier", figures_of(packets=970, lost=30))
    sounds.count("carrier", figures_of(packets=990, lost=10))
    sounds.count("carrier", figures_of(packets=1000, lost=0, jitter_us=60_000))
    sounds.count("carrier", figures_of(packets=970, lost=30, codec="H264"))
    assert (sounds.of_trunk["carrier"].streams, sounds.of_trunk["carrier"].poor) == (3, 2)
    assert sum(sounds.of_trunk["carrier"].loss.buckets) == 3
    seen = {sample.name: sample for family in watch_metrics(house.exchange) for sample in family.samples
            if sample.labels.get("trunk") == "carrier"}  # fmt: skip
    assert seen["offhook_sound_streams_poor_total"].value == 2
    assert seen["offhook_sound_mos_count"].value == 3


def figures_of(*, packets: int, lost: int, jitter_us: int = 400, codec: str = "PCMA") -> Figures:
    return Figures(
        1, codec, packets, packets * 172, lost, 0, 0, jitter_us, 900, 21_000, 0, 441, 0, 0, 30.0, 0.1, "192.0.2.10",
        4000, {}, is_closed=True,
    )  # fmt: skip
