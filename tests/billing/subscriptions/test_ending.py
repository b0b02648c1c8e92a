"""Ends: the day of the notice plus the notice period, the last bill, the charge for leaving early."""

import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.conf_subscriptions import ContractLaw
from billing.customers import CustomerKind
from billing.subscriptions.ending import Quote, cease_day, early_termination, quote
from billing.subscriptions.steps import Step, cost_between
from billing.subscriptions.subscription import Ending, EndReason, Subscription
from billing.subscriptions.terms import (
    EarlyTermination,
    EarlyTerminationKind,
    Terms,
    WithoutCredit,
    check_sale,
    check_terms,
)
from provisioning.problems import InvalidValue, Refused
from rating.money import VatMode
from tests.billing.subscriptions.contracts import day, pounds, subscription


def end(
    made: Subscription, written_on: str, *, reason: EndReason = EndReason.NOTICE, wanted_on: str = ""
) -> Quote:
    wanted = day(wanted_on) if wanted_on else None
    ceases_on = cease_day(made, reason, written_on=day(written_on), wanted_on=wanted)
    return quote(made, Ending(1, reason, day(written_on), ceases_on))


def charged(made: Subscription, until: str) -> Subscription:
    return msgspec.structs.replace(made, charged_until=made.rhythm.at(day(until)).end)


def test_m12_the_service_ceases_after_the_notice_and_is_charged_until_then() -> None:
    """£31.00 a month on the first, 30 days of notice, written on 10 March: April's first eight days."""
    made = charged(subscription("2026-01-01", price=31, terms=Terms(notice_days=30)), "2026-03-10")
    last = end(made, "2026-03-10")
    assert last.ceases_on == day("2026-04-09")
    assert last.to_charge_micros == pounds(31) * 8 // 30
    assert last.given_back_micros == 0


def test_m12_what_was_paid_in_advance_is_not_given_back_where_the_rule_says_so() -> None:
    keeps = charged(subscription("2026-01-01", price=31, terms=Terms(notice_days=0)), "2026-03-10")
    assert end(keeps, "2026-03-10").given_back_micros == 0
    gives = charged(
        subscription("2026-01-01", price=31, terms=Terms(notice_days=0, refunds_unused=True)), "2026-03-10"
    )
    assert end(gives, "2026-03-10").given_back_micros == pounds(22)
    assert end(gives, "2026-03-10").total_micros == -pounds(22)


def test_who_is_not_the_cause_of_the_end_gets_back_what_is_not_used() -> None:
    keeps = charged(subscription("2026-01-01", price=31, terms=Terms(notice_days=30)), "2026-03-10")
    for reason in (EndReason.PROVIDER, EndReason.RIGHT_TO_EXIT):
        last = end(keeps, "2026-03-10", reason=reason)
        assert (last.ceases_on, last.given_back_micros) == (day("2026-03-10"), pounds(22))
    assert end(keeps, "2026-03-10", reason=EndReason.BREACH).given_back_micros == 0


def test_c5_the_quote_names_the_day_and_the_pro_rated_last_bill() -> None:
    made = charged(subscription("2026-01-20", price=31, terms=Terms(notice_days=14)), "2026-03-01")
    last = end(made, "2026-03-15")
    assert last.ceases_on == day("2026-03-29")
    assert last.to_charge_micros == pounds(9)  # 20 to 28 March, of 31 days
    assert last.total_micros == pounds(9)


def test_a_later_day_can_be_asked_for_and_no_earlier_one() -> None:
    made = subscription("2026-01-01", terms=Terms(notice_days=30))
    assert end(made, "2026-03-10", wanted_on="2026-05-01").ceases_on == day("2026-05-01")
    assert end(made, "2026-03-10", wanted_on="2026-03-11").ceases_on == day("2026-04-09")


