"""VAT and whole pennies, by tables and by an independent reckoning with fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.vat import Charge, Rate, VatRounding, in_pennies, reckon, vat_on, vat_within
from rating.money import VatMode, parse_pounds
from tests.tables import cases

PENNY = 10_000

# uk.md (h): invoice traders may round down, retailers may not; a top-up of GBP 12.00 holds GBP 2.00.
VAT_ADDED = """
# net_lines            rate   policy           -> VAT
10.00                  2000   half_up             2.00
10.00                  2000   total_down          2.00
10.00                  2000   line_0.1p_down      2.00
0.12                   2000   half_up             0.02
0.13                   2000   half_up             0.03
0.13                   2000   total_down          0.02
0.13                   2000   line_0.1p_down      0.02
1.02                   2000   half_up             0.20
1.03                   2000   half_up             0.21
1.03                   1750   half_up             0.18
1.03                   1750   total_down          0.18
0.33+0.33+0.33         1750   half_up             0.17
0.33+0.33+0.33         1750   total_down          0.17
0.33+0.33+0.34         1750   line_0.1p_down      0.17
0.09+0.09+0.09+0.09    1750   half_up             0.06
0.09+0.09+0.09+0.09    1750   line_0.1p_down      0.06
0.03+0.03+0.03         500    half_up             0.00
0.10                   500    half_up             0.01
0.10                   500    total_down          0.00
-0.13                  2000   half_up             -0.03
-0.13                  2000   total_down          -0.02
5.00                   0      half_up             0.00
"""

VAT_CONTAINED = """
# gross   rate -> VAT
12.00     2000   2.00
0.01      2000   0.00
0.02      2000   0.00
0.03      2000   0.01
0.04      2000   0.01
7.00      2000   1.17
0.07      2000   0.01
100.00    1750   14.89
-12.00    2000   -2.00
-0.03     2000   -0.01
3.60      2000   0.60
6.00      2000   1.00
"""


@pytest.mark.parametrize(("net", "rate", "policy", "vat"), cases(VAT_ADDED))
def test_vat_that_is_added_is_rounded_by_the_policy_of_the_run(
    net: str, rate: str, policy: str, vat: str
) -> None:
    lines = [parse_pounds(line) for line in net.split("+")]
    assert vat_on(lines, int(rate), VatRounding(policy)) == parse_pounds(vat)


@pytest.mark.parametrize(("gross", "rate", "vat"), cases(VAT_CONTAINED))
def test_retailers_round_vat_to_the_nearest_penny_and_never_down(gross: str, rate: str, vat: str) -> None:
    assert vat_within(parse_pounds(gross), int(rate)) == parse_pounds(vat)


exact_amounts = st.lists(st.integers(-(10**9), 10**9), max_size=12)
policies = st.sampled_from(list(VatRounding))
rates = st.sampled_from([None, 0, 500, 1750, 2000])
charges = st.lists(st.builds(Charge, st.integers(-(10**9), 10**9), rates), max_size=12)


@given(exact_amounts)
def test_lines_in_pennies_add_up_to_the_sum_down_to_a_penny(exact: list[int]) -> None:
    whole = in_pennies(exact)
    assert sum(whole) == sum(exact) // PENNY * PENNY
    assert all(amount % PENNY == 0 for amount in whole)
    assert all(abs(amount - micros) < PENNY for amount, micros in zip(whole, exact, strict=True))


@given(exact_amounts)
def test_a_line_of_whole_pennies_is_shown_as_it_is(exact: list[int]) -> None:
    mixed = [micros // PENNY * PENNY if place % 2 else micros for place, micros in enumerate(exact)]
    for place, (amount, micros) in enumerate(zip(in_pennies(mixed), mixed, strict=True)):
        assert amount == micros or place % 2 == 0


@given(charges, st.sampled_from(list(VatMode)), policies)
def test_a_document_adds_up_and_nothing_is_lost(
    lines: list[Charge], mode: VatMode, policy: VatRounding
) -> None:
    found = reckon(lines, mode, policy)
    assert found.total_micros == sum(total.gross_micros for total in found.rates)
    assert all(total.net_micros % PENNY == 0 == total.vat_micros % PENNY for total in found.rates)
    shown = sum(found.shown_micros)
    assert shown == (found.total_micros if mode is VatMode.INC_VAT else found.net_micros)
    # Exact charges less the residue are what is asked for: the ledger comes to whole pennies by it.
    assert sum(line.micros for line in lines) - found.residue_micros == shown
    assert 0 <= found.residue_micros < PENNY * max(1, len(found.rates))
    assert all(
        abs(whole - line.micros) < PENNY for whole, line in zip(found.shown_micros, lines, strict=True)
    )


@given(charges, st.sampled_from(list(VatMode)), policies)
def test_vat_is_what_fractions_say(lines: list[Charge], mode: VatMode, policy: VatRounding) -> None:
    found = reckon(lines, mode, policy)
    for total in found.rates:
        shown = [
            Fraction(whole, PENNY)
            for whole, line in zip(found.shown_micros, lines, strict=True)
            if line.rate == total.rate
        ]
        assert Fraction(total.vat_micros, PENNY) == slow_vat(shown, total.rate, mode, policy)


def slow_vat(pennies: list[Fraction], rate: Rate, mode: VatMode, policy: VatRounding) -> Fraction:
    if rate is None:
        return Fraction(0)
    part = Fraction(rate, 10_000)
    sign = 1 if sum(pennies) >= 0 else -1
    if mode is VatMode.INC_VAT:
        return sign * nearest(abs(sum(pennies)) * part / (1 + part))
    if policy is VatRounding.HALF_UP:
        return sign * nearest(abs(sum(pennies)) * part)
    if policy is VatRounding.TOTAL_DOWN:
        return sign * Fraction(abs(sum(pennies)) * part // 1)
    tenths = sum((1 if penny >= 0 else -1) * Fraction(abs(penny) * part * 10 // 1) for penny in pennies)
    return (1 if tenths >= 0 else -1) * Fraction(abs(tenths) / 10 // 1)


def nearest(amount: Fraction) -> Fraction:
    return Fraction((amount + Fraction(1, 2)) // 1)
