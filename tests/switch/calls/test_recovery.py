"""A new process finds what the old one left: every call ended, charged fairly once, and hung up on both sides."""

import msgspec
import pytest

from switch.calls.open_call import EarlyInvite, OpenCall
from switch.calls.orphan_invite import OrphanInvite
from switch.sip.flow import Flow
from tests.link import Datagram
from tests.switch.house import ANSWER, DOMAIN, EXCHANGE, House, Phone, make_conf, make_line, make_trunk

BALANCE = 1_000_000


def make_house(state: dict[str, bytes] | None = None, link: object = None) -> House:
    return House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")]),
        lines=[make_line("alice"), make_line("bob")],
        balances={1: BALANCE},
        link=link,
        state=state,
        seed=1 if state is None else 2,
    )


def call_up(house: House) -> tuple[Phone, Phone]:
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    alice.register()
    alice.invite("07700900123")
    house.run(0.3)
    return alice, carrier


def call_ringing(house: House) -> tuple[Phone, Phone]:
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    carrier.answer_after_s = None
    alice.register()
    alice.invite("07700900123")
    house.run(5)
    assert alice.statuses[-1] == 180
    return alice, carrier


def is_cancel(datagram: Datagram) -> bool:
    return datagram.data.startswith(b"CANCEL ")


def crash(house: House) -> House:
    """The process dies; another starts with the journal's state on the same network."""
    return make_house(state=dict(house.journal.state), link=house.link)


def test_a_call_that_was_up_is_charged_to_the_last_heartbeat_and_hung_up() -> None:
    house = make_house()
    alice, carrier = call_up(house)
    house.run(30.4)
    duration_s = 29  # answered at 0.73 s, last heartbeat at 30.2 s
    again = crash(house)
    again.run(5)
    assert alice.requests_of("BYE")
    assert carrier.requests_of("BYE")
    caller, callee = again.journal.cdrs()
    assert caller.is_recovered
    assert caller.outcome == "answered"
    assert duration_s * 1000 <= caller.duration_ms <= 31_000
    assert caller.cost_micros == 10_000 + caller.billed_s * 1000
    assert again.balance() == BALANCE - caller.cost_micros == caller.balance_after_micros
    assert [entry.amount_micros for entry in again.journal.usage()] == [-caller.cost_micros]
    assert callee.duration_ms == caller.duration_ms
    assert (caller.other_sip_call_id, callee.other_sip_call_id) == (callee.sip_call_id, caller.sip_call_id)
    again.run(40)
    again.assert_clean()


def test_the_bye_after_a_crash_is_above_all_that_was_counted_since_the_answer() -> None:
    """Refreshes of the session are not journalled; a CSeq used before would be an old request to the phone."""
    house = make_house()
    alice, carrier = call_up(house)
    for _ in range(5):  # as long as a call lasts that the balance pays for
        for leg in list(house.exchange.board.legs.values()):
            leg.on_session_due(house.clock.now)
        house.run(1)
    used = max(request.cseq.number for request in carrier.requests)
    assert used == 5
    again = crash(house)
    again.run(5)
    assert carrier.requests_of("BYE")[0].cseq.number > used
    assert alice.requests_of("BYE")[0].cseq.number > max(r.cseq.number for r in alice.requests[:-1])


def test_recovering_twice_comes_to_the_same() -> None:
    house = make_house()
    call_up(house)
    house.run(20)
    again = crash(house)
    cost = again.journal.cdrs()[0].cost_micros
    third = crash(again)
    assert third.journal.cdrs() == []
    assert third.journal.usage() == []
    assert cost > 0


def test_the_bye_is_repeated_by_the_next_process_until_it_is_answered() -> None:
    house = make_house()
    _, carrier = call_up(house)
    house.run(20)
    again = crash(house)
    third = crash(again)  # died before its BYEs were on the wire
    third.run(5)
    assert carrier.requests_of("BYE")
    third.run(40)
    third.assert_clean()


