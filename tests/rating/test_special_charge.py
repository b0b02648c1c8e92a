"""Charges by special terms: tables, and properties that no price list may break."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.charge import CALL_S_MAX, Charge, affordable_s, charge, charge_billed, whole_intervals_s
from rating.money import VatMode
from rating.rate import Rate
from rating.special_terms import BandPrices, ServiceCharge, SpecialTerms
from rating.time_bands import BandPattern, make_time_bands
from tests.rating.rates import PENNY, make_rate

PEAK, WEEKEND = 1, 2
BANDS = make_time_bands(
    ("peak", "weekend"), BandPattern((*((((420, 1140, PEAK),),) * 5), *((((0, 1440, WEEKEND),),) * 2)))
)
POUND = 100 * PENNY


def ms(when: str) -> int:
    return int(datetime.datetime.fromisoformat(when).timestamp() * 1000)


def special_rate(
    *,
    connect_fee: int = 0,
    per_minute: int = PENNY,
    peak: int | None = None,
    weekend: int | None = None,
    peak_fee: int | None = None,
    initial_s: int = 1,
    next_s: int = 1,
    included_s: int = 0,
    minimum: int = 0,
    cap: int | None = None,
    ends_at_cap: bool = False,
    service: ServiceCharge | None = None,
) -> Rate:
    rate = make_rate(connect_fee=connect_fee, per_minute=per_minute, initial_s=initial_s, next_s=next_s)
    banded = BandPrices(
        BANDS,
        (per_minute, per_minute if peak is None else peak, per_minute if weekend is None else weekend),
        (connect_fee, connect_fee if peak_fee is None else peak_fee, connect_fee),
    )
    return Rate(
        **{field: getattr(rate, field) for field in rate.__struct_fields__ if field != "special"},
        special=SpecialTerms(
            included_s=included_s,
            minimum=minimum,
            cap=cap,
            ends_at_cap=ends_at_cap,
            banded=banded if (peak, weekend, peak_fee) != (None, None, None) else None,
            service=service,
        ),
    )


def cost(rate: Rate, seconds: float, at: str = "2026-06-15T12:00:00+01:00", *, covered_s: int = 0) -> int:
    return charge(rate, round(seconds * 1000), at_ms=ms(at), covered_s=covered_s).total_micros


# Time bands.

BANDED = special_rate(
    connect_fee=2 * PENNY, per_minute=3 * PENNY, peak=6 * PENNY, weekend=PENNY, peak_fee=5 * PENNY
)


@pytest.mark.parametrize(
    ("at", "seconds", "pence"),
    [
        ("2026-06-15T12:00:00+01:00", 60, 5 + 6),  # a Monday
        ("2026-06-15T18:59:30+01:00", 60, 5 + 3 + 1.5),  # half a minute on each side of 19:00
        ("2026-06-15T06:59:30+01:00", 60, 2 + 1.5 + 3),  # the connect fee is the evening's, where it began
        ("2026-06-15T19:00:00+01:00", 60, 2 + 3),
        ("2026-06-19T23:59:00+01:00", 120, 2 + 3 + 1),  # Friday into Saturday
        ("2026-06-21T23:59:00+01:00", 120, 2 + 1 + 3),  # Sunday into Monday
        ("2026-03-29T00:59:00+00:00", 120, 2 + 1 + 1),  # the night of a clock change is all weekend
        ("2026-06-19T18:30:00+01:00", 6 * 3600, 5 + 30 * 6 + 5 * 60 * 3 + 30 * 1),  # three bands
    ],
)
def test_a_call_is_split_at_the_border(at: str, seconds: int, pence: float) -> None:
    assert cost(BANDED, seconds, at) == pence * PENNY


def test_a_second_across_the_border_is_split_too() -> None:
    at = ms("2026-06-15T19:00:00+01:00") - 250
    assert charge(BANDED, 1000, at_ms=at).usage_micros == (250 * 60_000 + 750 * 30_000) // 60_000


def test_the_same_hour_before_and_after_a_clock_change_costs_what_the_wall_clock_says() -> None:
    for day, offset in (
        ("2026-03-27", "+00:00"),
        ("2026-03-30", "+01:00"),
        ("2026-10-23", "+01:00"),
        ("2026-10-26", "+00:00"),
    ):
        assert cost(BANDED, 3600, f"{day}T18:30:00{offset}") == (5 + 30 * 6 + 30 * 3) * PENNY


# Included seconds, minimum, cap.


@pytest.mark.parametrize(
    ("seconds", "pence"), [(1, 7), (59.5, 7), (60, 7), (61, 7 + 7 / 60), (120, 14), (180, 21)]
)
def test_a_fee_that_covers_the_first_minute(seconds: float, pence: float) -> None:
    rate = special_rate(connect_fee=7 * PENNY, per_minute=7 * PENNY, included_s=60)
    assert cost(rate, seconds) == int(pence * PENNY + 0.001)


def test_free_seconds_at_the_start() -> None:
    rate = special_rate(per_minute=6 * PENNY, included_s=10)
    assert [cost(rate, seconds) for seconds in (5, 10, 11, 70)] == [0, 0, PENNY // 10, 6 * PENNY]


def test_included_seconds_are_the_first_ones_whatever_the_band() -> None:
    rate = special_rate(per_minute=3 * PENNY, peak=6 * PENNY, included_s=60)
    assert cost(rate, 90, "2026-06-15T18:59:00+01:00") == 1.5 * PENNY


def test_a_minimum_charge_holds_until_the_call_has_cost_as_much() -> None:
    rate = special_rate(connect_fee=PENNY, per_minute=6 * PENNY, minimum=4 * PENNY)
    assert [cost(rate, seconds) for seconds in (1, 30, 31)] == [4 * PENNY, 4 * PENNY, 4 * PENNY + PENNY // 10]
    assert charge(rate, 0).total_micros == 0


def test_minutes_of_a_bundle_have_no_minimum_charge() -> None:
    rate = special_rate(per_minute=6 * PENNY, minimum=4 * PENNY)
    assert cost(rate, 30, covered_s=30) == 0
    assert cost(rate, 31, covered_s=30) == 4 * PENNY


def test_beyond_its_cap_a_call_goes_on_for_nothing() -> None:
    rate = special_rate(connect_fee=PENNY, per_minute=6 * PENNY, cap=31 * PENNY)
    assert [cost(rate, seconds) for seconds in (299, 300, 301, 7200)] == [309_000, 310_000, 310_000, 310_000]
    assert affordable_s(rate, 31 * PENNY) == CALL_S_MAX
    assert affordable_s(rate, 31 * PENNY - 1) == 299


def test_a_call_that_ends_at_its_cap_is_paid_for_no_further() -> None:
    rate = special_rate(connect_fee=PENNY, per_minute=6 * PENNY, cap=31 * PENNY, ends_at_cap=True)
    assert affordable_s(rate, 1000 * POUND) == 300
    assert affordable_s(rate, 16 * PENNY) == 150


@pytest.mark.parametrize(
    "terms",
    [
        {"cap": PENNY, "connect_fee": 2 * PENNY},
        {"cap": PENNY, "minimum": 2 * PENNY},
        {"cap": PENNY, "per_minute": 6 * PENNY, "initial_s": 60, "ends_at_cap": True},
        {"cap": 3 * PENNY, "peak": 6 * PENNY, "initial_s": 60, "ends_at_cap": True},
        {"cap": PENNY, "peak": 6 * PENNY, "peak_fee": 2 * PENNY},
        {"included_s": -1},
        {"minimum": -1},
        {"peak": -1},
    ],
)
def test_terms_by_which_no_call_could_begin_do_not_exist(terms: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        special_rate(**terms)  # type: ignore[arg-type]


# The two parts of 084, 087, 09 and 118.


def unbundled(
    access: int, *, per_call: int = 0, per_minute: int = 0, covers_s: int = 0, ex_vat: bool = False
) -> Rate:
    numerator, divisor = (5, 6) if ex_vat else (1, 1)
    service = ServiceCharge(
        code="EX001", access_per_minute=access, per_call=per_call, per_minute=per_minute, covers_s=covers_s,
        numerator=numerator, divisor=divisor,
    )  # fmt: skip
    return special_rate(connect_fee=per_call, per_minute=access + per_minute, service=service)


def test_access_and_service_charge_are_kept_apart() -> None:
    # 0843 at 7p a minute and an access charge of 10p, 61 seconds: 10.17p and 7.12p on a bill.
    found = charge(unbundled(10 * PENNY, per_minute=7 * PENNY), 61_000)
    assert found == Charge(61, 0, 0, 101_666, 71_166)
    assert found.total_micros == 172_832


@pytest.mark.parametrize(
    ("form", "seconds", "pence"),
    [
        ({"per_minute": 18 * PENNY}, 90, 27),
        ({"per_call": 250 * PENNY, "per_minute": 75 * PENNY}, 60, 325),
        ({"per_call": 80 * PENNY, "per_minute": 80 * PENNY, "covers_s": 60}, 60, 80),
        ({"per_call": 80 * PENNY, "per_minute": 80 * PENNY, "covers_s": 60}, 90, 120),
        ({"per_call": 600 * PENNY}, 3600, 600),
        ({}, 3600, 0),
    ],
    ids=["per minute", "per call and per minute", "per call covers 60 s", "beyond them", "per call", "none"],
)
def test_the_forms_of_a_service_charge(form: dict[str, int], seconds: int, pence: int) -> None:
    found = charge(unbundled(10 * PENNY, **form), seconds * 1000)
    assert found.service_charge_micros == pence * PENNY
    assert found.access_charge_micros == 10 * PENNY * seconds // 60


def test_vat_is_taken_out_of_a_service_charge_exactly_and_rounded_once() -> None:
    rate = unbundled(10 * PENNY, per_minute=7 * PENNY, ex_vat=True)
    assert charge(rate, 60_000).service_charge_micros == 58_333
    assert charge(rate, 3 * 60_000).service_charge_micros == 175_000  # not three times 58,333
    assert charge(rate, 6 * 60_000).service_charge_micros == 350_000


def test_a_bundle_pays_the_access_charge_and_not_the_service_charge() -> None:
    found = charge(unbundled(10 * PENNY, per_minute=7 * PENNY), 120_000, covered_s=60)
    assert (found.access_charge_micros, found.service_charge_micros) == (10 * PENNY, 14 * PENNY)


def test_what_costs_nothing_at_any_time_is_free() -> None:
    assert unbundled(0).is_free
    assert not unbundled(0, per_call=1).is_free
    assert not special_rate(per_minute=0, peak=PENNY).is_free
    assert not special_rate(per_minute=0, minimum=1).is_free
    assert special_rate(per_minute=0, peak=0).is_free
    assert special_rate(per_minute=0, peak=PENNY).dearest_per_minute_micros == PENNY


def test_another_connect_fee_is_that_of_every_band() -> None:
    rate = BANDED.with_connect_fee(0)
    assert cost(rate, 60) == 6 * PENNY
    assert rate.connect_fee_at(ms("2026-06-15T12:00:00+01:00")) == 0
    assert BANDED.connect_fee_at(ms("2026-06-15T12:00:00+01:00")) == 5 * PENNY
    assert make_rate().with_connect_fee(7).connect_fee_at(0) == 7


def test_a_fee_above_the_cap_is_the_cap() -> None:
    """A bundle has a connect fee of its own, and the row that it is for may cap a call below it."""
    capped = special_rate(per_minute=PENNY, cap=10 * PENNY).with_connect_fee(25 * PENNY)
    assert cost(capped, 3600) == 25 * PENNY
    ending = special_rate(initial_s=60, cap=70 * PENNY, ends_at_cap=True).with_connect_fee(75 * PENNY)
    assert affordable_s(ending, 1_000 * PENNY) == 60

    assert special_rate(per_minute=PENNY, cap=10 * PENNY).with_connect_fee(PENNY).special.cap == 10 * PENNY


# Properties.

price = st.one_of(st.integers(0, 200), st.integers(0, 5_000_000), st.just(0))
maybe_price = st.one_of(st.none(), price)
seconds = st.one_of(st.integers(0, 200), st.integers(0, 20_000), st.just(CALL_S_MAX))
instants = st.integers(ms("2026-03-20T00:00:00+00:00"), ms("2027-11-10T00:00:00+00:00"))
services = st.builds(
    lambda per_call, per_minute, covers_s, access, ex_vat: unbundled(
        access, per_call=per_call, per_minute=per_minute, covers_s=covers_s, ex_vat=ex_vat
    ),
    *(price, price, st.sampled_from([0, 60, 90]), price, st.booleans()),
)


@st.composite
def banded_rates(draw: st.DrawFn) -> Rate:
    fee, peak_fee = draw(price), draw(maybe_price)
    minimum = draw(st.one_of(st.just(0), price))
    cap = draw(st.one_of(st.none(), st.integers(0, 10_000_000)))
    initial_s = draw(st.sampled_from([1, 1, 6, 60, 90]))
    prices = [draw(price), draw(maybe_price), draw(maybe_price)]
    if cap is not None:
        dearest = max(each for each in prices if each is not None)
        cap += max(fee, peak_fee or 0, minimum) + initial_s * dearest
    return special_rate(
        connect_fee=fee, peak_fee=peak_fee, per_minute=prices[0], peak=prices[1], weekend=prices[2],
        initial_s=initial_s, next_s=draw(st.sampled_from([1, 1, 6, 20, 60])),
        included_s=draw(st.sampled_from([0, 0, 10, 60])), minimum=minimum, cap=cap, ends_at_cap=draw(st.booleans()),
    )  # fmt: skip


rates = st.one_of(banded_rates(), services)


@given(rates, seconds, seconds, instants, st.sampled_from([0, 0, 30, 600]))
def test_a_charge_never_falls_as_a_call_grows(
    rate: Rate, one_s: int, other_s: int, at_ms: int, covered_s: int
) -> None:
    shorter, longer = sorted((one_s, other_s))
    first = charge(rate, shorter * 1000, at_ms=at_ms, covered_s=covered_s)
    then = charge(rate, longer * 1000, at_ms=at_ms, covered_s=covered_s)
    assert first.total_micros <= then.total_micros
    assert first.access_charge_micros <= then.access_charge_micros
    assert first.service_charge_micros <= then.service_charge_micros


@given(rates, st.integers(0, 2_000_000_000), instants, st.sampled_from([0, 0, 30, 600]))
def test_affordable_is_the_last_interval_within_the_budget(
    rate: Rate, budget: int, at_ms: int, covered_s: int
) -> None:
    paid_s = affordable_s(rate, budget, at_ms=at_ms, covered_s=covered_s)
    special = rate.special
    assert special is not None
    if special.ends_at_cap and special.cap is not None:
        budget = min(budget, special.cap)
    assert paid_s == 0 or paid_s == whole_intervals_s(rate, paid_s)
    assert paid_s <= CALL_S_MAX
    if paid_s:
        assert charge_billed(rate, paid_s, at_ms=at_ms, covered_s=covered_s).total_micros <= budget
    next_s = whole_intervals_s(rate, paid_s + 1)
    if next_s <= CALL_S_MAX:
        assert charge_billed(rate, next_s, at_ms=at_ms, covered_s=covered_s).total_micros > budget


@given(banded_rates(), st.integers(1, 10_000), st.integers(1, 10_000), instants)
def test_usage_of_two_parts_of_a_call_adds_up_to_the_whole_but_for_their_roundings(
    rate: Rate, first_s: int, second_s: int, at_ms: int
) -> None:
    special = rate.special
    assert special is not None
    plain = Rate(
        **{field: getattr(rate, field) for field in rate.__struct_fields__ if field != "special"},
        special=SpecialTerms(banded=special.banded),
    )
    first = charge_billed(plain, first_s, at_ms=at_ms).usage_micros
    second = charge_billed(plain, second_s, at_ms=at_ms + first_s * 1000).usage_micros
    whole = charge_billed(plain, first_s + second_s, at_ms=at_ms).usage_micros
    assert 0 <= whole - first - second <= 1
    # What a bundle leaves to be paid is the second part, rounded by itself.
    assert charge_billed(plain, first_s + second_s, at_ms=at_ms, covered_s=first_s).usage_micros == second


def test_a_special_rate_says_its_vat_like_any_other() -> None:
    assert BANDED.vat is VatMode.INC_VAT
