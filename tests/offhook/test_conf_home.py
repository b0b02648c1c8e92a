from pathlib import Path

import pytest

from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import DataDir
from offhook.supervisor.conf_home import conf_dir_for, packaged_conf
from switch.config import load_conf


def test_a_fresh_data_directory_gets_a_valid_copy_of_the_commented_files(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    made = conf_dir_for(data, named=None)
    assert made == data.conf
    assert (made / "offhook.toml").read_bytes() == (packaged_conf() / "offhook.toml").read_bytes()
    load_conf(made)


def test_the_operators_files_are_never_touched_again(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    conf_dir_for(data, named=None)
    (data.conf / "trunks.toml").write_text("# mine\n")
    conf_dir_for(data, named=None)
    assert (data.conf / "trunks.toml").read_text() == "# mine\n"


def test_files_that_were_put_there_before_the_first_start_are_kept(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.conf.mkdir()
    (data.conf / "routing.toml").write_text("# mine\n")
    conf_dir_for(data, named=None)
    assert (data.conf / "routing.toml").read_text() == "# mine\n"
    assert (data.conf / "offhook.toml").is_file()


def test_a_directory_without_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"has no offhook\.toml") as refused:
        conf_dir_for(DataDir(tmp_path), named=tmp_path)
    assert refused.value.code is ExitCode.INVALID
    assert not (tmp_path / "conf").exists()
