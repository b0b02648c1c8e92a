"""The process itself: over TLS, without its database, and stopped."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.wire.certificates import Authority

pytestmark = pytest.mark.wire

WITHIN_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def portal(folder: Path, conf: str, dsn: str) -> Iterator[subprocess.Popen[bytes]]:
    (folder / "portal.toml").write_text(conf, "utf-8")
    command = [
        sys.executable,
        "-P",
        "-m",
        "portal",
        "--data",
        str(folder),
        "--conf",
        str(folder),
        "--dsn",
        dsn,
    ]
    process = subprocess.Popen(command, env=dict(os.environ))
    try:
        yield process
    finally:
        process.kill()
        process.wait(WITHIN_S)


def answers(client: httpx.Client, path: str, process: subprocess.Popen[bytes]) -> httpx.Response:
    """As soon as it serves."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            return client.get(path)
        except httpx.TransportError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)


def test_it_serves_over_tls_and_ends_in_good_order(dsn: str, tmp_path: Path) -> None:
    authority, port = Authority(tmp_path), free_port()
    authority.issue("portal", "127.0.0.1")
    conf = f'[portal]\nlisten = "127.0.0.1:{port}"\ncertificate = "portal.pem"\nkey = "portal.key"\n'
    with (
        portal(tmp_path, conf, dsn) as process,
        httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=authority.client()) as client,
    ):
        assert answers(client, "/healthz", process).text == "ok\n"
        page = client.get("/login")
        assert page.status_code == 200 and "__Host-offhook-login=" in page.headers["set-cookie"]
        assert "Secure" in page.headers["set-cookie"] and "server" not in page.headers
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0


def test_without_its_database_it_says_so_and_waits(tmp_path: Path) -> None:
    port = free_port()
    nowhere = f"postgresql://offhook@127.0.0.1:{free_port()}/offhook"
    with (
        portal(tmp_path, f'[portal]\nlisten = "127.0.0.1:{port}"\n', nowhere) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert answers(client, "/healthz", process).status_code == 200
        client.cookies.set("offhook-portal", "A" * 43)
        page = client.get("/")
        assert page.status_code == 503 and "Calls go on without it" in page.text
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0


def test_an_address_that_is_taken_is_waited_for(dsn: str, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with portal(tmp_path, f'[portal]\nlisten = "127.0.0.1:{port}"\n', dsn) as process:
            time.sleep(3)
            assert process.poll() is None
            other.close()
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                assert answers(client, "/healthz", process).status_code == 200


def test_a_file_that_cannot_be_used_ends_it_at_once(dsn: str, tmp_path: Path) -> None:
    with portal(tmp_path, '[portal]\nlisten = "0.0.0.0:8440"\n', dsn) as process:
        assert process.wait(WITHIN_S) == 2
