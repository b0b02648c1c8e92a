"""`offhook up` as an operator meets it: a fresh directory, crashes, a second start, strangers, and the end."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.free_ports import free_ports
from offhook.postgres.binaries import program
from offhook.postgres.passage import open_passage
from offhook.postgres.system_user import ServerUser
from sipp_scenarios.exchange import HOST, ExchangeConf, RunningExchange, descendants, kill_all
from tests.postgres import server

pytestmark = pytest.mark.wire

WAIT_S = 60.0
NO_USER = 4711  # an id that nobody on this machine has


def make(root: Path) -> RunningExchange:
    sip_port, metrics_port, carrier_port = free_ports(3)
    conf = ExchangeConf(
        sip_port=sip_port, metrics_port=metrics_port, carrier_port=carrier_port, relay=True
    )
    return RunningExchange(root, conf)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[RunningExchange]:
    exchange = make(tmp_path)
    yield exchange
    exchange.kill()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    exchange = make(tmp_path_factory.mktemp("up"))
    exchange.start()
    yield exchange
    exchange.stop()


def log_of(exchange: RunningExchange) -> str:
    return exchange.log.read_text(encoding="utf-8", errors="replace")


def part_pid(exchange: RunningExchange, part: str) -> int:
    """The pid that the log names last for this part."""
    return int(re.findall(rf"part_started part={part} pid=(\d+)", log_of(exchange))[-1])


def until(condition: object, what: str) -> None:
    assert callable(condition)
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# The start


def test_the_start_text_names_where_it_listens_and_the_first_steps(running: RunningExchange) -> None:
    until(lambda: "Ctrl-C ends it cleanly." in log_of(running), "the start text")
    text = log_of(running).partition("Offhook is up.")[2]
    assert f"udp {HOST}:{running.conf.sip_port}, tcp {HOST}:{running.conf.sip_port}" in text
    assert str(running.data) in text
    assert f"offhook account add anna --prepaid --credit 10.00 --data {running.data}" in text
    assert "offhook line add 1001 --account anna" in text


def test_a_second_start_on_one_data_directory_is_refused(running: RunningExchange) -> None:
    again = running.run("up", "--conf", str(running.conf_dir))
    assert again.returncode == 1
    assert f"already running on {running.data} (process {running.pid})" in again.stderr
    assert running.try_status()["ready"] == "yes"


def test_what_it_writes_is_for_its_owner_only(running: RunningExchange) -> None:
    others = [
        path
        for path in running.data.rglob("*")
        if not path.is_relative_to(running.data / "postgres") and path.lstat().st_mode & 0o067
    ]
    assert not others


# The commands, on a running exchange


def test_accounts_lines_and_numbers_are_managed_in_pounds_and_as_people_write_numbers(
    running: RunningExchange,
) -> None:
    added = running.command("account", "add", "corner shop", "--credit", "£10.00")
    assert added["balance_micros"] == 10_000_000
    assert added["account"]["kind"] == "prepaid"
    line = running.command(
        "line", "add", "2001", "--account", "corner shop", "--emergency-number", "01632 960001",
        "--emergency-address", "1 High Street", "--digest", "both", "--max-calls", "2", "--withhold-cli",
    )  # fmt: skip
    assert line["emergency_number"] == "+441632960001"
    assert (line["digest"], line["calls_max"], line["withholds_cli"]) == ("both", 2, True)
    assert len(line["password"]) >= 16
    assert (
        running.command("number", "assign", "+44 (0)1632 960002", "--line", "2001")["e164"] == "+441632960002"
    )
    topped = running.command("account", "topup", "corner shop", "0.012", "--key", "payment 1")
    assert topped["balance_micros"] == 10_012_000
    assert running.command("account", "topup", "corner shop", "0.012", "--key", "payment 1")["is_repeat"]
    shown = running.run("account", "show", "corner shop").stdout
    assert "£10.012" in shown
    assert "2001" in shown
    until(
        lambda: (
            (running.command("account", "show", "corner shop")["live"] or {}).get("balance_micros")
            == 10_012_000
        ),
        "the switch to follow",
    )
    assert running.command("account", "suspend", "corner shop")["account"]["is_suspended"]
    assert not running.command("account", "resume", "corner shop")["account"]["is_suspended"]
    assert running.run("line", "remove", "2001").returncode == 1
    running.command("number", "unassign", "01632960002")
    running.command("line", "remove", "2001")
    assert running.command("number", "list") == []


def test_a_password_comes_from_standard_input_and_is_shown_nowhere(running: RunningExchange) -> None:
    running.run("account", "add", "secretive")
    done = running.run(
        "line", "add", "2101", "--account", "secretive", "--password-stdin", stdin="correct horse\n"
    )
    assert done.returncode == 0
    assert "correct horse" not in done.stdout + done.stderr
    assert "ha1" not in running.run("line", "show", "2101", "--json").stdout
    assert running.run("line", "add", "2102", "--account", "secretive", "--password-stdin").returncode == 2


def test_an_import_is_all_or_nothing_and_names_file_line_and_column(
    running: RunningExchange, tmp_path: Path
) -> None:
    running.run("account", "add", "importer")
    file = tmp_path / "lines.csv"
    heading = "user,account,password,numbers\n"
    file.write_text(f"{heading}2201,importer,,01632 960021\n2202,nobody,,\n2203,importer,,x\n")
    refused = running.run("line", "import", str(file))
    assert refused.returncode == 2
    assert f"{file}:3: account: " in refused.stderr
    assert f"{file}:4: numbers: found 'x'" in refused.stderr
    assert running.run("line", "show", "2201").returncode == 1

    file.write_text(
        "user,account,password,numbers\n2201,importer,,01632 960021\n2202,importer,longenough1,\n"
    )
    imported = running.command("line", "import", str(file))
    assert imported["imported"] == 2
    assert list(imported["passwords"]) == ["2201"]

    file.write_bytes(b"user,account\n\xff\n")
    assert f"{file}:2: found the byte 0xff" in running.run("line", "import", str(file)).stderr


def test_check_warns_of_lines_without_an_emergency_address(running: RunningExchange) -> None:
    running.run("account", "add", "careless")
    running.run("line", "add", "2301", "--account", "careless", "--emergency-number", "01632 960031")
    checked = running.run("check")
    assert checked.returncode == 0
    assert "warning: line 2301 has no emergency address" in checked.stderr
    assert "2301" in running.command("check")["lines_without_emergency"]


def test_what_the_books_could_not_take_is_shown_warned_of_and_removed(running: RunningExchange) -> None:
    assert running.run("quarantine", "list").stdout == "Nothing is in quarantine.\n"
    put = "INSERT INTO quarantine (epoch, batch, reason, raw) VALUES ('e1', 7, 'too large', '\\xc1')"
    subprocess.run([program("psql"), "-X", "-q", "-d", running.dsn, "-c", put], check=True)
    checked = running.run("check")
    assert checked.returncode == 0
    assert "warning: 1 record of calls could not be taken into the books: `offhook quarantine list`" in (
        checked.stderr
    )
    (record,) = running.command("quarantine", "list")
    assert (record["batch"], record["reason"], record["raw_hex"]) == (7, "too large", "c1")
    assert "no record that can be read" in running.run("quarantine", "show", str(record["id"])).stdout
    assert "c1" in running.run("quarantine", "remove", str(record["id"])).stdout
    assert running.run("quarantine", "show", str(record["id"])).returncode == 1
    assert running.command("check")["records_quarantined"] == 0


def test_reload_refuses_an_invalid_file_and_says_where(running: RunningExchange) -> None:
    trunks = running.conf_dir / "trunks.toml"
    good = trunks.read_text()
    trunks.write_text(good + "\n[trunk.bad]\ncolour = 1\n")
    refused = running.run("reload")
    trunks.write_text(good)
    assert refused.returncode == 2
    assert "trunk.bad.colour" in refused.stderr
    assert running.run("reload").returncode == 0


def test_tables_are_plain_text_in_a_pipe(running: RunningExchange) -> None:
    running.run("account", "add", "plain")
    lines = running.run("account", "list").stdout.split("\n")
    assert lines[0].split()[:3] == ["NAME", "KIND", "TARIFF"]
    assert any(line.split()[:3] == ["plain", "prepaid", "retail"] for line in lines)
    assert running.run("calls").stdout == "No call is up.\n"
    assert running.run("registrations").stdout == "Nothing is registered.\n"
    assert running.run("cdr", "list", "--since", "today").stdout == "No call is on record.\n"


def test_a_command_that_the_books_refuse_exits_1_with_the_reason(running: RunningExchange) -> None:
    for words in (["account", "show", "nobody"], ["line", "show", "nobody"], ["calls", "end", "none"]):
        done = running.run(*words)
        assert done.returncode == 1, words
        assert done.stderr.startswith("offhook: "), words
        assert "Traceback" not in done.stderr


# Strangers


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_nobody_else_on_the_machine_can_connect_to_the_database(running: RunningExchange) -> None:
    directory = running.data / "run" / "pg"
    asked = [program("psql"), "-X", "-h", str(directory), "-U", "offhook", "-d", "offhook", "-c", "SELECT 1"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    assert subprocess.run(asked, env=environment, capture_output=True, check=False).returncode == 0
    stranger = subprocess.run(
        asked, env=environment, user=NO_USER, group=NO_USER, extra_groups=[], capture_output=True, check=False
    )
    assert stranger.returncode != 0
    # Even where the directory lets somebody in, the kernel's word on who asks decides: here, the server's own user.
    server_uid = directory.stat().st_uid
    open_passage(directory, ServerUser(name="server", uid=server_uid, gid=server_uid, is_other=True))
    inside = subprocess.run(
        asked,
        env=environment,
        user=server_uid,
        group=server_uid,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    assert inside.returncode != 0
    assert b"eer authentication failed" in inside.stderr


def test_the_database_listens_on_no_network_address(running: RunningExchange) -> None:
    shown = subprocess.run(
        [program("psql"), "-X", "-At", "-d", running.dsn, "-c", "SHOW listen_addresses"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "\n"


# Crashes


def test_a_crashed_part_comes_back_while_the_others_go_on_and_the_log_says_so(
    running: RunningExchange,
) -> None:
    for part in ("switch", "edge", "relay", "postgres"):
        others = {
            name: part_pid(running, name) for name in ("switch", "edge", "relay", "postgres") if name != part
        }
        victim = part_pid(running, part)
        os.kill(victim, signal.SIGKILL)
        until(lambda victim=victim, part=part: part_pid(running, part) != victim, f"another {part}")
        until(
            lambda: (
                running.try_status().get("edge") == "connected"
                and running.try_status().get("database") == "up"
            ),
            "all parts to find each other",
        )
        assert {name: part_pid(running, name) for name in others} == others
        assert f'part_ended part={part} how="signal 9 (SIGKILL)" restart_in_s=' in log_of(running)
    with socket.create_connection((HOST, running.conf.sip_port), timeout=5) as phone:
        phone.sendall(b"\r\n\r\n")
        assert phone.recv(16) == b"\r\n"


def test_what_was_committed_is_there_after_everything_was_killed(fresh: RunningExchange) -> None:
    fresh.start()
    fresh.command("account", "add", "anna", "--credit", "10")
    fresh.kill()
    fresh.start()
    assert fresh.command("account", "show", "anna")["view"]["balance_micros"] == 10_000_000
    assert "postgres_left_behind" not in log_of(fresh)


def test_killing_the_supervisor_ends_every_part_and_the_next_start_succeeds(fresh: RunningExchange) -> None:
    fresh.start()
    parts = descendants(fresh.pid)
    assert len(parts) >= 3
    os.kill(fresh.pid, signal.SIGKILL)
    try:
        until(lambda: not any(is_alive(pid) for pid in parts), "the parts to end")
    finally:
        kill_all(parts)
    fresh.kill()
    fresh.start()
    assert fresh.stop() == 0


def test_with_a_checkpoint_the_exchange_serves_though_postgresql_cannot_start(fresh: RunningExchange) -> None:
    fresh.start()
    fresh.command("account", "add", "anna")
    fresh.command("line", "add", "2001", "--account", "anna")
    until(lambda: fresh.try_status().get("lines") == 1, "the switch to know the line")
    assert fresh.stop() == 0
    settings = fresh.data / "postgres" / "operator.conf"
    settings.write_text("this is no setting\n")
    started = time.monotonic()
    fresh.start()
    assert time.monotonic() - started < 8.0  # three on an idle machine
    status = fresh.try_status()
    assert (status["ready"], status["lines"]) == ("yes", 1)
    assert status["database"] != "up"
    assert "starting_without_database" in log_of(fresh)
    settings.write_text("")
    until(lambda: fresh.try_status().get("database") == "up", "the database to come back")
    assert fresh.stop() == 0


# The end


def test_sigterm_stops_the_switch_first_and_postgresql_last_and_leaves_nothing(
    fresh: RunningExchange,
) -> None:
    fresh.start()
    parts = descendants(fresh.pid)
    assert fresh.stop() == 0
    assert re.findall(r"part_stopped part=(\w+) how=\"exit 0\"", log_of(fresh)) == [
        "switch",
        "traces",
        "relay",
        "edge",
        "postgres",
    ]
    assert not any(is_alive(pid) for pid in parts)
    assert not (fresh.data / "run" / "dsn").exists()
    assert not (fresh.data / "run" / "edge.sock").exists()
    assert not (fresh.data / "run" / "relay.sock").exists()
    assert not (fresh.data / "run" / "traces.sock").exists()
    assert fresh.run("status").returncode == 3


def test_sigterm_during_the_start_ends_it_as_well(fresh: RunningExchange) -> None:
    fresh.launch()
    until(lambda: fresh.log.exists() and "postgres_initialising" in log_of(fresh), "the start to begin")
    assert fresh.stop() == 0
    fresh.start()
    assert fresh.stop() == 0


def test_a_port_in_use_ends_the_start_with_a_clear_word(fresh: RunningExchange) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, fresh.conf.sip_port))
        started = fresh.run("up", "--conf", str(fresh.conf_dir))
    assert started.returncode == 3
    assert f"switch: [listen] udp {HOST}:{fresh.conf.sip_port}: Address already in use" in started.stderr
    assert "offhook: the switch ended 5 times without starting up" in started.stderr
    assert "Traceback" not in started.stderr


def test_a_taken_port_for_metrics_costs_the_metrics_and_no_call(fresh: RunningExchange) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind((HOST, fresh.conf.metrics_port))
        taken.listen()
        fresh.start()
        said = f'metrics_unserved address={HOST}:{fresh.conf.metrics_port} problem="Address already in use"'
        until(lambda: said in log_of(fresh), "the log to say which address is taken")
        assert fresh.stop() == 0


# Where it runs


def interpreter_for_everybody() -> str | None:
    """A Python that can be run, with our packages, by a user who owns nothing. Root's own often lies in /root."""
    places = [sysconfig.get_path("purelib"), str(Path(__file__).parents[2])]
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for interpreter in (sys.executable, f"/usr/bin/python{version}"):
        with contextlib.suppress(OSError):
            tried = subprocess.run(
                [interpreter, "-c", "import offhook.__main__, msgspec"],
                user=NO_USER,
                group=NO_USER,
                extra_groups=[],
                env={"PYTHONPATH": os.pathsep.join(places), "PYTHONDONTWRITEBYTECODE": "1"},
                cwd="/",
                capture_output=True,
                check=False,
            )
            if tried.returncode == 0:
                return interpreter
    return None


