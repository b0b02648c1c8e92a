"""`offhook deck`: from a supplier's file to the deck in force, and back out of every mistake."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from offhook.__main__ import app
from offhook.commands import deck as command
from rating.calendar import parse_start_ms
from switch.config import load_conf
from tests.switch.conf_folder import SHIPPED

LAYOUT = 'currency = "USD"\nprefix = "Code"\nprice = "Rate"\ndestination = ["Name"]\nvalid_from = "From"\n'
JANUARY = """Code,Name,Rate,From
441,UK landline,0.008,2026-01-01
447,UK mobile,0.03,2026-01-01
1,USA,0.005,2026-01-01
"""
JUNE = """Code,Name,Rate,From
441,UK landline,0.018,2026-06-01
447,UK mobile,0.02,2026-06-01
33,France,0.01,2026-06-01
"""
NOW = parse_start_ms("2026-03-01")


class Desk:
    def __init__(self, folder: Path) -> None:
        self.conf = folder / "conf"
        shutil.copytree(SHIPPED, self.conf)
        self.folder = folder
        (self.conf / "decks/own.toml").write_text(LAYOUT)
        (self.conf / "exchange-rates.toml").write_text('[USD]\n2026-01-01 = "0.8"\n')

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(
            app, ["deck", *words, "--conf", str(self.conf), "--data", str(self.folder / "data")]
        )

    def says(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    def fails(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code != 0
        return f"{result.output}{result.exception}"

    def file(self, text: str, name: str = "file.csv") -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def in_force(self) -> str:
        path = self.conf / "decks/own.csv"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(command, "_now_ms", lambda: NOW)
    return Desk(tmp_path)


@pytest.fixture
def january(desk: Desk) -> Desk:
    desk.says("import", "own", desk.file(JANUARY))
    desk.says("apply", "own")
    return desk


def test_nothing_is_in_force_before_it_is_applied(desk: Desk) -> None:
    said = desk.says("import", "own", desk.file(JANUARY))
    assert "3 prices read" in said and "3 new" in said
    assert desk.in_force() == ""
    assert "a file waits" in desk.says("list")
    assert "3 prices" in desk.says("apply", "own")
    conf = load_conf(desk.conf)
    rate = conf.decks["own"].rate_for("+441632960123", NOW)
    assert rate is not None and rate.per_minute_micros == 6_400
    assert "own" in desk.says("list") and "a file waits" not in desk.says("list")


def test_a_diff_says_what_becomes_dearer_cheaper_new_and_gone(january: Desk) -> None:
    said = january.says("diff", "own", january.file(JUNE), "--tariff", "retail")
    rows = {
        line.split()[1]: line for line in said.split("\n") if line.split()[1:2] and "+" in line.split()[1]
    }
    assert rows["+441"].startswith("increase") and "+125.0 %" in rows["+441"] and "2026-06-01" in rows["+441"]
    assert (
        rows["+447"].startswith("decrease")
        and rows["+33"].startswith("new")
        and rows["+1"].startswith("gone")
    )
    assert "1 dearer, 1 cheaper, 1 new, 1 gone." in said
    # 0.018 dollars are 0.0144 pounds; sold for 0.012 with VAT, which is 0.01 without
    assert "-£0.0132" in rows["+441"] and "1 of them would be sold below cost" in said
    assert january.in_force().count("2026-06-01") == 0


def test_the_diff_as_json_has_integers(january: Desk) -> None:
    rows = json.loads(january.says("diff", "own", january.file(JUNE), "--json"))
    increase = next(row for row in rows if row["kind"] == "increase")
    assert (increase["before_nanos"], increase["after_nanos"]) == (24_000_000, 54_000_000)


def test_later_prices_wait_for_their_day_and_earlier_ones_stay(january: Desk) -> None:
    january.says("import", "own", january.file(JUNE))
    january.says("apply", "own")
    schedule = january.says("schedule", "own")
    assert "+33" in schedule and "until before 2026-06-01" in schedule
    deck = load_conf(january.conf).decks["own"]
    june = parse_start_ms("2026-06-01")
    nanos = [
        None if (price := deck.price_for(number, at_ms)) is None else price.per_minute_nanos
        for number in ("+441632960123", "+12025550123", "+33123456789")
        for at_ms in (NOW, june)
    ]
    assert nanos == [8_000_000, 18_000_000, 5_000_000, None, None, 10_000_000]
    kept = sorted((january.conf / "decks/versions").iterdir())
    assert len(kept) == 2
    assert gzip.decompress(kept[0].read_bytes()).decode().startswith("prefix,destination,")
    assert any(gzip.decompress(path.read_bytes()).decode() == january.in_force() for path in kept)


def test_a_file_with_one_mistake_changes_nothing(january: Desk) -> None:
    before = january.in_force()
    said = january.fails("import", "own", january.file(JUNE + "44x,odd,0.1,2026-06-01\n"))
    assert "nothing was taken over" in said and ":5: Code: found '44x', expected 1 to 15 digits" in said
    assert january.in_force() == before and "nothing waits" in january.fails("apply", "own")


def test_check_changes_nothing(january: Desk) -> None:
    assert "3 prices in USD, 0 rows left out" in january.says("check", "own", january.file(JUNE))
    assert "nothing waits" in january.fails("diff", "own")


def test_what_waits_is_not_applied_to_another_deck_than_it_was_made_of(january: Desk) -> None:
    january.says("import", "own", january.file(JUNE))
    path = january.conf / "decks/own.csv"
    path.write_text(path.read_text().replace("0.03", "0.04"))
    assert "import it again" in january.fails("apply", "own")


def test_a_row_without_a_date_takes_the_one_given(desk: Desk) -> None:
    (desk.conf / "decks/own.toml").write_text(LAYOUT.replace('valid_from = "From"\n', ""))
    file = desk.file("Code,Name,Rate\n44,UK,0.01\n")
    assert "or --from" in desk.fails("import", "own", file)
    desk.says("import", "own", file, "--from", "2026-02-01")
    assert "2026-02-01" in desk.says("diff", "own")
    assert "--from" in desk.fails("import", "own", file, "--from", "tomorrow")


def test_show_says_what_a_call_costs(january: Desk) -> None:
    said = january.says("show", "own", "--to", "+447700900123")
    assert "0.03 USD" in said and "£0.024" in said and "+447" in said
    assert "no price" in january.fails("show", "own", "--to", "+81312345678")
    assert "+441" in january.says("show", "own", "--prefix", "+44") and "+1 " not in january.says(
        "show", "own", "--prefix", "+44"
    )
    assert "no price holds" in january.says("show", "own", "--at", "2025-06-01")


def test_margins_list_what_is_sold_below_cost(january: Desk) -> None:
    assert "nothing is sold below cost" in january.says("margins", "own", "--tariff", "retail")
    january.says("import", "own", january.file(JUNE))
    january.says("apply", "own")
    said = january.says("margins", "own", "--tariff", "retail", "--at", "2026-06-02")
    assert "+441 " in said and "UK landline" in said and "are sold below cost" in said
    rows = json.loads(january.says("margins", "own", "--tariff", "retail", "--at", "2026-06-02", "--json"))
    landline = next(row for row in rows if row["prefix"] == "+441")
    assert (landline["selling_micros"], landline["buying_micros"]) == (30_000, 43_200)
    assert "no tariff" in january.fails("margins", "own", "--tariff", "gold")


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('currency = "CHF"\nprefix = "a"\nprice = "b"\n', "no rate for CHF: expected below [CHF] a line such as"),
        ('currency = "USD"\nprefix = "a"\n', "own.toml"),
        ("currency = \n", "own.toml"),
    ],
)
def test_a_layout_that_cannot_be_used_is_named(desk: Desk, toml: str, words: str) -> None:
    (desk.conf / "decks/own.toml").write_text(toml)
    assert words in desk.fails("check", "own", desk.file(JANUARY))


def test_a_deck_that_is_not_there_and_a_file_that_is_not(desk: Desk) -> None:
    assert "no deck 'other'" in desk.fails("show", "other")
    assert "no deck '../own'" in desk.fails("show", "../own")
    assert "cannot be read" in desk.fails("import", "own", str(desk.folder / "none.csv"))
    (desk.folder / "bad.csv").write_bytes(b"Code,Name,Rate,From\n44,\xff,0.1,2026-01-01\n")
    assert ":2: found the byte 0xff, expected text in utf-8" in desk.fails(
        "import", "own", str(desk.folder / "bad.csv")
    )
