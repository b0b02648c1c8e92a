"""[subscriptions], [[contract_law]] and [[automatic_compensation]] of billing.toml."""

import tomllib
from pathlib import Path

import pytest

from billing.conf import load_billing
from billing.conf_subscriptions import PLAIN, SubscriptionsConf, read_subscriptions
from switch.conf_files import ConfFile
from tests.billing.subscriptions.contracts import day, pounds

CONF_FOLDER = Path(__file__).parents[3] / "conf"


def read(text: str) -> tuple[SubscriptionsConf, list[str]]:
    file = ConfFile("billing.toml", text, tomllib.loads(text))
    conf = read_subscriptions(file)
    return conf, [str(problem) for problem in file.problems]


def test_what_we_ship_says_what_holds_without_it() -> None:
    shipped = load_billing(CONF_FOLDER).subscriptions
    assert shipped.law == PLAIN.law
    assert not shipped.joins_compensation_scheme
    assert shipped.compensation.at(day("2026-04-01")).delayed_repair == pounds(10.34)


def test_without_a_word_the_law_holds() -> None:
    assert read("") == (PLAIN, [])
    assert not PLAIN.law.at(day("2025-01-16")).has_stated_rises_only
    assert PLAIN.law.at(day("2025-01-17")).has_stated_rises_only


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[subscriptions]\njoins_compensation_scheme = true", "no [[automatic_compensation]]"),
        ("[subscriptions]\njoins = true", "an unknown key"),
        ("[[contract_law]]\nfrom = 2020-01-01\nconsumer_term_months_max = 37", "found 37"),
        ("[[contract_law]]\nfrom = 2020-01-01\nend_notice_latest_days = 50", "50 from 2020-01-01 on"),
        ("[[automatic_compensation]]\nfrom = 2020-01-01\ndelayed_repair = 10.34", "found 10.34"),
        ("[[contract_law]]\ncooling_off_days = 14", "no from"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, found: str) -> None:
    _, problems = read(text)
    assert len(problems) == 1
    assert found in problems[0]
