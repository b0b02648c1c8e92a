"""What a period costs: whole at its price, in parts that add up, each day at that day's price."""

import datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.subscriptions.periods import BillingPeriod, ChargeDay, Period, Rhythm
from billing.subscriptions.steps import Step, cost_between, cost_of, pieces_of, step_at
from tests.billing.subscriptions.contracts import day, pounds

PRO_RATA = """
# starts      price  -> days of the month  charged
2026-01-15    31.00  -> 17 31              17.000000
2026-02-15    28.00  -> 14 28              14.000000
2028-02-15    29.00  -> 15 29              15.000000
2026-02-28    30.00  -> 1  28               1.071428
2026-04-02    10.00  -> 29 30               9.666666
2026-12-31    30.00  -> 1  31               0.967741
2026-03-15    31.00  -> 17 31              17.000000
2026-10-15    31.00  -> 17 31              17.000000
"""


def of_month(starts_on: str) -> Period:
    return Rhythm(day(starts_on), BillingPeriod.MONTH, ChargeDay.FIRST).at(day(starts_on))


@pytest.mark.parametrize(
    "row", [line.replace("->", "").split() for line in PRO_RATA.strip().split("\n")[1:]], ids=" ".join
)
def test_the_first_part_period_is_charged_by_its_days(row: list[str]) -> None:
    starts_on, price, days, whole, charged = row
    period = of_month(starts_on)
    assert ((period.end - period.first).days, period.days) == (int(days), int(whole))
    pieces = pieces_of(period, [Step(day(starts_on), "Line", 1, pounds(float(price)))])
    assert cost_of(pieces) == round(float(charged) * 1_000_000)


def test_each_day_of_a_period_is_charged_at_that_days_price() -> None:
    """Until 31 March at £31.00 and from 1 April at £62.00, in a period from 17 March to 16 April."""
    rhythm = Rhythm(day("2026-01-17"), BillingPeriod.MONTH, ChargeDay.ANNIVERSARY)
    steps = [
        Step(day("2026-01-17"), "Line", 1, pounds(31)),
        Step(day("2026-04-01"), "Line", 1, pounds(62)),
    ]
    pieces = pieces_of(rhythm.at(day("2026-03-17")), steps)
    assert [(piece.first, piece.end, piece.amount_micros) for piece in pieces] == [
        (day("2026-03-17"), day("2026-04-01"), pounds(15)),
        (day("2026-04-01"), day("2026-04-17"), pounds(32)),
    ]


def test_a_step_holds_until_the_next_one() -> None:
    steps = [Step(day("2026-01-17"), "a", 1, 1), Step(day("2026-04-01"), "b", 2, 3)]
    for when, product in (
        ("2020-01-01", "a"),
        ("2026-03-31", "a"),
        ("2026-04-01", "b"),
        ("2030-01-01", "b"),
    ):
        assert step_at(steps, day(when)).product == product


starts = st.dates(datetime.date(2024, 1, 1), datetime.date(2029, 12, 31))
micros = st.integers(0, 10_000).map(lambda pence: pence * 10_000)


@given(
    starts,
    st.sampled_from(BillingPeriod),
    st.sampled_from(ChargeDay),
    micros,
    st.integers(1, 7),
    st.lists(st.integers(0, 400)),
)
def test_the_parts_of_a_period_add_up_to_the_whole(
    start: datetime.date,
    length: BillingPeriod,
    charge_day: ChargeDay,
    price: int,
    quantity: int,
    cuts: list[int],
) -> None:
    """However often the same price is cut into steps, and never more than the exact share."""
    rhythm = Rhythm(start, length, charge_day)
    firsts = sorted({start, *(start + datetime.timedelta(days=cut) for cut in cuts)})
    steps = [Step(first, "Line", quantity, price) for first in firsts]
    for period in (rhythm.at(start), rhythm.at(start + datetime.timedelta(days=400))):
        pieces = pieces_of(period, steps)
        exact = Fraction(price * quantity * (period.end - period.first).days, period.days)
        assert cost_of(pieces) == exact.numerator // exact.denominator
        assert [piece.first for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
        assert all(piece.amount_micros >= 0 for piece in pieces)
    whole = rhythm.at(start + datetime.timedelta(days=400))
    assert cost_of(pieces_of(whole, steps)) == price * quantity


@given(starts, micros, st.integers(0, 900))
def test_what_is_used_and_what_is_left_of_a_period_are_the_whole(
    start: datetime.date, price: int, used: int
) -> None:
    rhythm = Rhythm(start, BillingPeriod.MONTH, ChargeDay.ANNIVERSARY)
    when = start + datetime.timedelta(days=used)
    period, steps = rhythm.at(when), [Step(start, "Line", 1, price)]
    left = cost_of(pieces_of(period, steps)) - cost_of(pieces_of(period, steps, until=when))
    exact = Fraction(price * (period.end - when).days, period.days)
    assert exact <= left < exact + 1  # what is given back is never less than what was not used


@given(starts, micros, st.integers(0, 36))
def test_a_term_of_months_costs_its_months(start: datetime.date, price: int, months: int) -> None:
    rhythm = Rhythm(start, BillingPeriod.MONTH, ChargeDay.ANNIVERSARY)
    end = start
    for number, period in enumerate(rhythm.since(start)):
        if number == months:
            end = period.first
            break
    assert cost_between(rhythm, [Step(start, "Line", 1, price)], start, end) == months * price
