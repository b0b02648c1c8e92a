"""The right to cancel: consumer's fourteen days, the provider's own, and who pays for what was used."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.conf_subscriptions import ContractLaw
from billing.customers import CustomerKind
from billing.subscriptions.cooling_off import Cancelling, Sale, last_day, leaves_due, refusal
from billing.subscriptions.terminating import cancellation_due
from billing.subscriptions.terms import Terms
from tests.billing.subscriptions.contracts import day, pounds, subscription

LAW = ContractLaw()

# kind, how, sold on, told on, provider's own days -> the last day, - for none
LAST_DAYS = """
consumer       distance 2026-03-02 2026-03-02 0 -> 2026-03-16
consumer       distance 2026-04-02 2026-04-02 0 -> 2026-04-16
consumer       distance 2026-12-18 2026-12-18 0 -> 2027-01-01
consumer       distance 2028-02-15 2028-02-15 0 -> 2028-02-29
consumer       distance 2026-03-02 2026-02-20 0 -> 2026-03-16
consumer       distance 2026-03-02 2026-05-01 0 -> 2026-05-15
consumer       distance 2026-03-02 2027-03-10 0 -> 2027-03-16
consumer       distance 2026-03-02 -          0 -> 2027-03-16
consumer       shop     2026-03-02 2026-03-02 0 -> -
consumer       shop     2026-03-02 2026-03-02 7 -> 2026-03-09
consumer       distance 2026-03-02 2026-03-02 7 -> 2026-03-16
business       distance 2026-03-02 2026-03-02 0 -> -
business       distance 2026-03-02 2026-03-02 7 -> 2026-03-09
small_business distance 2026-03-02 -          7 -> 2026-03-09
"""


def sale(
    kind: str,
    how: str,
    sold_on: str,
    told_on: str,
    own: str,
    *,
    provided: str = "",
    is_early: bool = True,
) -> Sale:
    return Sale(
        kind=CustomerKind(kind),
        sold_on=day(sold_on),
        is_at_distance=how == "distance",
        told_on=None if told_on == "-" else day(told_on),
        wants_early_start=is_early,
        provided_on=day(provided) if provided else None,
        own_days=int(own),
    )


@pytest.mark.parametrize(
    "row", [line.replace("->", "").split() for line in LAST_DAYS.strip().split("\n")], ids=" ".join
)
def test_n13_the_last_day_of_the_right_to_cancel(row: list[str]) -> None:
    last = last_day(sale(*row[:5]), LAW)
    assert last == (None if row[5] == "-" else day(row[5]))


@given(st.dates(datetime.date(2024, 1, 1), datetime.date(2040, 1, 1)))
def test_weekends_and_bank_holidays_are_days_like_others(sold_on: datetime.date) -> None:
    told = sale("consumer", "distance", sold_on.isoformat(), sold_on.isoformat(), "0")
    assert last_day(told, LAW) == sold_on + datetime.timedelta(days=14)
    assert refusal(told, LAW, sold_on + datetime.timedelta(days=14)) == ""
    assert "ended on" in refusal(told, LAW, sold_on + datetime.timedelta(days=15))


def test_n13_a_business_may_cancel_within_seven_days_unless_it_was_provided() -> None:
    ordered = ("business", "distance", "2026-03-02", "2026-03-02", "7")
    assert refusal(sale(*ordered), LAW, day("2026-03-09")) == ""
    assert "ended on 9 March 2026" in refusal(sale(*ordered), LAW, day("2026-03-10"))
    provided = sale(*ordered, provided="2026-03-05")
    assert refusal(provided, LAW, day("2026-03-04")) == ""
    assert "was provided on 5 March 2026" in refusal(provided, LAW, day("2026-03-05"))


def test_a_consumer_may_cancel_a_service_that_was_provided() -> None:
    assert (
        refusal(
            sale("consumer", "distance", "2026-03-02", "2026-03-02", "0", provided="2026-03-02"),
            LAW,
            day("2026-03-16"),
        )
        == ""
    )


# provided on, asked for an early start, told of the right -> what a cancellation on 10 March leaves due
DUE = """
2026-03-02 yes 2026-03-02 -> days_used
2026-03-02 no  2026-03-02 -> nothing
2026-03-02 yes -          -> nothing
2026-03-10 yes 2026-03-02 -> nothing
-          yes 2026-03-02 -> nothing
"""


@pytest.mark.parametrize(
    "row", [line.replace("->", "").split() for line in DUE.strip().split("\n")], ids=" ".join
)
def test_only_who_asked_for_an_early_start_pays_for_the_days_used(row: list[str]) -> None:
    provided, early, told, due = row
    made = sale(
        "consumer",
        "distance",
        "2026-03-02",
        told,
        "0",
        provided=provided.replace("-", "") and provided if provided != "-" else "",
        is_early=early == "yes",
    )
    assert leaves_due(made, day("2026-03-10")) is Cancelling(due)


def test_the_days_used_are_charged_in_proportion_and_the_set_up_only_where_it_is_a_service_of_its_own() -> (
    None
):
    used = subscription("2026-03-02", price=31, setup_micros=pounds(40))
    amount, computation = cancellation_due(used, day("2026-03-10"))
    assert amount == pounds(8)
    assert computation == ("Begun at the customer's express request: 8 days from 2 March 2026: £8.00.",)
    keeps = subscription("2026-03-02", price=31, setup_micros=pounds(40), terms=Terms(keeps_setup=True))
    assert cancellation_due(keeps, day("2026-03-10"))[0] == pounds(48)
    not_asked = subscription("2026-03-02", price=31, wants_early_start=False)
    assert cancellation_due(not_asked, day("2026-03-10"))[0] == 0