TOLD = "Leaving early costs the rest of the term."
# kind, percent or sum, refunds unused, written -> ceases, early-termination charge
EARLY = """
# 12 months of 30.00 from 1 January 2026, 30 days of notice
remaining 100 no  2026-01-02 -> 2026-02-01 330.00
remaining  60 no  2026-01-02 -> 2026-02-01 198.00
remaining  60 no  2026-06-01 -> 2026-07-01 108.00
remaining 100 no  2026-11-17 -> 2026-12-17  14.51
remaining 100 no  2026-12-02 -> 2027-01-01   0.00
remaining 100 no  2027-06-01 -> 2027-07-01   0.00
of_term    10 no  2026-01-02 -> 2026-02-01  36.00
of_term    50 no  2026-11-01 -> 2026-12-01  30.00
fixed   25.00 no  2026-01-02 -> 2026-02-01  25.00
fixed   99.00 no  2026-11-01 -> 2026-12-01  30.00
none        0 no  2026-01-02 -> 2026-02-01   0.00
"""


@pytest.mark.parametrize(
    "row", [line.replace("->", "").split() for line in EARLY.strip().split("\n")[1:]], ids=" ".join
)
def test_n14_the_charge_for_leaving_within_the_term(row: list[str]) -> None:
    kind, figure, _, written_on, ceases_on, due = row
    is_sum = kind == "fixed"
    early = EarlyTermination(
        kind=EarlyTerminationKind(kind),
        percent=0 if is_sum else int(figure),
        inc_vat_micros=pounds(float(figure)) if is_sum else None,
        told=TOLD,
    )
    terms = Terms(min_term_months=12, notice_days=30, early_termination=early)
    made = charged(subscription("2026-01-01", price=30, terms=terms), written_on)
    last = end(made, written_on)
    assert last.ceases_on == day(ceases_on)
    assert last.early_termination_micros == round(float(due) * 1_000_000)
    assert last.computation


def test_n14_no_day_is_paid_twice_in_the_last_period_and_in_the_charge_for_leaving() -> None:
    """Notice on 10 January without a notice period: January is paid and kept, so the charge begins with February."""
    early = EarlyTermination(kind=EarlyTerminationKind.REMAINING, percent=100, told=TOLD)
    terms = Terms(min_term_months=12, notice_days=0, early_termination=early)
    keeps = end(subscription("2026-01-01", price=31, terms=terms), "2026-01-11")
    assert (keeps.given_back_micros, keeps.early_termination_micros) == (0, 11 * pounds(31))
    gives_terms = msgspec.structs.replace(terms, refunds_unused=True)
    gives = end(subscription("2026-01-01", price=31, terms=gives_terms), "2026-01-11")
    assert gives.given_back_micros == pounds(21)
    assert gives.early_termination_micros == pounds(21) + 11 * pounds(31)


def test_n14_a_price_that_rises_within_the_term_counts_in_the_charge_for_leaving() -> None:
    early = EarlyTermination(kind=EarlyTerminationKind.REMAINING, percent=100, told=TOLD)
    steps = (Step(day("2026-01-01"), "Line", 1, pounds(30)), Step(day("2026-04-01"), "Line", 1, pounds(31.5)))
    terms = Terms(min_term_months=6, notice_days=30, early_termination=early)
    last = end(subscription("2026-01-01", steps=steps, terms=terms), "2026-01-02")
    assert last.early_termination_micros == 2 * pounds(30) + 3 * pounds(31.5)


def test_nobody_pays_for_leaving_when_the_provider_ends_it_or_changes_it() -> None:
    early = EarlyTermination(kind=EarlyTerminationKind.REMAINING, percent=100, told=TOLD)
    terms = Terms(min_term_months=12, early_termination=early)
    made = subscription("2026-01-01", terms=terms)
    for reason in (EndReason.PROVIDER, EndReason.RIGHT_TO_EXIT):
        assert end(made, "2026-01-10", reason=reason).early_termination_micros == 0
    assert end(made, "2026-01-10", reason=EndReason.BREACH).early_termination_micros > 0


