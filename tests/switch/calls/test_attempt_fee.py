"""A fee for each call that a line tries, answered or not; off unless the tariff has such rows."""

from rating.tariff import load_tariff
from switch.calls.attempt_fee import ATTEMPT_LEG, REASON
from tests.switch.house import TARIFF_CSV, House, Phone, make_conf, make_line, make_trunk

FEE = 1_500
ATTEMPT_CSV = TARIFF_CSV + "attempt:+44,Attempt,0.0015,0,1,1,2020-01-01,\n"


def make_house(balance: int = 1_000_000, csv: str = ATTEMPT_CSV) -> tuple[House, Phone, Phone]:
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], tariff=load_tariff("retail", csv, "inc_vat")),
        lines=[make_line("alice"), make_line("bob")],
        balances={1: balance},
    )
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    alice.register()
    return house, alice, carrier


def test_an_attempt_that_nobody_answers_costs_its_fee_on_a_record_of_its_own() -> None:
    house, alice, carrier = make_house()
    carrier.answer = 486
    alice.invite("07700900123")
    house.run(40)
    fee, *legs = house.journal.cdrs()
    assert (fee.leg, fee.leg_reason, fee.rate_prefix) == (ATTEMPT_LEG, REASON, "attempt:+44")
    assert (fee.cost_micros, fee.connect_fee_micros, fee.duration_ms) == (FEE, FEE, 0)
    assert fee.payer_account_id == 1
    assert [row.cost_micros for row in legs] == [0, 0]
    assert [(entry.leg, entry.amount_micros) for entry in house.journal.usage()] == [(ATTEMPT_LEG, -FEE)]
    assert house.balance() == 1_000_000 - FEE
    house.assert_clean()


def test_an_answered_call_costs_fee_and_call() -> None:
    house, alice, _ = make_house()
    alice.invite("07700900123")
    house.run(30)
    alice.hang_up()
    house.run(40)
    costs = [row.cost_micros for row in house.journal.cdrs()]
    assert costs[0] == FEE
    assert house.balance() == 1_000_000 - sum(costs)
    assert -sum(entry.amount_micros for entry in house.journal.usage()) == sum(costs)
    house.assert_clean()


def test_who_cannot_pay_the_fee_makes_no_call_and_pays_nothing() -> None:
    house, alice, carrier = make_house(balance=10_000 + 60_000)  # the first minute, and nothing besides
    alice.invite("07700900123")
    house.run(40)
    assert alice.statuses[-1] == 402
    assert carrier.requests == []
    assert house.balance() == 70_000
    house.assert_clean()


def test_free_emergency_and_calls_between_lines_have_no_fee() -> None:
    house, alice, _ = make_house()
    for number in ("08081570123", "999", "bob"):
        alice.invite(number)
        house.run(20)
        if house.exchange.board.calls:
            alice.hang_up()
        house.run(40)
    assert house.journal.usage() == []
    assert house.balance() == 1_000_000


def test_a_tariff_without_such_rows_takes_no_fee() -> None:
    house, alice, carrier = make_house(csv=TARIFF_CSV)
    carrier.answer = 486
    alice.invite("07700900123")
    house.run(40)
    assert all(row.leg != ATTEMPT_LEG for row in house.journal.cdrs())
    assert house.balance() == 1_000_000
