"""What a reader sees: amounts, days, numbers and what stands where."""

import msgspec
import pytest

from billing.invoices.calls_file import PRINTED_CALLS_MAX, calls_csv
from billing.invoices.document import Form
from billing.invoices.wording import shown_duration, shown_number
from billing.pdf.paper import MINUS, decimals_for, money, paper_of, shown_rate
from rating.money import VatMode
from tests.billing.pdf.samples import sample


@pytest.mark.parametrize(
    ("micros", "decimals", "text"),
    [
        (0, 2, "£0.00"),
        (1_234_560_000, 2, "£1,234.56"),
        (-10_000, 2, f"{MINUS}£0.01"),
        (12_300, 4, "£0.0123"),
        (1, 6, "£0.000001"),
    ],
)
def test_amounts_are_shown_exactly(micros: int, decimals: int, text: str) -> None:
    assert money(micros, decimals) == text


def test_a_table_has_the_decimals_that_all_of_its_amounts_need() -> None:
    tables = ([], [10_000], [1_000], [10_000, 100], [10])
    assert [decimals_for(amounts) for amounts in tables] == [2, 2, 3, 4, 6]


@pytest.mark.parametrize(
    ("rate", "text"),
    [(2000, "20%"), (1750, "17.5%"), (500, "5%"), (0, "0%"), (1725, "17.25%"), (None, "none")],
)
def test_rates_of_vat_are_shown_as_percentages(rate: int | None, text: str) -> None:
    assert shown_rate(rate) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("+442079460123", "020 7946 0123"),
        ("+441154960123", "0115 496 0123"),
        ("+441214960123", "0121 496 0123"),
        ("+441632960123", "01632 960123"),
        ("+447700900123", "07700 900123"),
        ("+443069990123", "0306 999 0123"),
        ("+448081570123", "0808 157 0123"),
        ("+44169772345", "0169772345"),
        ("+33140205050", "+33140205050"),
        ("118500", "118500"),
    ],
)
def test_numbers_are_shown_as_people_dial_them(number: str, text: str) -> None:
    assert shown_number(number) == text


def test_durations_are_minutes_and_hours() -> None:
    assert [shown_duration(seconds) for seconds in (0, 9, 61, 3661)] == ["0:00", "0:09", "1:01", "1:01:01"]


def test_columns_follow_the_form_and_the_prices() -> None:
    heads = [
        paper_of(sample(mode=mode, form=form)).summary.heads
        for mode, form in (
            (VatMode.EX_VAT, Form.FULL),
            (VatMode.INC_VAT, Form.FULL),
            (VatMode.INC_VAT, Form.SIMPLIFIED),
        )
    ]
    assert heads == [
        ("Description", "VAT", "Net"),
        ("Description", "VAT", "Net", "With VAT"),
        ("Description", "VAT", "With VAT"),
    ]


def test_access_and_service_charge_stand_beneath_a_call() -> None:
    table = paper_of(sample()).details[-1]
    assert [bool(row.detail) for row in table.rows[:3]] == [False, True, True]
    assert table.rows[2].detail == "access charge £0.1275 + service £0.0900"
    assert table.rows[1].detail == "earlier period"


def test_thousands_of_calls_come_as_a_file() -> None:
    paper = paper_of(sample(count=PRINTED_CALLS_MAX + 1))
    assert [table.title for table in paper.details] == [
        "Calls by destination",
        "Included minutes that you used",
    ]
    assert any("5,001 calls come as a file" in note for note in paper.notes)


def test_the_file_of_calls_has_no_formula_in_it() -> None:
    document = sample(count=1)
    [line] = document.calls
    hostile = type(line)("=cmd()", line.calls)
    rows = calls_csv(msgspec.structs.replace(document, calls=(hostile,)))
    assert rows.split("\r\n")[1].startswith(
        "'=cmd(),2026-10-01 08:00:09,+442079460123,UK landline,61,0,0.000000,"
    )
