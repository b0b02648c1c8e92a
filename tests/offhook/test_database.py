from pathlib import Path

import asyncpg
import pytest

from offhook.database import external_dsn_problem, find_dsn, reason, run_on_books, without_password
from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import DataDir


@pytest.mark.parametrize(
    ("dsn", "public", "password"),
    [
        ("postgresql://offhook:secret@db:5432/books", "postgresql://offhook@db:5432/books", "secret"),
        (
            "postgresql://u:p%40ss%3A@db/books?sslmode=require",
            "postgresql://u@db/books?sslmode=require",
            "p@ss:",
        ),
        (
            "postgresql://offhook@/offhook?host=%2Frun%2Fpg",
            "postgresql://offhook@/offhook?host=%2Frun%2Fpg",
            "",
        ),
    ],
)
def test_the_password_is_taken_out_of_a_dsn(dsn: str, public: str, password: str) -> None:
    assert without_password(dsn) == (public, password)


def test_what_is_no_postgresql_url_is_refused_without_showing_it() -> None:
    problem = external_dsn_problem("host=db password=secret")
    assert problem is not None
    assert "secret" not in problem
    assert external_dsn_problem("postgres://db/books") is None


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:secret@db:99999/x",
        "postgresql://u:secret@db:0/x",
        "postgresql://u:secret@[::1]:99999/x",
        "postgresql://u:secret@db:abc/x",
        "postgresql://u:secret@a:5432,b:99999/x",
        "postgresql://u:secret@[::1/x",
    ],
)
def test_a_dsn_with_a_host_or_port_that_cannot_be_is_refused_without_showing_it(dsn: str) -> None:
    problem = external_dsn_problem(dsn)
    assert problem is not None
    assert "secret" not in problem
    assert "postgresql://user@host:5432/database" in problem


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql:///books?host=/run/pg",
        "postgresql://u:p%3A@db/x",
        "postgresql://u@[::1]/x",
        "postgresql://[::1]:5432/x",
        "postgresql://a:5432,b:5433/x",
        "postgresql://u:a@b@db:5432/x",
    ],
)
def test_a_dsn_without_a_port_or_with_several_hosts_can_be_used(dsn: str) -> None:
    assert external_dsn_problem(dsn) is None


def test_a_database_that_hangs_is_said_in_words() -> None:
    assert reason(TimeoutError()) == "no answer in time"
    assert reason(OSError(111, "refused")) == "[Errno 111] refused"


def test_what_asyncpg_cannot_be_told_is_one_line(tmp_path: Path) -> None:
    async def nothing(_db: asyncpg.Pool) -> None:
        raise AssertionError

    with pytest.raises(CommandError, match=r"the DSN cannot be used: .*sslmode") as refused:
        run_on_books("postgresql://u@127.0.0.1:1/x?sslmode=perhaps", nothing)
    assert refused.value.code is ExitCode.INVALID


def test_without_a_running_exchange_the_text_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="offhook up") as refused:
        find_dsn(DataDir(tmp_path))
    assert refused.value.code is ExitCode.UNREACHABLE
