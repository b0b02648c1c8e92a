"""Price lists for customers: whatever a destination is called, it is nobody's formula and nobody's markup."""

import csv
import io

import pytest

from offhook.price_list import price_list_csv, price_list_page, price_rows
from provisioning.csv_output import Amount, csv_text, safe_cell
from rating.tariff import load_tariff

AT_MS = 1_790_000_000_000
HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
NASTY = [
    "=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(A1)", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "a & b",
    "' or 1", " =1", "%0A=1",
]  # fmt: skip


def tariff_with(destination: str) -> object:
    quoted = '"' + destination.replace('"', '""') + '"'
    return load_tariff("retail", f"{HEADER}+44,{quoted},0.01,0.012,60,6,2020-01-01,\n", "inc_vat")


@pytest.mark.parametrize("destination", NASTY)
def test_no_cell_is_a_formula(destination: str) -> None:
    rows = price_rows(tariff_with(destination), AT_MS)
    text = price_list_csv(rows)
    for row in list(csv.reader(io.StringIO(text)))[1:]:
        for cell in row:
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "|", "%"))


@pytest.mark.parametrize("destination", NASTY)
def test_no_destination_is_markup(destination: str) -> None:
    tariff = tariff_with(destination)
    page = price_list_page(tariff, price_rows(tariff, AT_MS), "2026-09-21")
    assert page.count("<script") == 0
    assert page.count("<td>") == 8


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("plain", "plain"),
        ("+4420", "'+4420"),
        ("\t=1", "' =1"),
        ("two\nlines", "two lines"),
        ("", ""),
        (-5, "-5"),
        (Amount(-12_400), "-0.012400"),
        (Amount(1_000_000), "1.000000"),
    ],
)
def test_numbers_stay_numbers_and_texts_stay_texts(value: str | int, cell: str) -> None:
    assert safe_cell(value) == cell


def test_a_cell_with_commas_and_quotes_is_one_cell() -> None:
    text = csv_text(("a", "b"), [('x,"y"', 1)])
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ['x,"y"', "1"]]


def test_each_form_of_a_row_is_named_and_only_what_holds_is_shown() -> None:
    text = HEADER + (
        "+44,UK,0,0.012,1,1,2020-01-01,\n"
        "+44,UK,0,0.011,1,1,2010-01-01,2019-12-31\n"
        "sms:+44,Text,0.04,0,1,1,2020-01-01,\n"
        "attempt:+44,Try,0.001,0,1,1,2020-01-01,\n"
        "in:mobile:+44808,To you,0,0.06,1,1,2020-01-01,\n"
        "in:+44808,To you,0,0.02,1,1,2020-01-01,\n"
        "on-net,Lines,0,0,1,1,2020-01-01,\n"
    )
    rows = price_rows(load_tariff("retail", text, "inc_vat"), AT_MS)
    assert [(row.kind, row.prefix) for row in rows] == [
        ("call", "+44"),
        ("text", "+44"),
        ("each attempt", "+44"),
        ("call to you from mobile", "+44808"),
        ("call to you", "+44808"),
        ("call", "on-net"),
    ]
