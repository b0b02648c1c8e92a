"""Prepaid credit while calls run: refused before anybody's phone rings, renewed, cut at the last paid second."""

import pytest

from provisioning.model import AccountChanged, Credited, CreditRow
from rating.tariff import load_tariff
from switch.config import Prepaid
from tests.switch.house import TARIFF_CSV, House, Phone, make_account, make_conf, make_line, make_trunk

PER_MINUTE = 60_000  # UK mobile in the house's tariff: 1p to connect, then 6p a minute by the second
CONNECT = 10_000


def make_house(balance: int, **conf: object) -> House:
    return House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], **conf),
        lines=[make_line("alice")],
        balances={1: balance},
    )


def with_phones(house: House) -> tuple[Phone, Phone]:
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    alice.register()
    alice.statuses.clear()
    return alice, carrier


def test_the_charge_is_exact_and_balances() -> None:
    house = make_house(1_000_000)
    alice, _ = with_phones(house)
    alice.invite("07700900123")
    house.run(61)
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.billed_s, row.connect_fee_micros) == (61, CONNECT)
    assert row.usage_micros == 61 * PER_MINUTE // 60
    assert row.cost_micros == row.connect_fee_micros + row.usage_micros
    assert row.balance_after_micros == house.balance() == 1_000_000 - row.cost_micros
    assert [entry.amount_micros for entry in house.journal.usage()] == [-row.cost_micros]
    assert (row.tariff, row.rate_prefix, row.destination_name) == ("retail", "+447", "UK mobile")
    house.assert_clean()


def test_without_credit_the_callee_never_rings() -> None:
    house = make_house(CONNECT)
    alice, carrier = with_phones(house)
    alice.invite("07700900123")
    house.run(40)
    assert alice.statuses[-1] == 402
    assert carrier.requests == []
    assert house.journal.cdrs()[0].outcome == "no_credit"
    assert house.balance() == CONNECT
    house.assert_clean()


