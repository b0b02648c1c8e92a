"""Interest on late payment: uk.md (h) and the fixture of (T), by hand and by a slow sum in fractions."""

import datetime
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.arrears.charges import target_of
from billing.arrears.interest import (
    Change,
    Owed,
    closed_on,
    fixed_sum,
    interest_through,
    rate_of,
    reference_day,
)
from billing.conf_arrears import STATUTORY, ArrearsConf, ArrearsSettings, BankRate, Ladder, LatePayment
from billing.dated import Dated, NothingYet
from tests.tables import cases

POUND = 1_000_000
DUE = datetime.date(2016, 9, 1)
BUSINESS = Ladder(interest=STATUTORY, interest_after=0)


def date(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def after(days: int) -> datetime.date:
    return DUE + datetime.timedelta(days)


CONF = ArrearsConf(
    ArrearsSettings(),
    {},
    Dated("late_payment", [(date("2002-08-07"), LatePayment())]),
    Dated(
        "bank_rate",
        [
            (date("2009-03-05"), BankRate(50)),
            (date("2025-08-07"), BankRate(400)),
            (date("2025-12-18"), BankRate(375)),
        ],
    ),
)


def daily_rounded(principal_micros: int, basis_points: int, days: int) -> int:
    """As the example of gov.uk does it: a whole penny a day, to the nearest, times the days."""
    daily = Fraction(principal_micros * basis_points, 10_000 * 365 * 10_000)
    return int(daily + Fraction(1, 2)) * 10_000 * days


def test_the_example_of_gov_uk_both_ways() -> None:
    """1,000 pounds, 50 days late, base 0.5 %: 11.50 by gov.uk's daily rounding; exactly, as we charge, 11.64."""
    assert daily_rounded(1000 * POUND, 850, 50) == 11_500_000
    assert interest_through(Owed(DUE, 1000 * POUND), 850, after(50)) == 11_640_000
    assert interest_through(Owed(DUE, 1000 * POUND), 850, after(365)) == 85 * POUND


@pytest.mark.parametrize(
    ("due", "reference"),
    [
        ("2026-06-29", "2025-12-31"),  # interest begins on 30 June
        ("2026-06-30", "2026-06-30"),  # it begins on 1 July
        ("2026-12-30", "2026-06-30"),
        ("2026-12-31", "2026-12-31"),
        ("2026-01-01", "2025-12-31"),
    ],
)
def test_the_reference_rate_is_fixed_for_each_half_year(due: str, reference: str) -> None:
    assert reference_day(date(due)) == date(reference)


def test_the_rate_of_a_debt_stays_what_it_was_when_its_interest_began() -> None:
    assert rate_of(BUSINESS, date("2016-09-01"), CONF) == 850
    assert rate_of(BUSINESS, date("2025-12-30"), CONF) == 850  # begins on 31 December: the rate of 30 June
    assert rate_of(BUSINESS, date("2025-12-31"), CONF) == 1175
    assert rate_of(Ladder(interest=400), date("1990-01-01"), CONF) == 400
    assert rate_of(Ladder(), date("1990-01-01"), CONF) == 0
    with pytest.raises(NothingYet):
        rate_of(BUSINESS, date("2003-01-01"), CONF)


FIXED = """
# open_on_the_day  -> pounds
  0.01                40
  999.99              40
  1000                70
  9999.99             70
  10000               100
"""


@pytest.mark.parametrize(("open_", "pounds"), cases(FIXED))
def test_the_fixed_sum_goes_by_the_debt(open_: str, pounds: str) -> None:
    owed = Owed(DUE, int(Fraction(open_) * POUND))
    assert fixed_sum(owed, LatePayment()) == int(pounds) * POUND


def test_what_was_paid_in_time_is_no_debt() -> None:
    owed = Owed(DUE, 1500 * POUND, (Change(after(-3), 600 * POUND),))
    assert fixed_sum(owed, LatePayment()) == 40 * POUND
    assert fixed_sum(Owed(DUE, POUND, (Change(DUE, POUND),)), LatePayment()) == 0


def test_interest_is_on_what_was_open_on_each_day() -> None:
    owed = Owed(DUE, 1000 * POUND, (Change(after(11), 400 * POUND), Change(after(21), 600 * POUND)))
    exact = Fraction(10 * 1000 + 10 * 600, 1) * 850 / 10_000 / 365
    assert interest_through(owed, 850, after(50)) == int(exact * 100) * 10_000 == 3_720_000
    assert closed_on(owed) == after(21)


def test_a_payment_that_comes_back_opens_the_invoice_again() -> None:
    changes = (Change(after(5), 1000 * POUND), Change(after(30), -1000 * POUND))
    owed = Owed(DUE, 1000 * POUND, changes)
    assert closed_on(owed) is None
    assert interest_through(owed, 850, after(40)) == interest_through(Owed(DUE, 1000 * POUND), 850, after(15))


CHANGES = st.lists(st.tuples(st.integers(-20, 400), st.integers(-300, 700)), max_size=8)


@given(
    CHANGES,
    st.integers(0, 1500),
    st.integers(1, 2000),
    st.lists(st.integers(1, 420), min_size=1, max_size=10),
)
@settings(max_examples=200, deadline=None)
def test_a_slow_sum_of_the_days_agrees_and_parts_add_up_to_the_whole(
    changes: list[tuple[int, int]], pounds: int, basis_points: int, ends: list[int]
) -> None:
    owed = Owed(DUE, pounds * POUND, tuple(Change(after(day), paid * POUND) for day, paid in changes))
    charged = 0
    for end in sorted(ends):
        charged += interest_through(owed, basis_points, after(end)) - charged
    exact = Fraction(0)
    for number in range(1, max(ends) + 1):
        left = pounds - sum(paid for day, paid in changes if day <= number)
        exact += Fraction(max(0, left) * basis_points, 10_000 * 365)
    assert charged == int(exact * 100) * 10_000
    assert 0 <= exact - Fraction(charged, POUND) < Fraction(1, 100)


def test_whoever_pays_within_the_days_of_grace_owes_none() -> None:
    ladder = Ladder(interest=STATUTORY, interest_after=14)
    in_time = Owed(DUE, 1000 * POUND, (Change(after(14), 1000 * POUND),))
    target = target_of(in_time, 850, 40 * POUND, ladder, after(30))
    assert target is not None and (target.interest_micros, target.fixed_micros, target.is_settled) == (
        0,
        0,
        True,
    )
    assert target_of(Owed(DUE, 1000 * POUND), 850, 40 * POUND, ladder, after(14)) is None
    late = Owed(DUE, 1000 * POUND, (Change(after(15), 1000 * POUND),))
    target = target_of(late, 850, 40 * POUND, ladder, after(30))
    assert target is not None and (target.interest_micros, target.fixed_micros) == (3_260_000, 40 * POUND)


def test_nobody_without_a_rate_is_ever_charged() -> None:
    assert target_of(Owed(DUE, 1000 * POUND), 0, 0, Ladder(), after(300)) is None
