"""docs/tariffs.md: every figure of its examples is what the engine makes of the lines that stand there."""

import datetime
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rating.charge import charge
from rating.money import format_pounds
from rating.price_book import read_price_book
from rating.tariff import Tariff, load_tariff
from rating.tariff_csv import COLUMNS, SPECIAL_COLUMNS
from switch.conf_files import ConfFile
from switch.conf_time_bands import read_time_bands

PAGE = (Path(__file__).parents[2] / "docs" / "tariffs.md").read_text()
BLOCK = re.compile(r"^```(\S+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"(\+[0-9]+) +([0-9-]{10} [0-9:]{8}) +([0-9.]+) s  (.*)")
EXAMPLES_EXPECTED = 28


def examples() -> Iterator[tuple[str, Tariff, str]]:
    """Each line with the tariff that stands before it."""
    shared: dict[str, str] = {}
    bands, csv_text = None, ""
    for kind, name, text in BLOCK.findall(PAGE):
        if kind == "toml":
            bands = read_time_bands(ConfFile("time-bands.toml", text, tomllib.loads(text)))
        elif kind == "csv" and name:
            shared[name] = text
        elif kind == "csv":
            csv_text = text
        else:
            assert kind == "example"
            book, problems = read_price_book(shared, bands)
            assert problems == []
            tariff = load_tariff("page", csv_text, name or "inc_vat", book)
            yield from ((line, tariff, f"{name} {line}") for line in text.splitlines())


@pytest.mark.parametrize(("line", "tariff"), [pytest.param(*each[:2], id=each[2]) for each in examples()])
def test_an_example_costs_what_it_says(line: str, tariff: Tariff) -> None:
    match = EXAMPLE.fullmatch(line)
    assert match is not None
    number, when, seconds, expected = match.groups()
    local = datetime.datetime.fromisoformat(when).replace(tzinfo=ZoneInfo("Europe/London"))
    at_ms = int(local.timestamp()) * 1000
    rate = tariff.rate_for(number, at_ms)
    assert rate is not None
    found = charge(rate, round(float(seconds) * 1000), at_ms=at_ms)
    total = format_pounds(found.total_micros)
    parts = f"{format_pounds(found.access_charge_micros)} + {format_pounds(found.service_charge_micros)} = {total}"
    assert expected == (parts if " + " in expected else total)


def test_the_page_has_its_examples_and_every_column() -> None:
    assert len(list(examples())) == EXAMPLES_EXPECTED
    for column in (*COLUMNS, *SPECIAL_COLUMNS, "per_minute_BAND", "connect_fee_BAND"):
        assert f"`{column}`" in PAGE
