"""By when: the letter by weeks that changed, the acknowledgement by working hours; through the shipped file."""

import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.complaints.conf import ComplaintsConf, Scheme, load_complaints
from offhook.supervisor.conf_home import packaged_conf
from provisioning.complaints import LetterLimit, acknowledge_by, letter_due_on
from provisioning.complaints.clock import LONDON
from switch.conf_files import ConfProblems

SHIPPED = load_complaints(packaged_conf())
TERMS = SHIPPED.terms
CHANGE = datetime.date(2026, 4, 8)

LETTERS = """
    # received    letter due
    2026-06-01    2026-07-13    # the rows of the reference: six weeks
    2026-01-05    2026-03-02    # eight, and over before the change
    2026-02-10    2026-04-07    # the last one that is wholly the old rule's
    2026-02-11    2026-04-08    # both rules on one day
    2026-02-12    2026-04-08    # eight weeks would be 9 April; six are over, and cannot be asked for
    2026-02-25    2026-04-08    # six weeks to the day
    2026-02-26    2026-04-09    # six weeks
    2026-03-16    2026-04-27    # six weeks, over the change of the clocks
    2026-04-07    2026-05-19    # open on the day of the change
    2026-04-08    2026-05-20
    2026-10-12    2026-11-23    # over the autumn's
    2027-11-25    2028-01-06
    1999-01-01    1999-02-26    # from before the first entry: the first
"""

# What runs out when: London's times. Easter 2026 is Good Friday 3 April and Easter Monday 6 April.
ACKNOWLEDGEMENTS = """
    # received          hours  by
    2026-06-01T09:00    24     2026-06-03T16:00   # a Monday: 8.5 + 8.5 + 7 hours
    2026-06-01T00:00    24     2026-06-03T16:00   # a letter that has only a date: from the opening on
    2026-06-01T17:29    24     2026-06-04T15:59
    2026-06-01T17:30    24     2026-06-04T16:00   # closed: from Tuesday morning
    2026-06-01T23:30    24     2026-06-04T16:00
    2026-06-05T12:00    24     2026-06-10T10:30   # a Friday: over the weekend
    2026-06-06T12:00    24     2026-06-10T16:00   # a Saturday
    2026-06-07T23:59    24     2026-06-10T16:00   # a Sunday
    2026-06-01T09:00    1      2026-06-01T10:00
    2026-06-01T09:00    17     2026-06-02T17:30   # to the last minute of a day
    2026-05-22T16:30    24     2026-05-28T15:00   # 25 May 2026 is the Spring bank holiday
    2026-04-02T09:00    24     2026-04-08T16:00   # Easter: four days off
    2026-03-27T16:00    24     2026-04-01T14:30   # the clocks go forward on the Sunday between
    2026-10-23T16:00    24     2026-10-28T14:30   # and back
    2026-12-24T09:00    24     2026-12-30T16:00   # Christmas; 26 December is a Saturday, so Monday is off
    2027-12-24T17:00    24     2027-12-31T15:30   # 25 and 26 are a weekend: Monday and Tuesday are off
"""


def rows(table: str) -> list[list[str]]:
    lines = [line.partition("#")[0].split() for line in table.split("\n")]
    return [line for line in lines if line]


@pytest.mark.parametrize(("received", "due"), rows(LETTERS))
def test_the_letter_is_due_by_the_weeks_that_hold(received: str, due: str) -> None:
    assert letter_due_on(datetime.date.fromisoformat(received), TERMS.limits).isoformat() == due


@given(st.dates(datetime.date(2025, 12, 1), datetime.date(2026, 6, 30)))
def test_over_the_transition_nobody_waits_longer_than_by_either_rule_and_later_complaints_are_not_earlier(
    received: datetime.date,
) -> None:
    due = letter_due_on(received, TERMS.limits)
    assert received + datetime.timedelta(weeks=6) <= due <= received + datetime.timedelta(weeks=8)
    assert due == received + datetime.timedelta(weeks=6) or due <= CHANGE
    assert due <= letter_due_on(received + datetime.timedelta(1), TERMS.limits)


def test_a_longer_limit_that_comes_later_makes_nobody_wait_longer() -> None:
    limits = (LetterLimit(datetime.date(2026, 1, 1), 6), LetterLimit(datetime.date(2026, 6, 1), 8))
    assert letter_due_on(datetime.date(2026, 5, 25), limits) == datetime.date(2026, 7, 6)
    assert letter_due_on(datetime.date(2026, 6, 1), limits) == datetime.date(2026, 7, 27)


def _london(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=LONDON)


@pytest.mark.parametrize(("received", "hours", "by"), rows(ACKNOWLEDGEMENTS))
def test_c7_the_acknowledgement_is_due_after_so_many_working_hours(
    received: str, hours: str, by: str
) -> None:
    terms = msgspec.structs.replace(TERMS, acknowledge_h=int(hours))
    found = acknowledge_by(_london(received).astimezone(datetime.UTC), terms)
    assert found.tzinfo is datetime.UTC
    assert found == _london(by)


def test_scotland_has_bank_holidays_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "complaints.toml").write_text('[acknowledgement]\nregion = "scotland"\n', encoding="utf-8")
    scottish = load_complaints(tmp_path).terms
    received = _london("2026-04-02T09:00")  # Easter Monday is a working day there
    assert acknowledge_by(received, scottish) == _london("2026-04-07T16:00")


# --- the file


def test_the_shipped_file_is_what_holds_without_one_and_names_no_scheme(tmp_path: Path) -> None:
    assert SHIPPED == ComplaintsConf() == load_complaints(tmp_path)
    assert [(each.since.isoformat(), each.weeks) for each in SHIPPED.limits] == [
        ("2000-01-01", 8),
        ("2026-04-08", 6),
    ]
    assert not SHIPPED.scheme.is_whole
    assert SHIPPED.records.keep_months == 24


def test_a_scheme_is_whole_with_name_website_and_a_way_to_write_or_ring() -> None:
    assert Scheme("A Scheme", "www.example.org", "020 7946 0200").is_whole
    assert Scheme("A Scheme", "www.example.org", post=("PO Box 1",)).is_whole
    for part in (
        Scheme("A Scheme"),
        Scheme("A Scheme", "www.example.org"),
        Scheme("", "www.example.org", "020"),
    ):
        assert not part.is_whole


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[scheme]\nname = "A Scheme"\n', "a part of a scheme"),
        ('[scheme]\nname = "A\\nScheme"\n', "scheme.name"),
        ("[[letter]]\nfrom = 2026-04-08\nweeks = 0\n", "weeks"),
        ("[[letter]]\nweeks = 6\n", "no from"),
        ("[letter]\nweeks = 6\n", "[[letter]]"),
        ("[acknowledgement]\nhours = 0\n", "hours"),
        ('[acknowledgement]\nopens = "25:00"\n', "opens"),
        ('[acknowledgement]\nopens = "17:30"\ncloses = "09:00"\n', "closes"),
        ('[acknowledgement]\nregion = "wales"\n', "region"),
        ("[records]\nkeep_months = 11\n", "keep_months"),
        ("[schema]\n", "schema"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "complaints.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfProblems) as found:
        load_complaints(tmp_path)
    assert named in str(found.value)
