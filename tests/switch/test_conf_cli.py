"""[cli] and the list of numbers that make no calls: read, checked, noticed when it changes."""

from pathlib import Path

import pytest

from switch.conf_cli import DO_NOT_ORIGINATE_BYTES_MAX, LINES_NOTED_MAX, Action, CliRules, MissingAction
from switch.conf_trunks import Origin
from switch.config import conf_fingerprint
from tests.switch.conf_folder import ConfFolder

LIST = "do-not-originate.txt"


@pytest.fixture
def folder(tmp_path: Path) -> ConfFolder:
    return ConfFolder(tmp_path)


def with_cli(folder: ConfFolder, text: str) -> None:
    folder.write("offhook.toml", f'[tariffs.retail]\nvat = "inc_vat"\n[cli]\n{text}\n')


def test_rules_are_read_from_the_section(folder: ConfFolder) -> None:
    with_cli(
        folder,
        'premium = "strip"\nintl_447_policy = "block"\nmissing = "block"\nmissing_from_abroad = "pass"\n'
        'inserted_number = "+448979012345"\ninserted_ranges = []\nnever_presented = ["+4470"]',
    )
    assert folder.load().cli == CliRules(
        premium=Action.STRIP,
        intl_447_policy=Action.BLOCK,
        missing=MissingAction.BLOCK,
        missing_from_abroad=MissingAction.PASS,
        inserted_number="+448979012345",
        inserted_ranges=(),
        never_presented=("+4470",),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'premium = "reject"',
            'cli.premium: found "reject", expected one of "pass", "withhold", "strip", "block"',
        ),
        ('missing = "strip"', 'cli.missing: found "strip", expected one of "pass", "block"'),
        ('inserted_number = "08979012345"', 'expected "" or a number with its country code'),
        ('inserted_number = "+44897901234567890"', 'expected "" or a number with its country code'),
        ('never_presented = ["07"]', "expected the beginning of a number with its country code"),
        ('never_presented = ["+"]', "expected the beginning of a number with its country code"),
        ('never_presented = ["+07"]', "no country code begins with 0"),
        ('never_presented = "+447"', "a list in square brackets"),
        ("listed = []", "found an unknown key"),
        ('preimum = "pass"', "expected perhaps premium"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_line(folder: ConfFolder, text: str, problem: str) -> None:
    with_cli(folder, text)
    (found,) = folder.problems()
    assert found.startswith("offhook.toml:4: cli.") and problem in found


def test_numbers_are_read_one_a_line_and_reloaded_when_they_change(folder: ConfFolder) -> None:
    assert folder.load().cli.listed == frozenset()
    before = conf_fingerprint(folder.path)
    (folder.path / LIST).write_bytes(
        b"\xef\xbb\xbf# banks\r\n+441632960001\r\n\r\n +441632960002\t# the second\n+441632960001\n"
    )
    assert conf_fingerprint(folder.path) != before
    assert folder.load().cli.listed == {"+441632960001", "+441632960002"}


def test_without_the_file_nothing_is_listed(folder: ConfFolder) -> None:
    (folder.path / LIST).unlink()
    assert folder.load().cli.listed == frozenset()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# x\n01632960001\n", f'{LIST}:2: found "01632960001", expected a number like +441632960123'),
        ("+4416329600x1", f'{LIST}:1: found "+4416329600x1", expected a number'),
        ("+0441632960001", f'{LIST}:1: found "+0441632960001", expected a number'),
        ("+\uff14\uff14\uff11\uff16\uff13\uff12\uff19\uff16", f"{LIST}:1: found"),
        ("+44\x1b[2J", f"{LIST}:1: found '+44\\x1b[2J'"),
        (
            "x" * (DO_NOT_ORIGINATE_BYTES_MAX + 1),
            f"{LIST}: found more than {DO_NOT_ORIGINATE_BYTES_MAX} bytes",
        ),
    ],
)
def test_what_is_no_number_is_refused_with_its_line(folder: ConfFolder, text: str, problem: str) -> None:
    (folder.path / LIST).write_text(text, encoding="utf-8")
    (found,) = folder.problems()
    assert found.startswith(problem)


def test_another_kind_of_file_does_not_fill_the_screen(folder: ConfFolder) -> None:
    (folder.path / LIST).write_text("not a number\n" * 1000)
    assert len(folder.problems()) == LINES_NOTED_MAX


def test_a_trunk_says_where_its_calls_begin(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    assert {trunk.origin for trunk in folder.load().trunks.values()} == {Origin.UK}
    text = (folder.path / "trunks.toml").read_text()
    folder.write(
        "trunks.toml", text.replace("[trunk.carrier_b]", '[trunk.carrier_b]\norigin = "international"')
    )
    trunks = folder.load().trunks
    assert trunks["carrier_b"].origin is Origin.INTERNATIONAL and trunks["carrier_a"].origin is Origin.UK
    folder.write("trunks.toml", text.replace("[trunk.carrier_b]", '[trunk.carrier_b]\norigin = "abroad"'))
    (found,) = folder.problems()
    assert 'found "abroad", expected one of "uk", "international"' in found
