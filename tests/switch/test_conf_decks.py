"""decks/, exchange-rates.toml, routes as tables, and what the switch takes from billing.toml."""

from pathlib import Path

import pytest

from rating.calendar import parse_start_ms
from rating.vat_rates import UK_VAT
from switch.calls.routing import BelowCost, QualityFloor, TrunkOrder
from tests.switch.conf_folder import ConfFolder

CSV = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
NOW = parse_start_ms("2026-06-01")


@pytest.fixture
def folder(tmp_path: Path) -> ConfFolder:
    return ConfFolder(tmp_path)


def write_deck(
    folder: ConfFolder, name: str = "own", *, toml: str = "", rows: str = "+44,UK,0,0.0125,1,1,2026-01-01,\n"
) -> None:
    folder.write(f"decks/{name}.toml", toml or 'currency = "USD"\nprefix = "p"\nprice = "c"\n')
    if rows:
        folder.write(f"decks/{name}.csv", CSV + rows)
    folder.write("exchange-rates.toml", '[USD]\n2026-01-01 = "0.8"\n2026-05-01 = "0.7"\n')


def test_what_is_shipped_has_no_deck(folder: ConfFolder) -> None:
    conf = folder.load()
    assert conf.decks == {} and conf.below_cost == {}


def test_the_example_is_valid_where_it_is_copied(folder: ConfFolder) -> None:
    text = (
        (folder.path / "decks/supplier.example.toml")
        .read_text()
        .replace("\n# ", "\n#")
        .replace("\n#", "\n# ")
    )
    lines = [
        line.removeprefix("# ") if "# " in line[:2] and " = " in line else line for line in text.split("\n")
    ]
    example = "\n".join(line for line in lines if "offhook deck" not in line and not line.startswith("Then"))
    write_deck(folder, toml=example, rows="")
    assert folder.load().decks == {}


def test_a_deck_is_priced_at_the_exchange_rate_of_the_day(folder: ConfFolder) -> None:
    write_deck(folder)
    conf = folder.load()
    deck = conf.decks["own"]
    for day, micros in (("2026-04-30", 10_000), ("2026-05-01", 8_750)):
        rate = deck.rate_for("+441632960123", parse_start_ms(day))
        assert rate is not None and rate.per_minute_micros == micros
    version = next(text for text in conf.versions if text.kind == "deck")
    assert (version.name, version.version) == ("own", deck.version)


def test_a_deck_without_prices_yet_is_no_problem_and_a_trunk_may_name_it(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    trunks = (folder.path / "trunks.toml").read_text()
    folder.write("trunks.toml", trunks.replace("[trunk.carrier_b]", 'deck = "own"\n\n[trunk.carrier_b]'))
    write_deck(folder, rows="")
    conf = folder.load()
    assert conf.trunks["carrier_a"].deck == "own" and conf.decks == {}


def test_a_copy_of_the_example_stops_nothing_before_it_has_prices_whatever_its_currency(folder: ConfFolder) -> None:
    example = (folder.path / "decks/supplier.example.toml").read_text()
    folder.write("decks/acme.toml", example)
    folder.write("decks/abroad.toml", example.replace('currency = "GBP"', 'currency = "CHF"'))
    assert folder.load().decks == {}
    folder.write("decks/abroad.csv", CSV)
    assert folder.problems() == [
        "decks/abroad.toml:11: currency: found the currency CHF, expected its exchange rate in exchange-rates.toml"
    ]


COLUMNS = 'prefix = "p"\nprice = "c"\n'
MISTAKES = {
    f'currency = "usd"\n{COLUMNS}': 'decks/own.toml:1: currency: found "usd", expected a currency of three capitals',
    f'currency = "CHF"\n{COLUMNS}': "currency: found the currency CHF, expected its exchange rate in exchange-rates",
    'currency = "USD"\nprefix = "p"\n': "found no price, expected the column that says it",
    'prefix = "p"\nprice = 0\n': "price: found 0, expected the name of a column, or its number from 1 to 200",
    f'{COLUMNS}encoding = "ebcdic"\n': 'encoding: found "ebcdic", expected one of "utf-8", "utf-16"',
    f'{COLUMNS}delimiter = ","\ndecimal = ","\n': "decimal: found the same as the delimiter",
    f'{COLUMNS}price_per = "hour"\n': 'price_per: found "hour", expected one of "minute", "second"',
    f'{COLUMNS}priceper = "minute"\n': "found an unknown key, expected perhaps price_per",
}


@pytest.mark.parametrize("toml", MISTAKES)
def test_what_is_wrong_in_a_layout_is_said_with_its_line(folder: ConfFolder, toml: str) -> None:
    write_deck(folder, toml=toml)
    assert any(MISTAKES[toml] in problem for problem in folder.problems())


def test_what_is_wrong_in_prices_is_said_with_line_and_column(folder: ConfFolder) -> None:
    write_deck(folder, rows="+44,UK,0,x,1,1,2026-01-01,\n")
    assert folder.problems() == [
        "decks/own.csv:2: per_minute: found 'x', expected a price such as 0.0125: at most 6 digits before the point, "
        "9 after it"
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[USD]\n2026-01-01 = 0.8\n",
            "exchange-rates.toml:2: USD.2026-01-01: found 0.8, expected what one unit costs",
        ),
        ('[USD]\n2026-13-01 = "0.8"\n', "expected a day like 2026-01-31"),
        ('[USD]\n2026-01-01 = "0"\n', "expected what one unit costs"),
        ('[GBP]\n2026-01-01 = "1"\n', "a pound is a pound"),
        ('[usd]\n2026-01-01 = "1"\n', "three capitals"),
        ('USD = "0.8"\n', "expected a table"),
    ],
)
def test_wrong_exchange_rates_are_refused(folder: ConfFolder, text: str, words: str) -> None:
    folder.write("exchange-rates.toml", text)
    assert words in folder.problems()[0]