def test_an_answer_that_reached_no_disk_is_repeated_until_the_next_process_hangs_it_up() -> None:
    """Its ACK waits for the disk: a callee that had it would be silent, and talk to nobody."""
    house = make_house()
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    alice.register()
    house.journal.durable = "when told"
    alice.invite("07700900123")
    house.link.run(0.4)
    on_disk = dict(house.journal.state)
    house.link.run(0.2)
    assert house.journal.state != on_disk, "it has answered"
    assert carrier.acks == []
    again = make_house(state=on_disk, link=house.link)
    again.run(5)
    assert carrier.acks
    assert carrier.requests_of("BYE")
    assert alice.statuses[-1] == 500
    again.run(40)
    again.assert_clean()


def test_a_call_that_rang_leaves_its_rows_and_costs_nothing() -> None:
    house = make_house()
    call_ringing(house)
    again = crash(house)
    rows = again.journal.cdrs()
    assert [(row.leg, row.outcome, row.cost_micros) for row in rows] == [
        (0, "interrupted", 0),
        (1, "interrupted", 0),
    ]
    assert again.balance() == BALANCE


def test_after_a_crash_who_rang_is_cancelled_and_who_called_is_refused() -> None:
    house = make_house()
    alice, carrier = call_ringing(house)
    tag = alice.responses[-1].to_tag
    again = crash(house)
    again.run(0.1)
    assert alice.statuses[-1] == 500
    assert alice.responses[-1].to_tag == tag
    assert alice.responses[-1].headers.get("reason") == 'Q.850;cause=41;text="the exchange restarted"'
    (invite,) = carrier.requests_of("INVITE")
    (cancel,) = carrier.requests_of("CANCEL")
    for name in ("via", "from", "to", "call-id"):
        assert cancel.headers.get(name) == invite.headers.get(name)
    assert cancel.uri == invite.uri
    assert cancel.cseq.number == invite.cseq.number
    assert all(transaction.is_final for transaction in (*alice.invites, *carrier._ringing))
    again.run(40)
    again.assert_clean()


def test_after_a_crash_every_phone_of_a_line_falls_silent() -> None:
    house = make_house()
    alice = house.phone("alice", "192.0.2.10")
    phones = [house.phone("bob", f"192.0.2.{host}") for host in (20, 21, 22)]
    for phone in phones:
        phone.answer_after_s = None
        phone.register()
    alice.register()
    alice.invite("bob")
    house.run(3)
    again = crash(house)
    again.run(1)
    assert [len(phone.requests_of("CANCEL")) for phone in phones] == [1, 1, 1]
    assert alice.statuses[-1] == 500


def test_only_the_trunk_that_rings_is_cancelled_after_a_crash() -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("first", "192.0.2.50"), make_trunk("second", "192.0.2.51")]),
        lines=[make_line("alice")],
    )
    first, second = house.phone("first", "192.0.2.50"), house.phone("second", "192.0.2.51")
    first.answer, first.answer_after_s, first.ring_status = 503, 0.1, 0
    second.answer_after_s = None
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite("07700900123")
    house.run(3)
    again = crash(house)
    again.run(1)
    assert not first.requests_of("CANCEL")
    assert second.requests_of("CANCEL")
    assert alice.statuses[-1] == 500


def test_the_last_words_of_a_dead_process_live_through_a_bad_link() -> None:
    house = make_house()
    alice, carrier = call_ringing(house)
    restarted_at = house.clock.now
    house.link.is_lost = lambda datagram: datagram.source == EXCHANGE and datagram.sent_at < restarted_at + 1
    again = crash(house)
    again.run(2)
    assert alice.statuses[-1] == 500
    assert carrier.requests_of("CANCEL")
    again.run(40)
    again.assert_clean()


def test_the_last_words_are_said_by_the_next_process_if_one_dies_before() -> None:
    house = make_house()
    alice, carrier = call_ringing(house)
    again = crash(house)
    third = crash(again)  # died before anything was on the wire
    assert third.journal.cdrs() == []
    third.run(1)
    assert alice.statuses[-1] == 500
    assert carrier.requests_of("CANCEL")
    third.run(40)
    third.assert_clean()


