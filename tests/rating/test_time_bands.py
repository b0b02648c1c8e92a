"""Which time band holds when: against London's wall clock, minute by minute; and the product of time and price."""

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.time_bands import (
    NO_BAND,
    BandPattern,
    TimeBands,
    make_time_bands,
    read_time_bands_text,
    time_bands_text,
)

LONDON = ZoneInfo("Europe/London")
CHRISTMAS = datetime.date(2026, 12, 25)
PEAK, WEEKEND, SMALL_HOURS = 1, 2, 3

WORKDAY = ((7 * 60, 19 * 60, PEAK), (90, 120, SMALL_HOURS))
PATTERN = BandPattern(
    (*((WORKDAY,) * 5), ((0, 1440, WEEKEND),), ((90, 120, SMALL_HOURS), (0, 1440, WEEKEND))),
    frozenset({CHRISTMAS.toordinal()}),
    6,
)
BANDS = make_time_bands(("peak", "weekend", "small_hours"), PATTERN)


def ms(when: str) -> int:
    """An instant written with its offset."""
    return int(datetime.datetime.fromisoformat(when).timestamp() * 1000)


def by_the_wall_clock(at_ms: int) -> int:
    shown = datetime.datetime.fromtimestamp(at_ms // 1000, LONDON)
    weekday = 6 if shown.date() == CHRISTMAS else shown.weekday()
    minute = shown.hour * 60 + shown.minute
    return next((band for start, end, band in PATTERN.week[weekday] if start <= minute < end), NO_BAND)


@pytest.mark.parametrize(
    "day", ["2026-03-29", "2026-10-25", "2027-03-28", "2027-10-31", "2026-12-25", "2026-12-31", "2026-06-15"]
)
def test_every_minute_of_two_days_is_in_the_band_that_the_wall_clock_says(day: str) -> None:
    first = ms(f"{day}T00:00:00+00:00") - 12 * 3_600_000
    for at_ms in range(first, first + 48 * 3_600_000, 60_000):
        assert BANDS.band_at(at_ms) == by_the_wall_clock(at_ms), at_ms
        assert BANDS.band_at(at_ms + 59_999) == by_the_wall_clock(at_ms), at_ms


def test_a_border_is_exact_to_the_millisecond() -> None:
    border = ms("2026-06-15T07:00:00+01:00")
    assert (BANDS.band_at(border - 1), BANDS.band_at(border)) == (NO_BAND, PEAK)


def test_the_hour_that_comes_twice_counts_twice_and_the_one_that_is_skipped_never() -> None:
    autumn = ms("2026-10-25T00:00:00+01:00")
    assert BANDS.product(autumn, autumn + 25 * 3_600_000, (0, 0, 0, 1)) == 2 * 30 * 60_000
    spring = ms("2026-03-29T00:00:00+00:00")
    assert BANDS.product(spring, spring + 23 * 3_600_000, (0, 0, 0, 1)) == 0
    assert BANDS.product(spring, spring + 23 * 3_600_000, (0, 0, 1, 0)) == 23 * 3_600_000


def test_a_bank_holiday_has_the_hours_of_a_sunday_from_midnight_to_midnight() -> None:
    midnight = ms("2026-12-25T00:00:00+00:00")  # a Friday
    assert BANDS.band_at(midnight - 1) == NO_BAND
    assert BANDS.band_at(midnight) == BANDS.band_at(midnight + 12 * 3_600_000) == WEEKEND
    assert BANDS.product(midnight, midnight + 86_400_000, (0, 1, 0, 0)) == 0


instants = st.integers(ms("2026-01-01T00:00:00+00:00"), ms("2028-01-01T00:00:00+00:00"))
lengths = st.integers(0, 7 * 86_400_000)
prices = st.tuples(*[st.integers(0, 10**10)] * 4)


@given(instants, lengths, lengths, prices)
def test_two_parts_of_a_time_add_up_to_it(
    at_ms: int, first: int, second: int, price: tuple[int, ...]
) -> None:
    middle, end = at_ms + first, at_ms + first + second
    whole = BANDS.product(at_ms, end, price)
    assert BANDS.product(at_ms, middle, price) + BANDS.product(middle, end, price) == whole


@given(instants, lengths, prices)
def test_the_spans_of_a_time_are_its_product(at_ms: int, length: int, price: tuple[int, ...]) -> None:
    spans = BANDS.spans(at_ms, at_ms + length)
    assert sum(ms for ms, _ in spans) == length
    assert sum(ms * price[band] for ms, band in spans) == BANDS.product(at_ms, at_ms + length, price)


def test_times_outside_the_years_are_priced_as_at_their_ends() -> None:
    assert BANDS.band_at(0) == BANDS.band_at(ms("2010-01-01T00:00:00+00:00"))
    assert BANDS.product(-1000, 1000, (1, 1, 1, 1)) == 2000
    far = ms("2099-01-01T00:00:00+00:00")
    assert BANDS.product(far, far + 1000, (1, 1, 1, 1)) == 1000


def test_the_text_of_the_bands_means_the_same() -> None:
    again = read_time_bands_text(time_bands_text(BANDS))
    assert (again.names, again.pattern) == (BANDS.names, BANDS.pattern)
    assert time_bands_text(again) == time_bands_text(BANDS)


@pytest.mark.parametrize(
    "line", ["hours,0,0", "nonsense", "hours,a,0,1,1", "holiday,-1", "band,a,b", "hours,0,٣,4,1"]
)
def test_a_text_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="time bands"):
        read_time_bands_text(line)


def test_bands_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="weekdays"):
        make_time_bands(("a",), BandPattern(((),) * 6))
    with pytest.raises(ValueError, match="time bands"):
        make_time_bands([str(number) for number in range(9)], BandPattern(((),) * 7))
    with pytest.raises(ValueError, match="borders"):
        TimeBands((), [], [])
