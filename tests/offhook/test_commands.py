"""The commands without an exchange: what they refuse, what they check, and their exit codes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version as version_of
from pathlib import Path

import pytest
import structlog

from media.wav import format_wav
from offhook import __main__ as command
from offhook.supervisor.conf_home import packaged_conf


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


class Offhook:
    """Runs the command in this process, as `main` of the console script does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> Ran:
        self._monkeypatch.setattr(sys, "argv", ["offhook", *[str(argument) for argument in arguments]])
        code = 0
        try:
            command.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = self._capsys.readouterr()
        return Ran(code, captured.out, captured.err)


@pytest.fixture
def offhook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Offhook]:
    for name in ("OFFHOOK_DATA", "OFFHOOK_CONF", "OFFHOOK_DSN"):
        monkeypatch.delenv(name, raising=False)
    umask = os.umask(0o022)
    os.umask(umask)
    yield Offhook(monkeypatch, capsys)
    os.umask(umask)  # `up` makes it private for its own process
    structlog.reset_defaults()


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return Path(shutil.copytree(packaged_conf(), tmp_path / "conf"))


def test_without_an_exchange_every_command_says_so_and_exits_3(
    offhook: Offhook, tmp_path: Path, conf: Path
) -> None:
    commands = (
        ["status"], ["reload"], ["calls"], ["calls", "end", "x"], ["registrations"], ["subscriptions"],
        ["account", "list"],
        ["account", "show", "anna"], ["account", "topup", "anna", "10.00"], ["account", "suspend", "anna"],
        ["account", "add", "anna", "--conf", conf], ["line", "list"], ["line", "show", "1001"],
        ["line", "add", "1001", "--account", "anna", "--conf", conf], ["number", "list"],
        ["number", "assign", "01632 960001", "--line", "1001"], ["cdr", "list"], ["quarantine", "list"],
        ["divert", "list"], ["divert", "set", "1001"], ["divert", "clear", "1001", "busy"],
        ["quarantine", "show", "1"], ["quarantine", "remove", "1"],
        ["backup", tmp_path / "file"], ["bans"], ["bans", "lift", "192.0.2.1"], ["bans", "lift", "--all"],
        ["bans", "add", "192.0.2.1", "--for", "30m"], ["trace", "mark", "1001"], ["trace", "readings"],
        ["trace", "list", "--reader", "dispatch", "--why", "case 12"],
        ["trace", "show", "c1", "--reader", "dispatch", "--why", "case 12"],
    )  # fmt: skip
    for arguments in commands:
        ran = offhook(*arguments, "--data", tmp_path / "none")
        assert ran.code == 3, arguments
        assert "offhook up" in ran.err, arguments
        assert not ran.out, arguments


def test_a_valid_configuration_is_said_to_be_valid(offhook: Offhook, conf: Path, tmp_path: Path) -> None:
    ran = offhook("check", "--conf", conf, "--data", tmp_path)
    assert ran.code == 0
    assert f"The configuration in {conf} is valid." in ran.out


def test_check_names_file_line_key_found_and_expected_of_every_problem(
    offhook: Offhook, conf: Path, tmp_path: Path
) -> None:
    with (conf / "trunks.toml").open("a") as file:
        file.write('\n[trunk.north]\naddresses = ["no where"]\ncolour = "red"\n')
    ran = offhook("check", "--conf", conf, "--data", tmp_path)
    assert ran.code == 2
    lines = (conf / "trunks.toml").read_text().split("\n")
    address_line = lines.index('addresses = ["no where"]') + 1
    colour_line = lines.index('colour = "red"') + 1
    assert f"{conf}/trunks.toml:{address_line}: trunk.north.addresses" in ran.err
    assert f"{conf}/trunks.toml:{colour_line}: trunk.north.colour" in ran.err
    assert "expected" in ran.err
    assert "is not valid: " in ran.out


def test_before_the_first_start_check_says_whose_configuration_it_has_read(offhook: Offhook, tmp_path: Path) -> None:
    ran = offhook("check", "--data", tmp_path)
    assert ran.code == 0
    assert f"The configuration in {packaged_conf()} is valid.\n" in ran.out
    assert f"the first `offhook up` copies it to {tmp_path}/conf, where it is yours." in ran.out
    shutil.copytree(packaged_conf(), tmp_path / "conf")
    assert "copies it" not in offhook("check", "--data", tmp_path).out


def test_check_of_a_single_file_says_that_a_directory_is_meant(
    offhook: Offhook, conf: Path, tmp_path: Path
) -> None:
    ran = offhook("check", "--conf", conf / "offhook.toml", "--data", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"offhook: {conf}/offhook.toml is no directory: --conf is where offhook.toml and the other files are\n"
    )


def test_check_as_json_holds_the_same_findings(offhook: Offhook, conf: Path, tmp_path: Path) -> None:
    (conf / "offhook.toml").write_text("[listen]\nudp = 5060\n")
    ran = offhook("check", "--conf", conf, "--data", tmp_path, "--json")
    assert ran.code == 2
    findings = json.loads(ran.out)
    assert findings["problems"][0]["file"] == "offhook.toml"
    assert findings["problems"][0]["line"] == 2
    assert findings["is_database_checked"] is False


def test_check_warns_of_prompts_that_cannot_be_used(offhook: Offhook, conf: Path, tmp_path: Path) -> None:
    own = conf / "prompts" / "en_GB"
    own.mkdir(parents=True)
    (own / "no-credit.wav").write_bytes(b"RIFF\x1b[2J")
    (own / "nocredit.wav").write_bytes(b"")
    (own / "please-hold.wav").write_bytes(format_wav(bytes(320), 8000))
    ran = offhook("check", "--conf", conf, "--data", tmp_path)
    assert ran.code == 0
    assert f"warning: {own}/no-credit.wav: found a file that is no WAV file" in ran.err
    assert (
        f"warning: {own}/nocredit.wav: found a file that has the name of no prompt; did you mean no-c"
        in ran.err
    )
    assert "please-hold" not in ran.err
    assert "\x1b" not in ran.err
    assert "is valid" in ran.out