@given(
    st.dates(datetime.date(2026, 1, 1), datetime.date(2028, 12, 31)),
    st.integers(1, 36),
    st.sampled_from([EarlyTerminationKind.REMAINING, EarlyTerminationKind.OF_TERM]),
    st.integers(1, 100),
    st.integers(0, 1200),
    st.booleans(),
)
def test_leaving_never_costs_more_than_staying(
    start: datetime.date,
    months: int,
    kind: EarlyTerminationKind,
    percent: int,
    later: int,
    refunds: bool,
) -> None:
    early = EarlyTermination(kind=kind, percent=percent, told=TOLD)
    terms = Terms(min_term_months=months, early_termination=early, refunds_unused=refunds)
    made = subscription(start.isoformat(), price=29.99, terms=terms)
    written = start + datetime.timedelta(days=later)
    made = msgspec.structs.replace(made, charged_until=made.rhythm.at(written).end)
    ceases_on = cease_day(made, EndReason.NOTICE, written_on=written)
    ending = Ending(1, EndReason.NOTICE, written, ceases_on)
    due = early_termination(msgspec.structs.replace(made, ending=ending), ending).amount_micros
    staying = cost_between(made.rhythm, made.steps, ceases_on, made.term_ends_on)
    assert 0 <= due <= staying


# minimum term, kind -> sold
TERMS = """
 0 consumer       yes
 1 consumer       yes
12 consumer       yes
24 consumer       yes
25 consumer       no
36 consumer       no
36 small_business yes
36 business       yes
"""


@pytest.mark.parametrize("row", [line.split() for line in TERMS.strip().split("\n")], ids=" ".join)
def test_n14_c4_minimum_terms_of_0_to_36_months_and_24_at_most_for_consumers(row: list[str]) -> None:
    terms = check_terms(Terms(min_term_months=int(row[0])))
    if row[2] == "yes":
        check_sale(terms, CustomerKind(row[1]), ContractLaw())
    else:
        with pytest.raises(Refused, match="at most 24"):
            check_sale(terms, CustomerKind(row[1]), ContractLaw())


@pytest.mark.parametrize(
    "wrong",
    [
        Terms(min_term_months=37),
        Terms(min_term_months=-1),
        Terms(notice_days=91),
        Terms(own_cancel_days=31),
        Terms(min_term_months=12, without_credit=WithoutCredit.WAIT),
        Terms(early_termination=EarlyTermination(EarlyTerminationKind.REMAINING, percent=50, told="x")),
        Terms(
            min_term_months=1, early_termination=EarlyTermination(EarlyTerminationKind.REMAINING, percent=50)
        ),
        Terms(
            min_term_months=1, early_termination=EarlyTermination(EarlyTerminationKind.REMAINING, told="x")
        ),
        Terms(min_term_months=1, early_termination=EarlyTermination(EarlyTerminationKind.FIXED, told="x")),
        Terms(
            min_term_months=1,
            early_termination=EarlyTermination(EarlyTerminationKind.OF_TERM, percent=101, told="x"),
        ),
    ],
)
def test_terms_that_cannot_be_offered_are_refused(wrong: Terms) -> None:
    with pytest.raises(InvalidValue):
        check_terms(wrong)


def test_a_consumer_cannot_be_held_to_a_quarter_of_notice() -> None:
    for kind in (CustomerKind.CONSUMER, CustomerKind.SMALL_BUSINESS):
        with pytest.raises(Refused, match="at most 31"):
            check_sale(Terms(notice_days=90), kind, ContractLaw())
    check_sale(Terms(notice_days=90), CustomerKind.BUSINESS, ContractLaw())


def test_a_fixed_sum_is_the_one_of_the_accounts_vat_mode() -> None:
    early = EarlyTermination(
        EarlyTerminationKind.FIXED, inc_vat_micros=pounds(12), ex_vat_micros=pounds(10), told="x"
    )
    terms = Terms(min_term_months=12, early_termination=early)
    for vat, due in ((VatMode.INC_VAT, 12), (VatMode.EX_VAT, 10)):
        assert end(subscription(terms=terms, vat=vat), "2026-01-02").early_termination_micros == pounds(due)
