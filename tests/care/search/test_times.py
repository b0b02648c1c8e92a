"""Times as people say them: a table, and every hour of the days on which clocks change."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.search.times import LONDON, Period, around, instants_of, period_words, said
from provisioning.problems import InvalidValue

SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SUMMER = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)  # a Wednesday, 13:00 by the clock
DOUBLED = date(2026, 10, 25)
MISSING = date(2026, 3, 29)

# said at                   -> moment, UTC
SAID = """
10:15                SUNDAY    2026-11-22 10:15
10.15                SUNDAY    2026-11-22 10:15
10:15:30             SUNDAY    2026-11-22 10:15:30
about 10:15          SUNDAY    2026-11-22 10:15
at 9am               SUNDAY    2026-11-22 09:00
12am                 SUNDAY    2026-11-22 00:00
12pm                 SUNDAY    2026-11-22 12:00
2:15 pm              SUNDAY    2026-11-21 14:15
14:15                SUNDAY    2026-11-21 14:15
yesterday 10:15      SUNDAY    2026-11-21 10:15
10:15 yesterday      SUNDAY    2026-11-21 10:15
today 14:15          SUNDAY    2026-11-22 14:15
20/11 10:15          SUNDAY    2026-11-20 10:15
10:15 on 20/11       SUNDAY    2026-11-20 10:15
10:15 20/11/25       SUNDAY    2025-11-20 10:15
20.11.2025 10.15     SUNDAY    2025-11-20 10:15
1/12 10:15           SUNDAY    2025-12-01 10:15
22/11 14:15          SUNDAY    2025-11-22 14:15
20 Nov 10:15         SUNDAY    2026-11-20 10:15
20th November, 10:15 SUNDAY    2026-11-20 10:15
1 Jul 2026 10:15     SUNDAY    2026-07-01 09:15
29 feb 10:15         SUNDAY    2024-02-29 10:15
Friday 10:15         SUNDAY    2026-11-20 10:15
sunday 10:15         SUNDAY    2026-11-22 10:15
sun 14:15            SUNDAY    2026-11-15 14:15
2026-11-22 10:15:30  SUNDAY    2026-11-22 10:15:30
2026-11-22T10:15:30Z SUNDAY    2026-11-22 10:15:30
2026-07-01T10:15     SUNDAY    2026-07-01 09:15
2026-07-01 10:15 UTC SUNDAY    2026-07-01 10:15
2026-07-01 10:15 BST SUNDAY    2026-07-01 09:15
2026-07-01T10:15:00.250+02:00 SUNDAY 2026-07-01 08:15
90m                  SUNDAY    2026-11-22 10:30
2h ago               SUNDAY    2026-11-22 10:00
7d                   SUNDAY    2026-11-15 12:00
now                  SUNDAY    2026-11-22 12:00
10:15                SUMMER    2026-07-01 09:15
13:15                SUMMER    2026-06-30 12:15
22/11 10:15          SUMMER    2025-11-22 10:15
"""


@pytest.mark.parametrize("row", SAID.strip().split("\n"))
def test_what_is_said_is_a_moment(row: str) -> None:
    text, name, day, clock = row.rsplit(maxsplit=3)
    now = {"SUNDAY": SUNDAY, "SUMMER": SUMMER}[name]
    meant = datetime.fromisoformat(f"{day}T{clock}+00:00")
    assert said(text, now).instants == (meant,)


@pytest.mark.parametrize("text", [
    "", "quarter past ten", "25:15", "10:60", "13pm", "0am", "31/2 10:15", "29/2/2026", "10:15 10:16", "22", "1015",
    "2026-13-01", "1850-01-01 10:15", "10:15 22/11/26 Monday", "99999d 10:15", "\u0661\u0660:15", "1_0:15", "+1:15",
    "10:15\n", "x" * 100, "10:15\0", "0001-01-01",
])  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    if text == "10:15\n":  # a space that came with it
        assert said(text, SUNDAY).instants
        return
    with pytest.raises(InvalidValue):
        said(text, SUNDAY)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("22/11", datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)),
        ("1 July", datetime(2026, 6, 30, 23, tzinfo=UTC), datetime(2026, 7, 1, 23, tzinfo=UTC)),
        ("25 Oct", datetime(2026, 10, 24, 23, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC)),
        ("friday", datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)),
    ],
)
def test_a_day_alone_is_all_of_it(text: str, since: datetime, until: datetime) -> None:
    assert around(said(text, SUNDAY), timedelta(minutes=15)) == [Period(since, until)]


@pytest.mark.parametrize("minute", range(0, 24 * 60, 5))
@pytest.mark.parametrize("day", [DOUBLED, MISSING])
def test_every_hour_of_the_days_on_which_clocks_change(day: date, minute: int) -> None:
    hour, rest = divmod(minute, 60)
    found = said(f"{day.isoformat()} {hour:02d}:{rest:02d}", SUNDAY).instants
    if day == DOUBLED and hour == 1:
        summer = datetime(2026, 10, 25, 0, rest, tzinfo=UTC)
        assert found == (summer, summer + timedelta(hours=1))
    elif day == MISSING and hour == 1:
        assert found == (datetime(2026, 3, 29, 1, rest, tzinfo=UTC),)  # 02:xx by the clock
    else:
        assert [at.astimezone(LONDON).strftime("%H:%M") for at in found] == [f"{hour:02d}:{rest:02d}"]


def test_the_doubled_hour_is_searched_twice_and_once_where_the_two_meet() -> None:
    night = said("25 Oct 01:15", SUNDAY)
    apart = around(night, timedelta(minutes=15))
    assert [period_words(each) for each in apart] == [
        "25 Oct 2026 01:00 to 01:30 BST",
        "25 Oct 2026 01:00 to 01:30 GMT",
    ]
    assert around(night, timedelta(hours=1)) == [
        Period(night.instants[0] - timedelta(hours=1), night.instants[1] + timedelta(hours=1))
    ]
    assert len(said("25 Oct 01:15 BST", SUNDAY).instants) == 1


def test_in_the_doubled_hour_itself_what_has_not_been_is_not_meant() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 01:30 BST; 01:15 comes once more
    assert said("01:15", first).instants == (datetime(2026, 10, 25, 0, 15, tzinfo=UTC),)
    assert said("01:45", first).instants == (datetime(2026, 10, 24, 0, 45, tzinfo=UTC),)


YEAR = date(2026, 1, 1)
CLOCKS = st.integers(0, 366 * 24 * 60).map(
    lambda minutes: datetime.combine(YEAR, time()) + timedelta(minutes=minutes)
)
MOMENTS = st.integers(10**9, 4 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(CLOCKS)
def test_a_clock_that_shows_what_was_said_showed_it_then(local: datetime) -> None:
    found = instants_of(local)
    shown = [at.astimezone(LONDON).replace(tzinfo=None, fold=0) for at in found]
    assert shown in ([local], [local, local], [local + timedelta(hours=1)])


@given(
    st.text(max_size=30),
    MOMENTS,
)
def test_any_text_is_a_time_or_refused(text: str, now: datetime) -> None:
    try:
        found = said(text, now)
    except InvalidValue:
        return
    assert found.instants
    assert list(found.instants) == sorted(found.instants)


TOKENS = st.sampled_from(
    ["10:15", "2pm", "25:99", "22/11", "31/2", "29/2", "yesterday", "monday", "2026-10-25", "01:15:30", "bst", "z",
     "22", "nov", "2026", "at", "7d", "now", "+25:00", "10:15+23:59", "0001-01-01", "9999-12-31"]
)  # fmt: skip


@given(
    st.lists(TOKENS, max_size=5),
    MOMENTS,
)
def test_any_words_of_times_are_a_time_or_refused(words: list[str], now: datetime) -> None:
    try:
        found = said(" ".join(words), now)
    except InvalidValue:
        return
    assert 1 <= len(found.instants) <= 2
