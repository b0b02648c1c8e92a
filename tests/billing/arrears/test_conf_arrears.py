"""[arrears], [[late_payment]] and [[bank_rate]] of billing.toml."""

import datetime
from pathlib import Path

import pytest

from billing.conf import load_billing
from billing.conf_arrears import NO_ARREARS, STATUTORY
from billing.customers import CustomerKind
from switch.conf_files import ConfProblems

SHIPPED = (Path(__file__).parents[3] / "conf" / "billing.toml").read_text("utf-8")
TODAY = datetime.date(2026, 11, 22)


def load(folder: Path, text: str) -> object:
    (folder / "billing.toml").write_text(text, "utf-8")
    return load_billing(folder).arrears


def test_the_file_that_comes_with_the_release(tmp_path: Path) -> None:
    conf = load(tmp_path, SHIPPED)
    assert set(conf.ladders) == set(CustomerKind)
    assert conf.ladders[CustomerKind.CONSUMER].at(TODAY).interest == 0
    assert conf.ladders[CustomerKind.BUSINESS].at(TODAY).interest == STATUTORY
    assert not any(ladder.at(TODAY).ceased for ladder in conf.ladders.values())
    assert conf.bank_rate.at(datetime.date(2026, 6, 30)).percent == 375
    assert conf.late_payment.at(TODAY).over_base == 800


def test_without_it_nothing_is_done_to_anybody(tmp_path: Path) -> None:
    head, arrears, _ = SHIPPED.partition("\n# What happens when an invoice is not paid")
    assert arrears
    assert load(tmp_path, head) == NO_ARREARS


def test_a_ladder_that_changes_holds_for_what_is_due_from_that_day_on(tmp_path: Path) -> None:
    later = "\n[[arrears.consumer]]\nfrom = 2027-01-01\npremium_and_international = 30\noutgoing = 60\nsuspended = 90\n"
    conf = load(tmp_path, SHIPPED + later)
    dated = conf.ladders[CustomerKind.CONSUMER]
    assert dated.at(datetime.date(2026, 12, 31)).outgoing == 38
    assert dated.at(datetime.date(2027, 1, 1)).outgoing == 60


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('interest = "none"', 'interest = "statutory"', "what the contract says"),
        ('interest = "none"', 'interest = "some"', '"statutory"'),
        ("outgoing = 38", "outgoing = 24", "each rung some days after"),
        ("outgoing = 38", "outgoing = -1", "outgoing"),
        ("notice = 10", "notice = 0", "notice"),
        ("reminder = 3\nwarning = 10", "reminder = 0\nwarning = 0", "a reminder or a warning before"),
        ('minimum = "20.00"', "minimum = 20.00", "pounds and pence"),
        ('region = "england"', 'region = "france"', "england"),
        ("instalment_grace = 3", "instalment_grase = 3", "perhaps instalment_grace"),
        ("[[arrears.consumer]]", "[[arrears.customer]]", "perhaps consumer"),
        ("from = 2002-08-07", "from = 2002-08-07T01:00:00", "a date without quotes"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, before: str, after: str, expected: str) -> None:
    assert before in SHIPPED
    with pytest.raises(ConfProblems) as found:
        load(tmp_path, SHIPPED.replace(before, after, 1))
    assert expected in str(found.value)
    assert all(problem.line > 0 for problem in found.value.problems)


def test_statutory_interest_needs_the_rates_that_it_is_made_of(tmp_path: Path) -> None:
    without = SHIPPED.partition("[[bank_rate]]")[0]
    with pytest.raises(ConfProblems, match="bank_rate"):
        load(tmp_path, without)
