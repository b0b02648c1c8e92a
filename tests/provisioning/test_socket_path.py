import socket
from pathlib import Path

import pytest

from provisioning.socket_path import UNIX_SOCKET_PATH_BYTES_MAX, listen_at, short_socket_path


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


def test_a_dead_process_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / ("d" * 100) / "edge.sock"
    path.parent.mkdir()
    listen_at(path, "edge").close()
    assert path.is_socket(), "what a process leaves behind that was killed"
    with listen_at(path, "edge"):
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(OSError, match="another edge is running"):
            listen_at(path, "edge")
        with socket.socket(socket.AF_UNIX) as switch, short_socket_path(path) as short:
            switch.connect(short)


def test_a_process_that_hangs_is_a_living_one(tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    waiting: list[socket.socket] = []
    with listen_at(path, "edge"):
        try:
            while True:
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].setblocking(False)
                waiting[-1].connect(str(path))
        except BlockingIOError:
            with pytest.raises(OSError, match="another edge is running"):
                listen_at(path, "edge")
        finally:
            for each in waiting:
                each.close()
