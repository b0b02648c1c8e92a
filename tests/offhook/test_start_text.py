"""What `offhook up` says once everything runs, from the files that it was started with."""

import shutil
from pathlib import Path

import pytest

from offhook.paths import DataDir
from offhook.supervisor.conf_home import packaged_conf
from offhook.supervisor.exchange import UpPlan
from offhook.supervisor.start_text import start_text
from switch.config import load_conf


@pytest.fixture
def conf_dir(tmp_path: Path) -> Path:
    return Path(shutil.copytree(packaged_conf(), tmp_path / "conf"))


def text_of(conf_dir: Path, *, dsn: str = "") -> str:
    return start_text(UpPlan(data=DataDir(conf_dir.parent), conf_dir=conf_dir, conf=load_conf(conf_dir), dsn=dsn))


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_every_transport_that_phones_may_use_is_named(conf_dir: Path) -> None:
    rewrite(conf_dir / "offhook.toml", "\nws = []\n", '\nws = ["127.0.0.1:8080", "[::1]:8080"]\n')
    assert "udp 0.0.0.0:5060, tcp 0.0.0.0:5060, ws 127.0.0.1:8080, ws [::1]:8080\n" in text_of(conf_dir)


def test_a_newcomer_is_told_where_the_portal_is_and_who_may_come_in(conf_dir: Path) -> None:
    assert "  portal         http://127.0.0.1:8440/, for whom `offhook staff add` lets in\n" in text_of(conf_dir)


def test_no_portal_is_named_where_none_runs_or_its_file_is_wrong(conf_dir: Path) -> None:
    rewrite(conf_dir / "portal.toml", 'listen = "127.0.0.1:8440"\n', 'listen = ""\n')
    assert "  portal  " not in text_of(conf_dir)
    (conf_dir / "portal.toml").write_text("[portal]\nlisten = 1\n")
    assert "  portal  " not in text_of(conf_dir)
    (conf_dir / "portal.toml").unlink()
    assert "  portal  " not in text_of(conf_dir)


def test_the_password_of_an_own_database_is_not_shown(conf_dir: Path) -> None:
    text = text_of(conf_dir, dsn="postgresql://offhook:secret@db/offhook")
    assert "  database       your own PostgreSQL\n" in text and "secret" not in text
