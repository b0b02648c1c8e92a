"""SIPVicious, the scanner that half of all attacks begin with, against a real exchange: it learns nothing.

svmap looks for servers, svwar for extensions, svcrack for a password. Here the exchange does not know them by their
User-Agent, as it would not if somebody had changed it; the last test has the list of scanners as it is shipped.
"""

import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.exchange import HOST, ConfFiles, LocalExchange
from demo.free_ports import free_port
from tests.wire.phones.town import TARIFF_CSV

PROGRAMS = ("svmap", "svwar", "svcrack")
PASSWORD = "dragon99"  # in every attacker's list
LINES = {"1000": PASSWORD, "1002": PASSWORD}
EXTENSIONS = "998-1003"
RUN_TIMEOUT_S = 60
SILENCE_S = "2"  # the scanners give up after so long without an answer
KNOWN_TIMEOUT_S = 10.0
ANYBODY = "[security]\nscanner_user_agents = []\n"

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(
        any(shutil.which(program) is None for program in PROGRAMS),
        reason="sipvicious is not installed: apt-get install sipvicious",
    ),
]


class Attacked(LocalExchange):
    """An exchange with two lines, and the scanners that are let loose on it."""

    def populate(self) -> None:
        self.run("account", "add", "shop", "--prepaid", "--credit", "5.00")
        for user, password in LINES.items():
            self.run("line", "add", user, "--account", "shop", "--password-stdin", stdin=password)
        deadline = threading.Event()
        timer = threading.Timer(KNOWN_TIMEOUT_S, deadline.set)
        timer.start()
        while self.status()["lines"] != len(LINES):
            assert not deadline.wait(0.05), "the switch does not know the lines"
        timer.cancel()

    def scan(self, program: str, *words: str, port: int = 0) -> str:
        """What it found and what it complained of."""
        return scan(self.directory, program, *words, port=port or self.port)

    def banned(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = self.run_json("bans")
        return rows


def scan(home: Path, program: str, *words: str, port: int) -> str:
    done = subprocess.run(
        [program, "-p", str(port), *words, HOST],
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
        cwd=home,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def exchange() -> Iterator[Attacked]:
    # Not pytest's own directory: a second pytest closes that to PostgreSQL's user while the first one runs.
    with tempfile.TemporaryDirectory(prefix="offhook-scanners-") as directory:
        running = Attacked(
            Path(directory), ConfFiles(tariff_name="retail", tariff_csv=TARIFF_CSV, main=ANYBODY)
        )
        running.start()
        try:
            running.populate()
            yield running
            assert running.status()["bugs"] == 0
        finally:
            running.stop()


@pytest.fixture(autouse=True)
def _nobody_is_banned(exchange: Attacked) -> Iterator[None]:
    yield
    exchange.run("bans", "lift", "--all")
    assert exchange.banned() == []


@contextmanager
def talkative_server(known: str) -> Iterator[int]:
    """A server as scanners love it: 401 for a line that exists, 404 for any other. Its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HOST, 0))
        server.settimeout(0.2)
        is_over = threading.Event()

        def serve() -> None:
            while not is_over.is_set():
                try:
                    data, sender = server.recvfrom(65_535)
                except TimeoutError:
                    continue
                head = data.decode().split("\r\n\r\n", 1)[0].split("\r\n")[1:]
                copied = [
                    line for line in head if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")
                ]
                status = "401 Unauthorized" if f"sip:{known}@" in data.decode() else "404 Not found"
                extra = ['WWW-Authenticate: Digest realm="x", nonce="1"', "Content-Length: 0", "", ""]
                server.sendto("\r\n".join([f"SIP/2.0 {status}", *copied, *extra]).encode(), sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            is_over.set()
            thread.join()


def words(directory: Path, guesses: list[str]) -> str:
    file = directory / f"words-{len(guesses)}-{guesses[0]}"
    file.write_text("\n".join(guesses) + "\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "INVITE"])
def test_svmap_sees_that_there_is_a_server_and_not_which(exchange: Attacked, method: str) -> None:
    said = exchange.scan("svmap", "-m", method)
    assert f"{HOST}:{exchange.port}" in said
    assert "unknown" in said
    assert "offhook" not in said.lower()


def test_svwar_finds_extensions_where_they_can_be_found(tmp_path: Path) -> None:
    """What the next test is worth."""
    with talkative_server("1000") as port:
        said = scan(
            tmp_path, "svwar", "-m", "REGISTER", "-e", EXTENSIONS, "--maximumtime", SILENCE_S, port=port
        )
    assert "1000" in said
    assert "reqauth" in said
    assert "1001" not in said


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
def test_svwar_finds_no_extension(exchange: Attacked, method: str, force: tuple[str, ...]) -> None:
    said = exchange.scan("svwar", "-m", method, "-e", EXTENSIONS, "--maximumtime", SILENCE_S, *force)
    assert "found nothing" in said
    assert not any(word in said for word in ("reqauth", "noauth", "weird"))


def crack(exchange: Attacked, user: str, guesses: list[str], *more: str) -> str:
    file = words(exchange.directory, guesses)
    return exchange.scan("svcrack", "-u", user, "-d", file, "--maximumtime", SILENCE_S, *more)


def test_svcrack_finds_a_password_that_is_among_its_first_guesses(exchange: Attacked) -> None:
    """What the next test is worth; and what no limit can help.

    It comes from a port of its own, for there the line is registered by what svcrack found.
    """
    guesses = [*(f"guess-{n}" for n in range(5)), PASSWORD]
    assert PASSWORD in crack(exchange, "1002", guesses, "-P", str(free_port()))


def test_svcrack_is_banned_long_before_a_weak_password_is_its_turn(exchange: Attacked) -> None:
    said = crack(exchange, "1000", [*(f"guess-{n}" for n in range(100)), PASSWORD])
    assert "found nothing" in said
    assert PASSWORD not in said
    (ban,) = exchange.banned()
    assert (ban["source"], ban["reason"], ban["users"]) == (HOST, "wrong logins", ["1000"])
    assert "1000" in exchange.run("bans")
    assert "found nothing" in exchange.scan("svmap")


def test_a_scanner_that_says_what_it_is_sees_not_even_a_server(exchange: Attacked) -> None:
    file = exchange.conf / "offhook.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(ANYBODY, ""), encoding="utf-8")
    try:
        exchange.run("reload")
        for method in ("OPTIONS", "REGISTER", "INVITE"):
            assert "found nothing" in exchange.scan("svmap", "-m", method)
        said = exchange.scan("svwar", "-e", EXTENSIONS, "--maximumtime", SILENCE_S)
        assert not any(word in said for word in ("reqauth", "noauth", "weird"))
    finally:
        file.write_text(text, encoding="utf-8")
        exchange.run("reload")