def test_up_refuses_an_invalid_configuration_before_it_starts_anything(
    offhook: Offhook, conf: Path, tmp_path: Path
) -> None:
    (conf / "offhook.toml").write_text("[listen]\nudp = 5060\n")
    ran = offhook("up", "--conf", conf, "--data", tmp_path / "data")
    assert ran.code == 2
    assert "offhook.toml:2: listen.udp" in ran.err
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize("amount", ["ten", "1e3", "1_000", "1.0000001", "", "\u0661\u0660"])
def test_what_is_no_money_is_a_usage_error(offhook: Offhook, tmp_path: Path, amount: str) -> None:
    ran = offhook("account", "topup", "anna", amount, "--data", tmp_path)
    assert ran.code == 2
    assert "expected an amount in pounds" in ran.err


def test_a_password_can_not_be_given_as_an_argument(offhook: Offhook, tmp_path: Path) -> None:
    ran = offhook("line", "add", "1001", "--account", "a", "--password", "secret", "--data", tmp_path)
    assert ran.code == 2
    assert "No such option" in ran.err


def test_backup_does_not_overwrite(offhook: Offhook, tmp_path: Path) -> None:
    (tmp_path / "books").write_text("precious")
    ran = offhook("backup", tmp_path / "books", "--data", tmp_path)
    assert ran.code == 1
    assert (tmp_path / "books").read_text() == "precious"


def test_a_name_that_no_file_can_have_is_one_line(offhook: Offhook, tmp_path: Path) -> None:
    ran = offhook("backup", tmp_path / ("long" * 100), "--data", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("offhook: ") and ran.err.endswith(" cannot be written: File name too long\n")


@pytest.mark.parametrize("command", [["up"], ["restore", "books.dump"]])
def test_a_data_directory_that_cannot_be_used_is_one_line(
    offhook: Offhook, tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("books.dump").write_bytes(b"PGDMP")
    ran = offhook(*command, "--data", tmp_path / "books.dump")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"offhook: the data directory {tmp_path}/books.dump cannot be used: File exists\n"


def test_restore_refuses_a_file_that_is_no_backup(offhook: Offhook, tmp_path: Path) -> None:
    (tmp_path / "books").write_text("not an archive")
    ran = offhook("restore", tmp_path / "books", "--data", tmp_path / "data")
    assert ran.code == 2
    assert "no file that `offhook backup` wrote" in ran.err
    assert not (tmp_path / "data").exists()


def test_check_names_what_is_wrong_in_the_table_of_faults(
    offhook: Offhook, conf: Path, tmp_path: Path
) -> None:
    patterns = conf / "fault-patterns.toml"
    text = patterns.read_text()
    patterns.write_text(text.replace('when_all = ["private_address"]', 'when_all = ["privat_address"]', 1))
    ran = offhook("check", "--conf", conf, "--data", tmp_path)
    assert ran.code == 2
    assert 'the unknown sign "privat_address"' in ran.err
    patterns.unlink()
    assert offhook("check", "--conf", conf, "--data", tmp_path).code == 0


def test_check_names_deadlines_of_faults_that_are_none(offhook: Offhook, conf: Path, tmp_path: Path) -> None:
    terms = conf / "faults.toml"
    terms.write_text(terms.read_text().replace("restore_h = 8", "restore_h = 0", 1))
    ran = offhook("check", "--conf", conf, "--data", tmp_path)
    assert ran.code == 2
    assert "faults.toml" in ran.err and "restore_h" in ran.err


def test_the_names_of_options_are_whole_in_the_help_of_a_narrow_terminal(
    offhook: Offhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = offhook("line", "set", "--help")
    assert ran.code == 0
    assert "--max-calls-per-second <int>" in ran.out
    assert "--emergency-address <str>" in ran.out
    assert "\u2026" not in ran.out
    assert max(len(line) for line in ran.out.split("\n")) <= 80


def test_help_of_a_group_says_of_each_command_what_it_does_in_whole_sentences(
    offhook: Offhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for group in ([], ["account"], ["call"], ["calls"]):
        ran = offhook(*group, "--help")
        assert ran.code == 0
        assert "..." not in ran.out.replace("[ARGS]...", "")
    told = " ".join(offhook("account", "--help").out.split())
    assert "Add credit. It counts within a second, also for calls that are up." in told


def test_a_misspelt_command_is_answered_with_the_one_that_is_like_it(offhook: Offhook) -> None:
    ran = offhook("acount", "add")
    assert (ran.code, ran.out) == (2, "")
    assert "Error: No such command 'acount'. Did you mean 'account'?" in ran.err


def test_it_says_which_release_it_is(offhook: Offhook) -> None:
    ran = offhook("--version")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"offhook {version_of('offhook')}\n"


def test_an_argument_that_is_no_text_is_one_line(offhook: Offhook, tmp_path: Path) -> None:
    ran = offhook("call", "keep", "\udcff\udcfe", "--data", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "offhook: found '\\xff\\xfe', expected text in UTF-8\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_output_that_cannot_be_written_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "offhook", "--version"],
            check=False, stdout=full, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr == "offhook: the output cannot be written: No space left on device\n"


def test_without_a_stdout_nothing_is_printed_and_nothing_breaks(
    offhook: Offhook, monkeypatch: pytest.MonkeyPatch, conf: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert offhook("check", "--conf", conf, "--data", tmp_path).code == 0
