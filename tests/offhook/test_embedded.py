from pathlib import Path

import pytest

from offhook.exit_codes import CommandError
from offhook.postgres.embedded import embedded_dsn, refuse_other_major_version
from offhook.postgres.settings import identity_map


def test_books_of_another_major_version_are_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("16\n")
    with pytest.raises(CommandError, match=r"made by PostgreSQL '16'.*offhook backup.*offhook restore"):
        refuse_other_major_version(tmp_path)


def test_books_of_this_version_and_a_fresh_directory_are_taken(tmp_path: Path) -> None:
    refuse_other_major_version(tmp_path)
    (tmp_path / "PG_VERSION").write_text("18\n")
    refuse_other_major_version(tmp_path)


def test_only_the_user_of_the_exchange_is_mapped_to_a_role() -> None:
    lines = [line for line in identity_map('odd"name').split("\n") if line and not line.startswith("#")]
    assert lines == ['offhook "odd""name" postgres', 'offhook "odd""name" offhook']


def test_a_socket_directory_with_odd_characters_survives_in_the_dsn() -> None:
    assert (
        embedded_dsn(Path("/srv/my data/run"))
        == "postgresql://offhook@/offhook?host=%2Fsrv%2Fmy%20data%2Frun&port=5432"
    )