def test_a_trunk_names_a_deck_that_there_is(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    trunks = (folder.path / "trunks.toml").read_text()
    folder.write("trunks.toml", trunks.replace("[trunk.carrier_b]", 'deck = "onw"\n\n[trunk.carrier_b]'))
    write_deck(folder)
    assert any(
        'deck: found "onw", expected perhaps own, in decks/' in problem for problem in folder.problems()
    )


ROUTE = """
[routes]
"+" = ["carrier_a"]
"+44" = { trunks = [["carrier_b"], ["carrier_a"]], order = "price", below_cost = "refuse" }
"+33" = { trunks = ["carrier_a", "carrier_b"], asr_min_percent = 30, acd_min_s = 10, pdd_max_ms = 9000 }
"""


def test_a_route_may_say_how_to_choose(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    folder.write("routing.toml", ROUTE)
    routing = folder.load().routing
    rule = routing.rule("+441632960123")
    assert rule is not None and not rule.is_listed
    assert (rule.prefix, rule.trunks, rule.groups) == ("+44", ("carrier_b", "carrier_a"), (0, 1))
    assert (rule.order, rule.below_cost) == (TrunkOrder.PRICE, BelowCost.REFUSE)
    french = routing.rule("+33123456789")
    assert french is not None and not french.is_listed and french.floor == QualityFloor(30, 10, 9000)
    plain = routing.rule("+12025550123")
    assert plain is not None and plain.is_listed


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ('{ order = "price" }', "found a route without trunks, expected trunks = [...] in it"),
        ('{ trunks = ["carrier_a"], order = "cheap" }', 'found "cheap", expected one of "listed", "price"'),
        ('{ trunks = ["carrier_x"] }', 'found "carrier_x", expected perhaps'),
        ('{ trunks = [["carrier_a"], ["carrier_a"]] }', "twice, expected each item once"),
        ('{ trunks = [["carrier_a"], "carrier_b"] }', "expected"),
        ('{ trunks = ["carrier_a"], asr_min_percent = 101 }', "a whole number from 0 to 100"),
        ('{ trunks = ["carrier_a"], ordr = "price" }', "found an unknown key, expected perhaps order"),
    ],
)
def test_wrong_routes_are_refused_with_their_line(folder: ConfFolder, route: str, words: str) -> None:
    folder.write_two_trunks()
    folder.write("routing.toml", f'[routes]\n"+44" = {route}\n')
    found = folder.problems()
    assert found[0].startswith("routing.toml:2:") and words in found[0]


def test_a_tariff_says_what_becomes_of_calls_below_cost(folder: ConfFolder) -> None:
    text = (folder.path / "offhook.toml").read_text()
    folder.write("offhook.toml", text.replace('below_cost = "allow"', 'below_cost = "refuse"'))
    assert folder.load().below_cost == {"retail": BelowCost.REFUSE}
    folder.write("offhook.toml", text.replace('below_cost = "allow"', 'below_cost = "never"'))
    assert 'expected one of "allow", "warn", "refuse"' in folder.problems()[0]


def test_vat_is_billings(folder: ConfFolder) -> None:
    entries = "[[vat]]\nfrom = 2011-01-04\npercent = 20\n", '[[vat]]\nfrom = 2026-05-01\npercent = "17.5"\n'
    folder.write("billing.toml", "".join(entries))
    vat = folder.load().vat
    assert (vat.hundredths_at(parse_start_ms("2026-04-30")), vat.hundredths_at(NOW)) == (2000, 1750)
    (folder.path / "billing.toml").unlink()
    assert folder.load().vat is UK_VAT


@pytest.mark.parametrize(
    "entry", ["vat = 20", '[[vat]]\nfrom = "x"\npercent = 20', "[[vat]]\nfrom = 2011-01-04\npercent = true"]
)
def test_calls_go_on_where_billings_vat_cannot_be_read(folder: ConfFolder, entry: str) -> None:
    folder.write("billing.toml", entry + "\n")
    conf = folder.load()
    assert conf.vat is UK_VAT
    assert any(warning.file == "billing.toml" for warning in conf.warnings)
