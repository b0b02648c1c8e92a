import stat
from pathlib import Path

from offhook.paths import DataDir, make_postgres_socket_dir, write_secret


def test_a_data_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.make()
    assert stat.S_IMODE(data.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(data.run.stat().st_mode) == 0o700


def test_the_configuration_in_force_is_the_one_the_exchange_was_started_with(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.make()
    assert data.conf_in_force() == data.conf
    write_secret(data.conf_file, "/etc/offhook")
    assert data.conf_in_force() == Path("/etc/offhook")


def test_a_secret_file_is_0600_from_the_start_and_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "dsn"
    write_secret(target, "first")
    write_secret(target, "second")
    assert target.read_text() == "second"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["dsn"]


def test_postgres_socket_gets_a_short_directory_when_the_data_directory_is_deep(tmp_path: Path) -> None:
    shallow = DataDir(Path("/tmp") / tmp_path.name)
    deep = DataDir(tmp_path / ("d" * 60) / ("e" * 60))
    deep.make()
    made = make_postgres_socket_dir(deep)
    try:
        assert len(str(made / ".s.PGSQL.5432")) <= 107
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        assert shallow.run / "pg" != made
    finally:
        made.rmdir()
