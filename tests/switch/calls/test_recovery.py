"""A new process finds what the old one left: every call ended, charged fairly once, and hung up on both sides."""

import pytest

from tests.switch.house import House, Phone, make_conf, make_line, make_trunk

BALANCE = 1_000_000


def make_house(state: dict[str, bytes] | None = None, link: object = None) -> House:
    return House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")]),
        lines=[make_line("alice")],
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


def test_a_call_that_rang_leaves_its_rows_and_costs_nothing() -> None:
    house = make_house()
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    carrier.answer_after_s = None
    alice.register()
    alice.invite("07700900123")
    house.run(5)
    again = crash(house)
    rows = again.journal.cdrs()
    assert [(row.leg, row.outcome, row.cost_micros) for row in rows] == [
        (0, "interrupted", 0),
        (1, "interrupted", 0),
    ]
    assert again.balance() == BALANCE


def test_an_answer_to_a_dead_process_is_hung_up() -> None:
    house = make_house()
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    carrier.answer_after_s = 3.0
    alice.register()
    alice.invite("07700900123")
    house.run(1)
    again = crash(house)
    again.run(10)
    assert carrier.acks
    assert carrier.requests_of("BYE")
    assert not carrier.dialogs


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