def test_when_credit_runs_out_both_sides_get_bye_within_a_second() -> None:
    affordable_s = 95
    house = make_house(CONNECT + affordable_s * PER_MINUTE // 60)
    alice, carrier = with_phones(house)
    alice.invite("07700900123")
    house.run(150)
    assert alice.requests_of("BYE")
    assert carrier.requests_of("BYE")
    row = house.journal.cdrs()[0]
    assert row.ended_by == "credit"
    assert affordable_s * 1000 <= row.duration_ms <= affordable_s * 1000 + 1000
    assert row.billed_s == affordable_s
    assert house.balance() == 0
    house.assert_clean()


def test_a_top_up_during_the_call_keeps_it_up() -> None:
    house = make_house(CONNECT + 30 * PER_MINUTE // 60)
    alice, _ = with_phones(house)
    alice.invite("07700900123")
    house.run(20)
    house.exchange.apply_changes([Credited(CreditRow(1, 1, 1_000_000))], house.clock.now)
    house.run(60)
    assert len(house.exchange.board.calls) == 1
    alice.hang_up()
    house.run(40)
    assert house.journal.cdrs()[0].ended_by == "caller"
    assert house.balance() == CONNECT + 30_000 + 1_000_000 - house.journal.cdrs()[0].cost_micros


def test_a_credit_is_applied_once() -> None:
    house = make_house(0)
    credit = Credited(CreditRow(1, 1, 500_000))
    house.exchange.apply_changes([credit, credit], house.clock.now)
    house.exchange.apply_changes([credit], house.clock.now)
    assert house.balance() == 500_000


def test_the_reservation_is_renewed_ahead_and_released() -> None:
    house = make_house(10_000_000, prepaid=Prepaid(reserve_ahead_s=60, renew_before_s=20))
    alice, _ = with_phones(house)
    alice.invite("07700900123")
    house.run(2)
    held = house.exchange.engine.totals(1).reserved_micros
    assert held == CONNECT + 60 * PER_MINUTE // 60
    house.run(43)
    assert house.exchange.engine.totals(1).reserved_micros > held
    alice.hang_up()
    house.run(40)
    assert house.exchange.engine.totals(1).reserved_micros == 0


@pytest.mark.parametrize("answer", [486, 503, 404])
def test_a_failed_call_costs_nothing(answer: int) -> None:
    house = make_house(1_000_000)
    alice, carrier = with_phones(house)
    carrier.answer = answer
    alice.invite("07700900123")
    house.run(40)
    assert house.balance() == 1_000_000
    assert house.journal.usage() == []
    house.assert_clean()


def test_a_destination_without_a_rate_is_refused_never_free() -> None:
    house = make_house(1_000_000)
    alice, carrier = with_phones(house)
    alice.invite("0033123456789")
    house.run(40)
    assert alice.statuses[-1] == 403
    assert carrier.requests == []
    assert house.journal.cdrs()[0].outcome == "no_rate"


def test_freephone_connects_at_zero_balance() -> None:
    house = make_house(0)
    alice, carrier = with_phones(house)
    alice.invite("08081570123")
    house.run(3)
    assert carrier.requests_of("INVITE")
    alice.hang_up()
    house.run(40)
    assert house.journal.cdrs()[0].cost_micros == 0
    assert house.balance() == 0


def test_on_net_calls_cost_what_the_tariff_says() -> None:
    header = TARIFF_CSV.split("\n", 1)[0]
    text = f"{header}\non-net,Own,0,0.06,1,1,2020-01-01,\n"
    house = House(
        conf=make_conf(tariff=load_tariff("retail", text, "inc_vat")),
        lines=[make_line("alice"), make_line("bob")],
    )
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.11")
    alice.register()
    bob.register()
    alice.invite("bob")
    house.run(10.5)
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert row.cost_micros == row.billed_s * 1000 > 0
    assert row.destination == "bob"


def test_a_suspended_account_makes_no_call_but_keeps_the_one_it_has() -> None:
    house = make_house(1_000_000)
    alice, carrier = with_phones(house)
    alice.invite("07700900123")
    house.run(3)
    house.exchange.apply_changes([AccountChanged(make_account(is_suspended=True))], house.clock.now)
    alice.invite("07700900124")
    house.run(40)
    assert 403 in alice.statuses
    assert len(house.exchange.board.calls) == 1
    assert len(carrier.requests_of("INVITE")) == 1


def test_an_unacknowledged_answer_costs_nothing() -> None:
    house = make_house(1_000_000)
    alice, _ = with_phones(house)
    alice.acks_answers = False
    alice.invite("07700900123")
    house.run(80)
    assert house.balance() == 1_000_000
    assert house.journal.cdrs()[0].cost_micros == 0
    house.assert_clean()


def test_a_postpaid_account_talks_into_its_limit() -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")]),
        lines=[make_line("alice")],
        accounts=[make_account(credit_limit_micros=CONNECT + 30_000)],
        balances={1: 0},
    )
    alice, _ = with_phones(house)
    alice.invite("07700900123")
    house.run(60)
    row = house.journal.cdrs()[0]
    assert row.ended_by == "credit"
    assert house.balance() == -(CONNECT + 30_000)
    house.assert_clean()


# The answer gate


def test_the_answer_waits_for_the_journal() -> None:
    house = make_house(1_000_000)
    alice, _ = with_phones(house)
    house.journal.durable = "when told"
    alice.invite("07700900123")
    house.link.run(0.7)
    assert 200 not in alice.statuses
    house.journal.tell()
    house.link.run(0.1)
    assert alice.statuses[-1] == 200


def test_a_callee_that_hangs_up_in_the_gap_gets_its_ack_too() -> None:
    """Or it would repeat its answer for half a minute."""
    house = make_house(1_000_000)
    alice, carrier = with_phones(house)
    house.journal.durable = "when told"
    alice.invite("07700900123")
    house.link.run(0.6)
    assert carrier.acks == []
    carrier.hang_up()
    house.link.run(0.1)
    house.journal.tell()
    house.run(40)
    assert len(carrier.acks) == 1
    assert alice.statuses[-1] == 480
    assert house.balance() == 1_000_000
    house.assert_clean()


def test_a_silent_journal_voids_the_answer_and_stops_billable_calls() -> None:
    house = make_house(1_000_000)
    alice, carrier = with_phones(house)
    house.journal.durable = "never"
    alice.invite("07700900123")
    house.run(5)
    assert alice.statuses[-1] == 503
    assert carrier.requests_of("BYE")
    assert house.balance() == 1_000_000
    assert house.journal.cdrs()[0].outcome == "gate_closed"
    alice.invite("07700900123")
    house.run(2)
    assert alice.statuses[-1] == 503
    assert len(carrier.requests_of("INVITE")) == 1
    alice.invite("08081570123")  # free calls go on
    house.run(2)
    assert len(carrier.requests_of("INVITE")) == 2


def test_a_cancel_in_the_gap_voids_the_answer() -> None:
    house = make_house(1_000_000)
    alice, carrier = with_phones(house)
    house.journal.durable = "when told"
    alice.invite("07700900123")
    house.link.run(0.6)
    alice.stack.cancel(alice.invites[-1], house.clock.now)
    house.link.run(0.1)
    house.journal.tell()
    house.run(40)
    assert alice.statuses[-1] == 487
    assert carrier.acks
    assert carrier.requests_of("BYE")
    assert house.balance() == 1_000_000
    assert house.journal.usage() == []
    house.assert_clean()
