"""Calls at prices that are more than so much a minute: reserved, cut at the last paid second, settled, on record; and
settled to the micro by the next process after a crash."""

import datetime

import msgspec
import pytest

from rating.charge import charge
from rating.money import VatMode
from rating.price_book import PriceBook, read_price_book
from rating.rate import Rate
from rating.records import Cdr
from rating.tariff import load_tariff
from rating.time_bands import BandPattern, make_time_bands
from switch.calls.open_call import OpenCall, OpenPrice
from switch.calls.open_price import open_price, rate_of
from tests.link import Link
from tests.switch.house import House, Phone, make_account, make_conf, make_line, make_trunk

PENNY = 10_000
POUND = 1_000_000
# 19:00 on a Monday in London, where peak ends.
BORDER_S = int(datetime.datetime.fromisoformat("2026-06-15T19:00:00+01:00").timestamp())

SPECIAL = "included_s,minimum_charge,call_cap,at_cap,per_minute_peak,connect_fee_peak"
TARIFF = f"""prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until,{SPECIAL}
group:mobile,Mobile,0.01,0.06,1,1,2020-01-01,,,,,,0.12,0.05
+33,France,0,0.60,1,1,2020-01-01,,,,0.50,end,,
+34,Spain,0,0.60,1,1,2020-01-01,,,,0.50,free,,
+39,Italy,0.10,0.60,1,1,2020-01-01,,30,0.20,,,,
group:free,Free,0,0,1,1,2020-01-01,,,,,,,
access,Service,0,0.10,1,1,2020-01-01,,,,,,,
"""
FILES = {
    "destinations.csv": "prefix,group\n+447,mobile\n+4480,free\n116,free\n+4484,service\n",
    "service-charges.csv": (
        "sc_code,ppm_inc,ppc_inc,ppc_covers_s,eff_from\n"
        "EX1,7,,,2015-07-01\n"
        "EX2,60,60,60,2015-07-01\n"
    ),
    "service-numbers.csv": "prefix,sc_code,eff_from\n+44844,EX1,2015-07-01\n118,EX2,2015-07-01\n",
}


def price_book() -> PriceBook:
    bands = make_time_bands(("peak",), BandPattern((*((((420, 1140, 1),),) * 5), (), ())))
    book, problems = read_price_book(FILES, bands)
    assert problems == []
    return book


BOOK = price_book()


def tariff(vat: VatMode = VatMode.INC_VAT) -> object:
    return load_tariff("retail", TARIFF, vat.value, BOOK)


def make_house(
    balance: int,
    *,
    starts_s: float = BORDER_S - 100_000.0,
    vat: VatMode = VatMode.INC_VAT,
    state: dict[str, bytes] | None = None,
    link: Link | None = None,
) -> House:
    """`starts_s` is what the wall clock shows when the house's own is at 0."""
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], tariff=tariff(vat)),  # type: ignore[arg-type]
        lines=[make_line("alice")],
        accounts=[make_account(vat=vat)],
        balances={1: balance},
        state=state,
        link=link,
        seed=1 if state is None else 2,
    )
    house.wall.offset_s = starts_s
    return house


def with_phones(house: House) -> tuple[Phone, Phone]:
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    alice.register()
    alice.statuses.clear()
    return alice, carrier


def call(house: House, number: str, seconds: float) -> Cdr:
    """A call that the caller ends, if nobody else does before."""
    alice, _ = with_phones(house)
    alice.invite(number)
    house.run(seconds)
    if alice.dialogs:
        alice.hang_up()
    house.run(40)
    house.assert_clean()
    return house.journal.cdrs()[0]


def check_sums(house: House, row: Cdr, *, before: int) -> None:
    parts = (row.connect_fee_micros, row.usage_micros, row.access_charge_micros, row.service_charge_micros)
    assert row.cost_micros == sum(parts)
    assert row.balance_after_micros == house.balance() == before - row.cost_micros
    usage = [entry.amount_micros for entry in house.journal.usage()]
    assert usage == ([-row.cost_micros] if row.cost_micros else [])


def rate_for(number: str, at_ms: int, vat: VatMode = VatMode.INC_VAT) -> Rate:
    rate = tariff(vat).rate_for(number, at_ms)  # type: ignore[attr-defined]
    assert rate is not None
    return rate


