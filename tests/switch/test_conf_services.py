"""services.toml: laid over the UK's table, whole without it, and wrong in words."""

from pathlib import Path

import pytest

from switch.calls.number_plan import ServiceCode, Unrecognised, read_dialled
from switch.calls.service_codes import UK_SERVICES, CodeRule, Feature
from switch.config import Conf
from tests.switch.conf_folder import ConfFolder, problems_of


@pytest.fixture
def folder(tmp_path: Path) -> ConfFolder:
    return ConfFolder(tmp_path)


def load(folder: ConfFolder, *codes: str) -> Conf:
    folder.write("services.toml", "[codes]\n" + "\n".join(codes) + "\n")
    return folder.load()


def rule(conf: Conf, dialled: str) -> CodeRule | None:
    found = read_dialled(dialled, conf.routing.plan).destination
    return conf.services.find(found) if isinstance(found, ServiceCode) else None


def test_the_file_may_be_missing_or_as_shipped(folder: ConfFolder) -> None:
    assert folder.load().services.rules == UK_SERVICES.rules
    (folder.path / "services.toml").unlink(missing_ok=True)
    conf = folder.load()
    assert conf.services.rules == UK_SERVICES.rules
    assert rule(conf, "*21*01632960124#") == CodeRule(Feature.DIVERT, "set", "all")


def test_codes_are_added_changed_and_taken_away(folder: ConfFolder) -> None:
    conf = load(
        folder,
        '"*78#" = "line does_not_disturb=yes"',
        '"160" = "services check"',
        '"*43" = "divert declined set"',
        '"**0" = ""',
        '"1471" = ""',
    )
    assert rule(conf, "*78") == CodeRule(Feature.LINE, "set", "does_not_disturb=yes")
    assert rule(conf, "160") == CodeRule(Feature.SERVICES, "check")
    assert rule(conf, "*43*1002#") == CodeRule(Feature.DIVERT, "set", "declined")
    assert rule(conf, "1471") is None
    assert rule(conf, "**0") == CodeRule(Feature.SPEED_CALL, "call")  # like any code of one digit
    assert rule(conf, "#43#") == UK_SERVICES.rules["#43"]
    assert isinstance(read_dialled("161", conf.routing.plan).destination, Unrecognised)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"999" = "redial"', "that begins no other number"),
        ('"141" = "redial"', "that begins no other number"),
        ('"#31#" = "redial"', "that begins no other number"),
        ('"01632" = "redial"', "that begins no other number"),
        ('"*21*1" = "redial"', "that begins no other number"),
        ('"***" = "redial"', "that begins no other number"),
        ('"*\u0661" = "redial"', "that begins no other number"),
        ('"*12345678" = "redial"', "that begins no other number"),
        ('"*71" = "divert sometimes set"', "divert CONDITION set|check|cancel|erase"),
        ('"*71" = "divert all"', "divert CONDITION set|check|cancel|erase"),
        ('"*71" = "moon"', "line SETTING=VALUE"),
        ('"*71" = "redial now"', "line SETTING=VALUE"),
        ('"*71" = "line moon=yes"', "line SETTING=VALUE"),
        ('"*71" = "line does_not_disturb=perhaps"', "line SETTING=VALUE"),
        ('"*71" = "line operator_bars="', "line SETTING=VALUE"),
        ('"*71" = "line hidden_callers="', "line SETTING=VALUE"),
        ('"*71" = 3', "line SETTING=VALUE"),
        ('[code]\n"*71" = "redial"', "perhaps codes"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(folder: ConfFolder, line: str, words: str) -> None:
    folder.write("services.toml", f"[codes]\n{line}\n")
    (problem,) = problems_of(folder.path)
    assert problem.startswith("services.toml:") and words in problem
