from pathlib import Path

from provisioning.socket_path import UNIX_SOCKET_PATH_BYTES_MAX, short_socket_path


def test_a_short_path_is_used_as_it_is() -> None:
    with short_socket_path(Path("/run/offhook/edge.sock")) as path:
        assert path == "/run/offhook/edge.sock"


def test_a_long_path_becomes_a_short_name_of_the_same_file(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 100)
    directory.mkdir()
    (directory / "edge.sock").write_text("the same")
    with short_socket_path(directory / "edge.sock") as path:
        assert len(path) <= UNIX_SOCKET_PATH_BYTES_MAX
        assert Path(path).read_text() == "the same"