# Time bands.


def test_a_call_across_the_end_of_peak_is_split_there() -> None:
    house = make_house(10 * POUND, starts_s=BORDER_S - 31.0)
    row = call(house, "07700900123", 60)
    assert row.answered_at_ms is not None
    peak_ms = BORDER_S * 1000 - row.answered_at_ms
    assert 0 < peak_ms < 31_000
    expected = (peak_ms * 12 * PENNY + (row.billed_s * 1000 - peak_ms) * 6 * PENNY) // 60_000
    assert (row.connect_fee_micros, row.usage_micros) == (5 * PENNY, expected)
    check_sums(house, row, before=10 * POUND)
    assert (
        charge(
            rate_for("+447700900123", row.answered_at_ms), row.duration_ms, at_ms=row.answered_at_ms
        ).total_micros
        == row.cost_micros
    )


def test_a_call_that_is_answered_in_another_band_than_it_was_dialled_in_goes_by_the_answer() -> None:
    house = make_house(10 * POUND, starts_s=BORDER_S - 5.0)
    alice, carrier = with_phones(house)
    carrier.answer_after_s = 20.0
    alice.invite("07700900123")
    house.run(2)
    held = house.exchange.engine.totals(1).reserved_micros
    house.run(20)
    assert house.exchange.engine.totals(1).reserved_micros < held
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.connect_fee_micros, row.usage_micros) == (PENNY, row.billed_s * 6 * PENNY // 60)
    check_sums(house, row, before=10 * POUND)


def test_credit_is_counted_by_the_bands_that_it_reaches_into() -> None:
    house = make_house(5 * PENNY + 6 * PENNY + 6 * PENNY, starts_s=BORDER_S - 31.0)
    row = call(house, "07700900123", 400)
    assert row.ended_by == "credit"
    assert row.answered_at_ms is not None
    rate = rate_for("+447700900123", row.answered_at_ms)
    more = charge(rate, (row.billed_s + 1) * 1000, at_ms=row.answered_at_ms).total_micros
    assert row.cost_micros <= 17 * PENNY < more
    assert 60 < row.billed_s < 95
    assert row.billed_s * 1000 <= row.duration_ms <= row.billed_s * 1000 + 1000
    check_sums(house, row, before=17 * PENNY)


@pytest.mark.parametrize("number", ["07700900123", "0844 123 4567", "0039 06 123456", "118500"])
@pytest.mark.parametrize("crash_after_s", [5.0, 40.0, 75.0])
def test_after_a_crash_a_call_is_settled_to_the_micro(number: str, crash_after_s: float) -> None:
    house = make_house(100 * POUND, starts_s=BORDER_S - 31.0)
    alice, _ = with_phones(house)
    alice.invite(number.replace(" ", ""))
    house.run(crash_after_s)
    held = house.exchange.engine.reservation(next(iter(house.exchange.board.calls)))
    assert held is not None
    again = make_house(
        100 * POUND, starts_s=BORDER_S - 31.0, state=dict(house.journal.state), link=house.link
    )
    again.run(5)
    row = again.journal.cdrs()[0]
    expected = charge(held.rate, row.duration_ms, at_ms=held.at_ms)
    assert row.is_recovered
    assert row.billed_s == expected.billed_s > 0
    assert (row.connect_fee_micros, row.usage_micros) == (expected.connect_fee_micros, expected.usage_micros)
    assert (row.access_charge_micros, row.service_charge_micros) == (
        expected.access_charge_micros,
        expected.service_charge_micros,
    )
    check_sums(again, row, before=100 * POUND)


# The unbundled tariff.


def test_access_and_service_charge_are_apart_on_the_record() -> None:
    house = make_house(10 * POUND)
    row = call(house, "08441234567", 61)
    assert row.billed_s == 61
    assert (row.connect_fee_micros, row.usage_micros) == (0, 0)
    assert (row.access_charge_micros, row.service_charge_micros) == (101_666, 71_166)
    assert (row.rate_prefix, row.destination_name, row.per_minute_micros) == ("+44844", "Service", 17 * PENNY)
    check_sums(house, row, before=10 * POUND)


def test_a_tariff_without_vat_has_the_service_charge_without_it() -> None:
    house = make_house(10 * POUND, vat=VatMode.EX_VAT)
    row = call(house, "08441234567", 60)
    assert (row.access_charge_micros, row.service_charge_micros) == (10 * PENNY, 58_333)
    check_sums(house, row, before=10 * POUND)


def test_a_call_to_a_service_number_is_cut_at_its_last_paid_second() -> None:
    house = make_house(17 * PENNY)
    row = call(house, "08441234567", 100)
    assert row.ended_by == "credit"
    assert row.billed_s == 60
    assert row.cost_micros == 17 * PENNY
    check_sums(house, row, before=17 * PENNY)


def test_the_fee_of_a_call_is_held_before_the_callee_rings() -> None:
    house = make_house(60 * PENNY + PENNY // 10)
    alice, carrier = with_phones(house)
    alice.invite("118500")
    house.run(5)
    assert alice.statuses[-1] == 402
    assert carrier.requests == []
    house = make_house(61 * PENNY)
    row = call(house, "118500", 100)
    assert (row.ended_by, row.service_charge_micros) == ("credit", 60 * PENNY)


def test_a_number_whose_service_charge_is_not_known_is_refused() -> None:
    house = make_house(10 * POUND)
    alice, carrier = with_phones(house)
    alice.invite("08712345678")
    house.run(5)
    assert alice.statuses[-1] >= 400
    assert carrier.requests == []
    assert house.journal.cdrs()[0].outcome == "no_rate"


@pytest.mark.parametrize("number", ["08081570123", "116123", "999"])
def test_what_is_free_needs_no_credit(number: str) -> None:
    house = make_house(0)
    row = call(house, number, 30)
    assert (row.outcome, row.cost_micros, house.balance()) == ("answered", 0, 0)


# Caps, minimum, included seconds.


def test_a_call_that_ends_at_its_cap_is_ended_there() -> None:
    house = make_house(10 * POUND)
    row = call(house, "003312345678", 200)
    assert (row.billed_s, row.cost_micros) == (50, 50 * PENNY)
    assert row.duration_ms < 52_000
    check_sums(house, row, before=10 * POUND)


def test_beyond_its_cap_a_call_goes_on_for_nothing() -> None:
    house = make_house(50 * PENNY)
    row = call(house, "003412345678", 200)
    assert row.ended_by == "caller"
    assert row.billed_s == 200
    assert row.cost_micros == 50 * PENNY
    check_sums(house, row, before=50 * PENNY)


@pytest.mark.parametrize(("seconds", "pence"), [(5, 20), (30, 20), (45, 25)])
def test_minimum_charge_and_included_seconds(seconds: int, pence: int) -> None:
    house = make_house(10 * POUND)
    row = call(house, "003912345678", seconds)
    assert (row.billed_s, row.cost_micros) == (seconds, pence * PENNY)
    check_sums(house, row, before=10 * POUND)


# What the journal keeps.


@pytest.mark.parametrize(
    "number", ["+447700900123", "+448441234567", "+3312345678", "+3412345678", "+3912345678"]
)
@pytest.mark.parametrize("granted_s", [30, 60, 3600, 7 * 86_400])
def test_a_price_comes_back_from_the_journal_as_it_was(number: str, granted_s: int) -> None:
    at_ms = BORDER_S * 1000 - 12_345
    rate = rate_for(number, at_ms)
    kept = msgspec.msgpack.encode(open_price(rate, 1, granted_s, at_ms=at_ms))
    again = rate_of(msgspec.msgpack.decode(kept, type=OpenPrice))
    for seconds in (0, 1, 12, 13, 29, 30, 59, 60, 61, 3599, 3600, 100_000):
        if seconds <= granted_s:
            assert charge(again, seconds * 1000, at_ms=at_ms) == charge(rate, seconds * 1000, at_ms=at_ms)


def test_an_older_journal_is_read() -> None:
    """Until this release a price had nine fields."""
    old = msgspec.msgpack.encode([1, "+447", "Mobile", PENNY, 6 * PENNY, 1, 1, 60, "inc_vat"])
    price = msgspec.msgpack.decode(old, type=OpenPrice)
    assert price.special is None
    assert charge(rate_of(price), 60_000).total_micros == 7 * PENNY
    call_record = msgspec.msgpack.encode(["id", None, msgspec.Raw(old), [], [], []])
    assert msgspec.msgpack.decode(call_record, type=OpenCall).price == price
