"""safety.toml: read as it is shipped, missing, and with mistakes."""

from pathlib import Path

import pytest

from switch.conf_safety import DEFAULT_SAFETY, FraudRule
from switch.config import Conf
from tests.switch.conf_folder import ConfFolder


@pytest.fixture
def folder(tmp_path: Path) -> ConfFolder:
    return ConfFolder(tmp_path)


def parts(conf: Conf) -> tuple[object, ...]:
    safety = conf.safety
    return safety.high_cost.entries, safety.high_cost_calls_per_account_max, safety.fraud


def test_the_shipped_file_has_the_defaults_and_so_has_a_folder_without_it(folder: ConfFolder) -> None:
    defaults = (
        DEFAULT_SAFETY.high_cost.entries,
        DEFAULT_SAFETY.high_cost_calls_per_account_max,
        DEFAULT_SAFETY.fraud,
    )
    assert parts(folder.load()) == defaults
    (folder.path / "safety.toml").unlink()
    assert parts(folder.load()) == defaults


def test_every_key_is_read(folder: ConfFolder) -> None:
    folder.write(
        "safety.toml",
        """
        [high_cost]
        destinations = ["country:lv", "+4470", "directory"]
        calls_per_account_max = 0
        [fraud]
        dear_per_minute = "0.123456"
        new_high_cost_per_minute = 7
        short_call_s = 3
        short_calls = 8
        short_calls_window_s = 11
        countries_at_once = 4
        bar_on = ["short_calls", "countries_at_once"]
        bar_h = 2
        alarm_again_s = 61
        """,
    )
    entries, at_once, fraud = parts(folder.load())
    assert (entries, at_once) == (("country:LV", "+4470", "directory"), 0)
    assert (fraud.dear_per_minute, fraud.new_high_cost_per_minute, fraud.short_call_s) == (123_456, 7, 3)
    assert (fraud.short_calls, fraud.short_calls_window_s, fraud.countries_at_once) == (8, 11, 4)
    assert fraud.bar_on == (FraudRule.SHORT_CALLS, FraudRule.COUNTRIES_AT_ONCE)
    assert (fraud.bar_h, fraud.alarm_again_s) == (2, 61)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[high_cost]\ndestinations = ["prenium"]', 'a class like "premium"'),
        ('[high_cost]\ndestinations = ["country:QQ"]', 'a class like "premium"'),
        ('[high_cost]\ndestinations = ["+881", "+881"]', "each item once"),
        ("[high_cost]\ncalls_per_account_max = -1", "a whole number from 0 to 100000"),
        ('[fraud]\nbar_on = ["all"]', 'one of "new_high_cost"'),
        ("[fraud]\ndear_per_minute = 0.5", "an amount in pounds in quotes"),
        ('[fraud]\ndear_per_minute = "-1"', "an amount in pounds in quotes"),
        ("[fraud]\nbar_hours = 3", "perhaps bar_h"),
        ("[frauds]\n", "perhaps fraud"),
    ],
)
def test_a_mistake_is_told_with_its_line(folder: ConfFolder, text: str, expected: str) -> None:
    folder.write("safety.toml", text)
    (problem,) = folder.problems()
    assert problem.startswith("safety.toml:")
    assert expected in problem
