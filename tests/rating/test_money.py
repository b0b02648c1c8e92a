"""Money typed and shown: exact, strict, and inverse."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.money import MICROS_PER_POUND, MoneyProblem, format_pounds, parse_pounds, round_charge_part
from tests.tables import cases

amounts = st.integers(-(10**15) + 1, 10**15 - 1)


@pytest.mark.parametrize(
    ("text", "micros"),
    cases("""
        # text         -> micros
        10.00          -> 10_000_000
        £10            -> 10_000_000
        £10.5          -> 10_500_000
        0.012          -> 12_000
        0.000001       -> 1
        0              -> 0
        £0.00          -> 0
        007            -> 7_000_000
        -0.012         -> -12_000
        -£5.00         -> -5_000_000
        999999999.999999 -> 999_999_999_999_999
    """),
)
def test_an_amount_in_pounds_is_read_exactly(text: str, micros: str) -> None:
    assert parse_pounds(text) == int(micros)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "£",
        ".5",
        "10.",
        "1_0",
        "1e5",
        "NaN",
        "Infinity",
        "1,000.00",
        "0.0000001",
        "1.2.3",
        "--1",
        "£-1",
        "+1",
        "-0.00",
        "10p",
        "0x10",
        "1 000",
        "\uff11\uff10",  # full-width digits
        "\u0663",  # an Arabic-Indic three
        "10\n",
        "10\x00",
        "10\xa0",
        "1000000000",
        "9" * 100_000,
    ],
)
def test_what_is_not_an_exact_amount_is_refused_with_the_value_and_what_was_expected(text: str) -> None:
    with pytest.raises(MoneyProblem) as caught:
        parse_pounds(text)
    assert caught.value.found == text
    assert "pounds" in caught.value.expected or "minus zero" in caught.value.expected
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_spaces_around_an_amount_are_allowed() -> None:
    assert parse_pounds(" £10.00\t") == 10_000_000


@pytest.mark.parametrize(
    ("micros", "text"),
    cases("""
        # micros     -> text
        10_000_000   -> £10.00
        0            -> £0.00
        1            -> £0.000001
        -12_000      -> -£0.012
        120_000      -> £0.12
        1_100_000    -> £1.10
        986_800      -> £0.9868
    """),
)
def test_money_is_shown_in_pounds_with_at_least_two_decimals(micros: str, text: str) -> None:
    assert format_pounds(int(micros)) == text


@given(amounts)
def test_parse_and_format_are_inverse(micros: int) -> None:
    assert parse_pounds(format_pounds(micros)) == micros


@given(st.decimals(0, 999_999, places=6))
def test_any_decimal_is_its_micros(amount: Decimal) -> None:
    assert parse_pounds(f"{amount:f}") == amount * MICROS_PER_POUND


@given(st.integers(0, 10**18), st.integers(1, 10_000))
def test_a_charge_part_is_never_more_than_its_exact_value_and_less_by_under_a_micro(
    product: int, divisor: int
) -> None:
    exact = Fraction(product, divisor)
    assert 0 <= exact - round_charge_part(product, divisor=divisor) < 1