def test_a_data_directory_deeper_than_a_socket_path_may_be_works(tmp_path: Path) -> None:
    exchange = make(tmp_path / ("deep" * 15) / ("deeper" * 10))
    exchange.data.parent.mkdir(parents=True, exist_ok=True)
    exchange.launch()
    try:
        until(lambda: "Offhook is up." in log_of(exchange), "the start text")
        assert exchange.command("status")["edge"] == "connected"
        assert exchange.command("account", "add", "anna")["account"]["name"] == "anna"
        assert exchange.stop() == 0
    finally:
        exchange.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_runs_without_being_root() -> None:
    interpreter = interpreter_for_everybody()
    if interpreter is None:
        pytest.skip("no Python of this version that another user may run, nor packages that one may read")
    here = Path(__file__).parents[2]
    done = subprocess.run(
        [interpreter, "-P", "-m", "tests.wire.run_as_stranger"],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=WAIT_S * 2,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here), sysconfig.get_path("purelib")])},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["kind"] == "prepaid"


def test_an_operators_own_postgresql_is_used_and_its_password_shown_nowhere(fresh: RunningExchange) -> None:
    with server() as postgres, contextlib.ExitStack() as stopped:
        dsn = postgres.new_database().replace("offhook@", "offhook:hunter2@")
        fresh._environment["OFFHOOK_DSN"] = dsn
        stopped.callback(fresh.kill)
        fresh.start()
        assert fresh.command("account", "add", "anna")["account"]["name"] == "anna"
        command_lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(fresh.pid)]
        assert not any(b"hunter2" in line for line in command_lines)
        assert "hunter2" not in log_of(fresh)
        assert "your own PostgreSQL" in log_of(fresh)
        assert not (fresh.data / "postgres").exists()
        assert fresh.stop() == 0


# Backup


def test_the_books_move_to_a_fresh_directory_by_backup_and_restore(
    running: RunningExchange, tmp_path: Path
) -> None:
    running.run("account", "add", "mover", "--credit", "7.50")
    file = tmp_path / "books"
    assert running.command("backup", str(file))["bytes"] > 0
    assert file.stat().st_mode & 0o777 == 0o600

    other = make(tmp_path / "other")
    refused = other.run("restore", str(file), "--data", str(running.data))
    assert refused.returncode == 1
    assert other.run("restore", str(file)).returncode == 0
    try:
        other.start()
        assert other.command("account", "show", "mover")["view"]["balance_micros"] == 7_500_000
        assert other.stop() == 0
    finally:
        other.kill()