def test_over_a_stream_the_last_word_is_said_once() -> None:
    house = make_house()
    flow = Flow("TCP", "192.0.2.20", 40_000, *EXCHANGE, "7")
    via = "SIP/2.0/TCP 192.0.2.20:40000;branch=z9hG4bK1"
    done: list[float] = []
    invite = EarlyInvite(
        None, [via, "SIP/2.0/TCP 10.0.0.1"], "<sip:a@b>;tag=1", "<sip:c@d>;tag=2", "x", 7, flow
    )
    OrphanInvite(house.exchange.board, invite, done.append).send(0.0)
    ((sent_on, data),) = house.exchange.outgoing
    assert sent_on == flow
    assert data.startswith(
        b"SIP/2.0 500 Server Internal Error\r\nVia: " + via.encode() + b"\r\nVia: SIP/2.0/TCP 10."
    )
    assert b"\r\nCSeq: 7 INVITE\r\n" in data
    assert done == [0.0]


def test_a_caller_whose_name_is_no_utf_8_is_refused_after_a_crash_too() -> None:
    house = make_house()
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    carrier.answer_after_s = None
    alice.register()
    alice.invite("07700900123", from_=f'"Al\udcefce" <sip:alice@{DOMAIN}>')
    house.run(2)
    again = crash(house)
    again.run(1)
    assert alice.statuses[-1] == 500
    assert carrier.requests_of("CANCEL")


def test_what_a_process_without_early_invites_left_is_recovered() -> None:
    house = make_house()
    call_ringing(house)
    state = dict(house.journal.state)
    (key,) = [key for key in state if key.startswith("c/")]
    fields = msgspec.msgpack.decode(state[key])
    assert len(fields) == len(OpenCall.__struct_fields__)
    state[key] = msgspec.msgpack.encode(fields[:5])
    again = make_house(state=state, link=house.link)
    assert [row.outcome for row in again.journal.cdrs()] == ["interrupted", "interrupted"]
    again.run(1)
    again.assert_clean()


def test_an_answer_that_a_dead_process_waited_for_is_hung_up() -> None:
    """The CANCEL is lost: the phone rings on, and somebody answers."""
    house = make_house()
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    carrier.answer_after_s = 3.0
    alice.register()
    alice.invite("07700900123")
    house.run(1)
    house.link.is_lost = is_cancel
    again = crash(house)
    again.run(10)
    assert carrier.acks
    assert carrier.requests_of("BYE")
    assert not carrier.dialogs
    assert again.exchange.counts.stray_answers == 1


def test_an_answer_from_the_time_without_a_process_is_hung_up() -> None:
    """The phone answered while nobody heard it, and repeats its answer to the next process."""
    house = make_house()
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    carrier.answer_after_s = 3.0
    alice.register()
    alice.invite("07700900123")
    house.run(1)
    house.link.detach(EXCHANGE)
    house.link.run(4)
    assert carrier.dialogs
    again = crash(house)
    again.run(10)
    assert carrier.requests_of("BYE")
    assert not carrier.dialogs
    assert alice.statuses[-1] == 500
    assert ANSWER not in [response.body for response in alice.responses]


def test_an_unacknowledged_answer_is_not_charged_after_a_crash() -> None:
    house = make_house()
    alice, _ = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    alice.acks_answers = False
    alice.register()
    alice.invite("07700900123")
    house.run(8)
    again = crash(house)
    assert again.journal.cdrs()[0].cost_micros == 0
    assert again.balance() == BALANCE


def test_an_answer_that_was_still_waiting_for_the_journal_is_not_charged() -> None:
    house = make_house()
    alice, _ = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    alice.register()
    house.journal.durable = "never"
    alice.invite("07700900123")
    house.link.run(0.6)
    house.exchange.on_second(house.clock.now)
    again = crash(house)
    assert 200 not in alice.statuses[-1:]
    assert again.journal.cdrs()[0].cost_micros == 0


def test_bindings_and_credits_survive() -> None:
    house = make_house()
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    again = crash(house)
    assert [binding.user for binding in again.exchange.bindings] == ["alice"]
    assert again.exchange.bindings.contacts_for("alice", again.clock.now)


@pytest.mark.parametrize("seconds", [45, 75])
def test_never_charged_for_more_than_was_reserved(seconds: int) -> None:
    house = make_house()
    call_up(house)
    house.run(seconds)
    again = crash(house)
    row = again.journal.cdrs()[0]
    assert row.billed_s <= seconds + 1
