"""Net with net, at three minutes."""

import pytest

from rating.calendar import parse_start_ms
from rating.deck import DeckPrice, deck_of
from rating.margin import margin_at, margins
from rating.tariff import Tariff, load_tariff
from rating.vat_rates import UK_VAT, VatRates
from tests.rating.test_supplier_deck import JAN, RATES, price

HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"


def tariff(*rows: str, vat: str = "inc_vat") -> Tariff:
    return load_tariff("t", HEADER + "".join(f"{row},1,1,2020-01-01,\n" for row in rows), vat)


def deck(*prices: DeckPrice) -> object:
    return deck_of("d", prices, currency="GBP", exchange_rates=RATES)


@pytest.mark.parametrize(
    ("vat", "per_minute", "bought_nanos", "expected"),
    [
        ("inc_vat", "0.012", 10_000_000, 0),  # 0.036 with VAT is 0.03 without
        ("inc_vat", "0.012", 10_000_001, -3),  # a billionth more is a micro a minute
        ("ex_vat", "0.012", 10_000_000, 6_000),
        ("inc_vat", "0.011999", 10_000_000, -3),
    ],
)
def test_the_margin_is_of_prices_without_vat(
    vat: str, per_minute: str, bought_nanos: int, expected: int
) -> None:
    sold = tariff(f"+44,UK,0,{per_minute}", vat=vat)
    assert margin_at("+44", sold, deck(price("+44", bought_nanos)), UK_VAT, JAN).micros == expected


def test_vat_is_that_of_the_day() -> None:
    sold = tariff("+44,UK,0,0.012")
    for day, expected in (("2009-06-01", None), ("2026-01-01", 0)):
        at_ms = parse_start_ms(day)
        assert margin_at("+44", sold, deck(price("+44", 10_000_000)), UK_VAT, at_ms).micros == expected
    for day, gross, net in (
        ("2009-06-01", 11500, 10000),
        ("2010-06-01", 11750, 10000),
        ("2026-01-01", 12000, 10000),
    ):
        assert UK_VAT.net_of(gross, parse_start_ms(day)) == net
    assert UK_VAT.net_of(11999, JAN) == 9999  # down
    assert VatRates({}).net_of(12000, JAN) == 12000


def test_prefixes_of_both_are_listed_and_the_longer_one_counts() -> None:
    sold = tariff(
        "+44,UK,0,0.012", "+4470,personal,0,0.5", "118,directory,1,1", "on-net,own,0,0", "sms:+44,text,0.1,0"
    )
    found = {
        each.prefix: each
        for each in margins(sold, deck(price("+44", 1), price("+447", 90_000_000)), UK_VAT, JAN)
    }
    assert list(found) == ["+44", "+447", "+4470", "118"]
    assert [prefix for prefix, each in found.items() if each.is_below_cost] == ["+447"]
    assert found["118"].buying_micros is None and found["118"].micros is None
