from pathlib import Path

import pytest

from offhook.database import external_dsn_problem, find_dsn, without_password
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


def test_without_a_running_exchange_the_text_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="offhook up") as refused:
        find_dsn(DataDir(tmp_path))
    assert refused.value.code is ExitCode.UNREACHABLE
