"""A packed tariff answers as the one that was read."""

import random

import pytest

from rating.money import VatMode
from rating.packed_tariff import KEPT_MAX, PackedTariff, pack_rates, pack_stamp
from rating.price_table import PriceTable
from rating.tariff import ON_NET, load_tariff
from tests.rating.test_supplier_deck import JAN

HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
NUMBERS = [
    "+441632960123",
    "+447700900123",
    "+12025550123",
    "118500",
    "101",
    ON_NET,
    "+",
    "",
    "alice",
    "+4477009001234567",
]


def pair(rows: str) -> tuple[object, PackedTariff]:
    read = load_tariff("t", HEADER + rows, "inc_vat")
    table = PriceTable(pack_rates(read.rates))
    return read, PackedTariff("t", vat=VatMode.INC_VAT, version=read.version, table=table)


ROWS = """+44,UK,0,0.012,1,1,2020-01-01,2025-12-31
+44,UK,0,0.013,1,1,2026-01-01,
+447,mobile,0,0.09,1,1,2027-01-01,
118,directory,1,1,60,60,2020-01-01,
on-net,own,0,0.001,1,1,2020-01-01,
sms:+44,text,0.05,0,1,1,2020-01-01,
sms:on-net,own text,0.01,0,1,1,2020-01-01,
"""


@pytest.mark.parametrize("at_ms", [JAN - 1, JAN, JAN + 400 * 86_400_000, 0])
@pytest.mark.parametrize("number", NUMBERS)
def test_it_answers_as_the_one_that_was_read(number: str, at_ms: int) -> None:
    read, packed = pair(ROWS)
    assert packed.rate_for(number, at_ms) == read.rate_for(number, at_ms)
    assert packed.text_rate_for(number, at_ms) == read.text_rate_for(number, at_ms)


def test_its_rates_can_be_gone_through() -> None:
    read, packed = pair(ROWS)
    assert len(packed.rates) == len(read.rates) == 7
    assert set(packed.rates) == set(read.rates)
    assert packed.rates[0] in read.rates


def test_a_large_one_agrees_everywhere() -> None:
    draw = random.Random(3)
    keys = {f"+{draw.randint(1, 10 ** draw.randint(1, 7))}" for _ in range(3_000)}
    read, packed = pair("".join(f"{key},d,0,0.01,1,1,2020-01-01,\n" for key in keys))
    for _ in range(5_000):
        number = f"+{draw.randint(1, 10 ** draw.randint(1, 12))}"
        assert packed.rate_for(number, JAN) == read.rate_for(number, JAN)
    assert len(packed._kept) <= KEPT_MAX


def test_the_stamp_is_that_of_how_a_rate_looks() -> None:
    assert len(pack_stamp()) == 8 and pack_stamp() == pack_stamp()
