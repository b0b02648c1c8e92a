"""[tariffs.NAME] in offhook.toml and the CSV it stands for, tariffs/NAME.csv; and what all tariffs share.

The section says what no CSV can say of itself: whether its prices contain VAT. Shared are time-bands.toml,
destinations.csv, service-charges.csv, service-numbers.csv and service-charge-limits.csv, which may all be missing.
What is wrong inside a CSV is found by rating and reported here with the file's name, so that one `offhook check`
shows everything.
"""

from pathlib import Path

from msgspec import Struct

from rating.money import VatMode
from rating.price_book import DESTINATIONS, SERVICE_FILES, PriceBook, read_price_book
from rating.tariff import Tariff, TariffProblems, load_tariff, whole_tariff_text
from switch.calls.routing import BelowCost
from switch.conf_files import (
    TARIFF_BYTES_MAX,
    ConfFile,
    ConfProblem,
    UnreadableFile,
    open_optional_file,
    read_text,
)
from switch.conf_reader import read_named_tables, read_struct
from switch.conf_time_bands import TIME_BANDS_FILE, read_time_bands
from switch.price_files import PriceFiles

TARIFFS_FOLDER = "tariffs"


class _TariffSection(Struct, frozen=True):
    """[tariffs.NAME]. `below_cost` is what becomes of a call that costs more than it is sold for."""

    vat: VatMode = VatMode.INC_VAT
    below_cost: BelowCost = BelowCost.ALLOW


def read_below_cost(main: ConfFile) -> dict[str, BelowCost]:
    """Name -> what its calls below cost come to; those that are allowed are left out. Problems are read_tariffs'."""
    found = {}
    sections = main.table.get("tariffs", {})
    for name, table in sections.items() if isinstance(sections, dict) else ():
        value = table.get("below_cost") if isinstance(table, dict) else None
        if value in (BelowCost.WARN.value, BelowCost.REFUSE.value):
            found[name] = BelowCost(value)
    return found


def read_tariffs(
    folder: Path, main: ConfFile, prices: PriceFiles
) -> tuple[dict[str, Tariff], dict[str, str], list[ConfProblem]]:
    """Name -> tariff, name -> its whole text, and what is wrong inside the CSV files and the shared ones."""
    tariffs: dict[str, Tariff] = {}
    texts: dict[str, str] = {}
    book, problems = _read_price_book(folder)
    sections = read_named_tables(main, main.table.get("tariffs", {}), ("tariffs",))
    if not sections:
        main.warn(("tariffs",), found="no tariff", expected="at least one: calls without a price are refused")
    for name, table in sections.items():
        if "vat" not in table:
            main.note(("tariffs", name, "vat"), found="no vat", expected='"inc_vat" or "ex_vat"')
        section = read_struct(main, _TariffSection, table, ("tariffs", name))
        text = _read_csv(folder, name, main)
        if text is None:
            continue
        try:
            tariffs[name], whole = prices.load_tariff(name, text, section.vat.value, book)
        except TariffProblems as found:
            problems += _problems_in(_file_name(name), found)
        else:
            texts[name] = whole
            _check_access_charges(main, tariffs[name])
    return tariffs, texts, problems


def read_tariff_text(folder: Path, name: str, text: str, vat: VatMode) -> tuple[Tariff, str]:
    """A tariff that stands elsewhere, with what the tariffs of this folder share, and its whole text. Raises
    TariffProblems; what is wrong in the shared files is `offhook check`'s to say."""
    book, _ = _read_price_book(folder)
    tariff = load_tariff(name, text, vat.value, book)
    return tariff, whole_tariff_text(text, tariff.rates, book)


def _read_price_book(folder: Path) -> tuple[PriceBook, list[ConfProblem]]:
    """What all tariffs share, and what is wrong in it."""
    bands_file = open_optional_file(folder, TIME_BANDS_FILE)
    bands = read_time_bands(bands_file)
    problems = bands_file.in_order()
    texts: dict[str, str] = {}
    for name in (DESTINATIONS, *SERVICE_FILES):
        try:
            texts[name] = read_text(folder / name, bytes_max=TARIFF_BYTES_MAX)
        except FileNotFoundError:
            continue
        except UnreadableFile as unreadable:
            problems.append(ConfProblem(name, 0, "", unreadable.found, unreadable.expected))
    book, found = read_price_book(texts, bands)
    for each in found:
        problem = each.problem
        problems.append(ConfProblem(each.file, problem.line, problem.column, problem.found, problem.expected))
    return book, problems


def _check_access_charges(main: ConfFile, tariff: Tariff) -> None:
    """A consumer has one access charge for all these numbers (Ofcom, 2015); a business may have several."""
    prices = {(rate.per_minute_micros, rate.valid_from_ms, rate.valid_until_ms) for rate in tariff.access_charges}
    dates = {(rate.valid_from_ms, rate.valid_until_ms) for rate in tariff.access_charges}
    if tariff.vat is VatMode.INC_VAT and len(prices) > len(dates):
        expected = "one for 084, 087, 09 and 118 where consumers have this tariff"
        main.warn(("tariffs", tariff.name), found="access charges that differ by range", expected=expected)


def _file_name(name: str) -> str:
    return f"{TARIFFS_FOLDER}/{name}.csv"


def _read_csv(folder: Path, name: str, main: ConfFile) -> str | None:
    """The CSV's text, or None and a problem noted at the section that asks for it."""
    file_name = _file_name(name)
    try:
        return read_text(folder / file_name, bytes_max=TARIFF_BYTES_MAX)
    except FileNotFoundError:
        main.note(("tariffs", name), found=f"no file {file_name}", expected=f"the prices of {name} in it")
    except UnreadableFile as unreadable:
        main.problems.append(ConfProblem(file_name, 0, "", unreadable.found, unreadable.expected))
    return None


def _problems_in(file_name: str, found: TariffProblems) -> list[ConfProblem]:
    return [
        ConfProblem(file_name, problem.line, problem.column, problem.found, problem.expected)
        for problem in found.problems
    ]
