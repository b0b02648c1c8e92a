"""A packed tariff answers as the one that was read."""

import random

import pytest

from rating.charge import charge
from rating.money import VatMode
from rating.packed_tariff import KEPT_MAX, PackedTariff, pack_stamp, pack_tariff
from rating.price_book import NO_BOOK, PriceBook, read_price_book
from rating.price_table import PriceTable
from rating.rate import ORIGINS
from rating.tariff import ON_NET, Tariff, load_tariff, whole_tariff_text
from rating.time_bands import BandPattern, make_time_bands
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


def pair(rows: str, book: PriceBook = NO_BOOK) -> tuple[Tariff, PackedTariff]:
    text = HEADER + rows
    read = load_tariff("t", text, "inc_vat", book)
    table = PriceTable(pack_tariff(read, text, book))
    packed = PackedTariff("t", vat=VatMode.INC_VAT, table=table, book=book)
    assert packed.version == read.version
    assert packed.whole_text(text, book) == whole_tariff_text(text, read.rates, book)
    return read, packed


ROWS = """+44,UK,0,0.012,1,1,2020-01-01,2025-12-31
+44,UK,0,0.013,1,1,2026-01-01,
+447,mobile,0,0.09,1,1,2027-01-01,
118,directory,1,1,60,60,2020-01-01,
on-net,own,0,0.001,1,1,2020-01-01,
sms:+44,text,0.05,0,1,1,2020-01-01,
sms:on-net,own text,0.01,0,1,1,2020-01-01,
attempt:+447,attempt,0.02,0,1,1,2020-01-01,
in:+44808,own freephone,0,0.03,1,1,2020-01-01,
in:mobile:+44808,own freephone,0,0.05,1,1,2020-01-01,
"""


@pytest.mark.parametrize("at_ms", [JAN - 1, JAN, JAN + 400 * 86_400_000, 0])
@pytest.mark.parametrize("number", NUMBERS)
def test_it_answers_as_the_one_that_was_read(number: str, at_ms: int) -> None:
    read, packed = pair(ROWS)
    assert packed.rate_for(number, at_ms) == read.rate_for(number, at_ms)
    assert packed.text_rate_for(number, at_ms) == read.text_rate_for(number, at_ms)
    assert packed.attempt_rate_for(number, at_ms) == read.attempt_rate_for(number, at_ms)
    assert packed.tried_for(number) == read.tried_for(number)
    for origin in ORIGINS:
        assert packed.incoming_rate_for("+448081570123", origin, at_ms) == read.incoming_rate_for(
            "+448081570123", origin, at_ms
        )


def test_its_rates_can_be_gone_through() -> None:
    read, packed = pair(ROWS)
    assert len(packed.rates) == len(read.rates) == 10
    assert set(packed.rates) == set(read.rates)
    assert set(packed.call_prefixes) == set(read.call_prefixes)
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


SHARED = {
    "destinations.csv": "prefix,group\n+441,uk\n+442,uk\n+447,mobile\n+4470,personal\n",
    "service-charges.csv": "sc_code,ppm_inc,ppc_inc,ppc_covers_s,eff_from\nSC001,7,0,0,2020-01-01\n",
    "service-numbers.csv": "prefix,sc_code,eff_from\n+44844,SC001,2020-01-01\n",
}
BANDED = """group:uk,UK,0,0.012,1,1,2020-01-01,,0.03
group:mobile,mobile,0,0.09,1,1,2020-01-01,,
+4420,London,0,0.01,1,1,2020-01-01,,0.02
access,access charge,0,0.05,1,1,2020-01-01,,
+44,the rest,0,0.5,1,1,2020-01-01,,
"""


@pytest.mark.parametrize(
    "number",
    ["+441632960123", "+442079460123", "+447700900123", "+447012345678", "+448445670123", "+443069990123"],
)
def test_groups_bands_and_access_charges_are_the_same(number: str) -> None:
    bands = make_time_bands(["day"], BandPattern(week=(((480, 1080, 1),),) * 7))
    book, problems = read_price_book(SHARED, bands)
    assert problems == []
    text = HEADER.replace("\n", ",per_minute_day\n") + BANDED
    read = load_tariff("t", text, "inc_vat", book)
    packed = PackedTariff(
        "t", vat=VatMode.INC_VAT, table=PriceTable(pack_tariff(read, text, book)), book=book
    )
    assert packed.version == read.version and packed.access_charges == read.access_charges
    assert packed.whole_text(text, book) == whole_tariff_text(text, read.rates, book)
    for at_ms in (JAN, JAN + 12 * 3_600_000):
        one, other = packed.rate_for(number, at_ms), read.rate_for(number, at_ms)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert charge(one, 200_000, at_ms=at_ms) == charge(other, 200_000, at_ms=at_ms)
            assert (one.prefix, one.group) == (other.prefix, other.group)
