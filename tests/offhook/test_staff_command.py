"""`offhook staff` against a real database."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.offhook.test_commands import Offhook, conf, offhook
from tests.postgres import PostgresServer, server

__all__ = ["conf", "offhook"]

PASSWORD = "a lighthouse under 7 stars"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with server() as running:
        yield running


@pytest.fixture
def books(postgres: PostgresServer) -> Iterator[str]:
    dsn = postgres.new_database()
    yield dsn
    postgres.drop_database(dsn)


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n", "utf-8")
    file.chmod(0o600)
    return file


def test_somebody_from_his_first_day_to_his_last(offhook: Offhook, books: str, password_file: Path) -> None:
    db = ["--dsn", books]
    ran = offhook("staff", "list", *db)
    assert ran.code == 0 and "Nobody may log in" in ran.out
    ran = offhook("staff", "add", "Anna", "--role", "engineer", "--password-file", password_file, *db)
    assert ran.code == 0 and "anna may log in as engineer." in ran.out and PASSWORD not in ran.out
    ran = offhook("staff", "add", "anna", "--password-file", password_file, *db)
    assert ran.code == 1 and "already" in ran.err
    (shown,) = json.loads(offhook("staff", "list", "--json", *db).out)
    assert (shown["name"], shown["role"], shown["is_disabled"]) == ("anna", "engineer", False)
    assert "argon2" not in json.dumps(shown)
    assert offhook("staff", "role", "anna", "admin", *db).code == 0
    assert (
        "No session was open"
        in offhook("staff", "password", "anna", "--password-file", password_file, *db).out
    )
    assert "may not log in" in offhook("staff", "disable", "anna", *db).out
    assert "disabled" in offhook("staff", "list", *db).out
    assert "may log in again" in offhook("staff", "disable", "anna", "--lift", *db).out
    assert "Nobody is logged in" in offhook("staff", "sessions", *db).out
    assert "No session was open" in offhook("staff", "sessions", "anna", "--end", *db).out
    assert "is removed" in offhook("staff", "remove", "anna", *db).out
    assert offhook("staff", "remove", "anna", *db).code == 1


def test_what_cannot_be_is_refused_before_anything_is_asked(
    offhook: Offhook, books: str, password_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = ["--dsn", books]
    assert offhook("staff", "add", "anna banana", "--password-file", password_file, *db).code == 2
    assert offhook("staff", "add", "anna", "--role", "root", "--password-file", password_file, *db).code == 2
    ran = offhook("staff", "add", "anna", *db)
    assert ran.code == 2 and "--password-file" in ran.err
    password_file.write_text("Password2026!\n")
    ran = offhook("staff", "add", "anna", "--password-file", password_file, *db)
    assert ran.code == 2 and "tried first" in ran.err and "2026" not in ran.err
    os.chmod(password_file, 0o644)
    ran = offhook("staff", "add", "anna", "--password-file", password_file, *db)
    assert ran.code == 2 and "chmod 600" in ran.err
    ran = offhook("staff", "add", "anna", "--password-file", tmp_path / "none", *db)
    assert (ran.code, ran.err) == (2, f"offhook: {tmp_path}/none cannot be read: No such file or directory\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    ran = offhook("staff", "password", "nobody", "--password-file", "-", *db)
    assert ran.code == 1 and "nobody" in ran.err


def test_check_reads_portal_toml_too(offhook: Offhook, conf: Path, tmp_path: Path) -> None:
    (conf / "portal.toml").write_text('[portal]\nlisten = "0.0.0.0:8440"\n')
    ran = offhook("check", "--conf", conf, "--data", tmp_path)
    assert ran.code == 2 and "portal.toml:2: portal.listen" in ran.err
    (conf / "portal.toml").unlink()
    assert offhook("check", "--conf", conf, "--data", tmp_path).code == 0
