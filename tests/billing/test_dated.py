"""Figures that change by date."""

import datetime
import tomllib

import pytest

from billing.conf import VatRate, read_billing
from billing.dated import Dated, NothingYet, read_dated
from switch.conf_files import ConfFile

DAY = datetime.date


def conf_file(text: str) -> ConfFile:
    return ConfFile("billing.toml", text, tomllib.loads(text))


def test_the_latest_entry_that_has_begun_holds() -> None:
    dated = Dated("vat", [(DAY(2011, 1, 4), 20), (DAY(2010, 1, 1), 17)])
    assert [dated.at(day) for day in (DAY(2010, 1, 1), DAY(2011, 1, 3), DAY(2011, 1, 4), DAY(2026, 1, 1))] == [
        17, 17, 20, 20,
    ]  # fmt: skip


def test_a_day_before_the_first_entry_has_no_answer() -> None:
    with pytest.raises(NothingYet, match=r"\[\[vat\]\]"):
        Dated("vat", [(DAY(2010, 1, 1), 17)]).at(DAY(2009, 12, 31))


@pytest.mark.parametrize(
    ("percent", "basis_points"), [("20", 2000), ("17.5", 1750), ('"3.75"', 375), ("0", 0), ('"17.25"', 1725)]
)
def test_a_percentage_is_read_exactly(percent: str, basis_points: int) -> None:
    file = conf_file(f"[[vat]]\nfrom = 2011-01-04\npercent = {percent}\n")
    assert read_dated(file, VatRate, ("vat",)).at(DAY(2020, 1, 1)) == VatRate(basis_points)
    assert file.problems == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[vat]]\npercent = 20\n", "a date without quotes"),
        ('[[vat]]\nfrom = "2011-01-04"\npercent = 20\n', "a date without quotes"),
        ("[[vat]]\nfrom = 2011-01-04T00:00:00\npercent = 20\n", "a date without quotes"),
        ("[[vat]]\nfrom = 2011-01-04\npercent = 17.555\n", "a percentage"),
        ("[[vat]]\nfrom = 2011-01-04\npercent = 1e1\n", None),
        ("[[vat]]\nfrom = 2011-01-04\npercent = -1\n", "a percentage"),
        ("[[vat]]\nfrom = 2011-01-04\nrate = 20\n", "perhaps"),
        ("[[vat]]\nfrom = 2011-01-04\n[[vat]]\nfrom = 2011-01-04\n", "each date once"),
        ("[vat]\nfrom = 2011-01-04\n", "tables"),
        ("vat = [1]\n", "tables"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, expected: str | None) -> None:
    file = conf_file(text)
    read_dated(file, VatRate, ("vat",))
    if expected is None:
        assert file.problems == []
    elif expected == "perhaps":
        assert "unknown key" in file.problems[0].found
    else:
        assert expected in file.problems[0].expected


def test_a_file_without_a_rate_of_vat_is_refused() -> None:
    file = conf_file("")
    read_billing(file)
    assert [problem.key for problem in file.problems] == ["vat", "simplified_invoice"]
