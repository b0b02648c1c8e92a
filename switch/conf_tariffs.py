"""[tariffs.NAME] in offhook.toml and the CSV it stands for, tariffs/NAME.csv.

The section says what no CSV can say of itself: whether its prices contain VAT. What is wrong inside a
CSV is found by rating.tariff and reported here with the file's name, so that one `offhook check` shows
everything.
"""

from pathlib import Path

from msgspec import Struct

from rating.money import VatMode
from rating.tariff import Tariff, TariffProblems
from switch.calls.routing import BelowCost
from switch.conf_files import TARIFF_BYTES_MAX, ConfFile, ConfProblem, UnreadableFile, read_text
from switch.conf_reader import read_named_tables, read_struct
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
    """Name -> tariff, name -> the file's text, and what is wrong inside the CSV files."""
    tariffs: dict[str, Tariff] = {}
    texts: dict[str, str] = {}
    problems: list[ConfProblem] = []
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
            tariffs[name] = prices.load_tariff(name, text, section.vat.value)
        except TariffProblems as found:
            problems += _problems_in(_file_name(name), found)
        else:
            texts[name] = text
    return tariffs, texts, problems


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
