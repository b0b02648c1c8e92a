"""linphone (Debian's linphone-cli) as a phone: its daemon with a configuration of its own, driven over a Unix socket.

A command is a line, its answer `Status: Ok`, an empty line and `Name: value` lines; what happens to calls is fetched
with `pop-event`, one event each. It needs no sound hardware.
"""

import contextlib
import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from demo.free_ports import free_port
from tests.wire.phones.town import PASSWORD, POLL_S, Town

PROGRAM = "linphone-daemon"
START_TIMEOUT_S = 10.0
EVENT_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
# The authority of a certificate is verified, its name is not: this linphone reads no addresses in certificates.
# No discovery, no STUN, no names looked up: nothing leaves this machine.
CONFIG = """\
[sip]
sip_port={port}
sip_tcp_port={port}
sip_tls_port={tls_port}
guess_hostname=0
contact="{user}" <sip:{user}@127.0.0.1>
use_ipv6=0
register_only_when_network_is_up=0
verify_server_certs={verify}
verify_server_cn=0
root_ca={authority}
[rtp]
audio_rtp_port=-1
video_rtp_port=-1
[net]
nat_policy_ref=
dns_srv_enabled=0
[video]
enabled=0
capture=0
display=0
[misc]
file_transfer_server_url=
version_check_url_root=
"""
SOCKETS = Path("/tmp")  # where the daemon puts its socket, whatever it is told


class Linphone:
    """One phone; `register` and then call. `transport` is `udp`, `tcp` or `tls`."""

    def __init__(
        self, town: Town, user: str, *, transport: str = "udp", authority: Path | None = None
    ) -> None:
        self.user = user
        self._town = town
        self._transport = transport
        self._directory = town.directory / f"linphone-{user}-{time.monotonic_ns()}"
        self._directory.mkdir()
        # Where its database goes, and without one it does not ask for the directory.
        (self._directory / ".local/share/linphone").mkdir(parents=True)
        config = CONFIG.format(
            user=user,
            port=free_port(),
            tls_port=free_port(),
            verify=int(authority is not None),
            authority=authority or "",
        )
        (self._directory / "linphonerc").write_text(config, encoding="utf-8")
        self._socket_path = SOCKETS / f"linphone-{user}-{time.monotonic_ns()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._states: list[str] = []  # of its calls, in order
        self._call_id = ""
        self._process: subprocess.Popen[bytes]

    def start(self) -> None:
        with (self._directory / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [
                    PROGRAM,
                    "--pipe",
                    self._socket_path.name,
                    "--config",
                    str(self._directory / "linphonerc"),
                    "--log",
                    str(self._directory / "log"),
                    "--disable-stats-events",
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={"HOME": str(self._directory), "PATH": "/usr/bin:/bin"},
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_connected():
            assert time.monotonic() < deadline, f"linphone did not start: see {self._directory}/out"
            assert self._process.poll() is None, f"linphone ended: see {self._directory}/out"
            time.sleep(POLL_S)
        self._socket.settimeout(EVENT_TIMEOUT_S)

    def register(self, address: str = "") -> None:
        """Returns when the registrar said yes. `address` is where, `host:port`; empty: the town's of UDP and TCP."""
        server = f"sip:{address or self._town.address};transport={self._transport}"
        answer = self._command(f"register sip:{self.user}@{self._town.address} {server} {PASSWORD}")
        number = re.findall(r"^Id: (\d+)$", answer, re.MULTILINE)[0]
        self._wait(f"LinphoneRegistrationOk from {server}", lambda: self._is_registered(number))

    def dial(self, dialled: str) -> None:
        self._command(f"call {self._town.uri(dialled)}")

    def answer(self) -> None:
        self._command("answer")

    def hold(self) -> None:
        self._command("call-pause")

    def resume(self) -> None:
        self._command(f"call-resume {self._call_id}")

    def hang_up(self) -> None:
        self._command("terminate")

    def has_received(self, text: str) -> bool:
        """Whether it was in a message, by its log."""
        log = (self._directory / "log").read_text("utf-8", "replace")
        return any(text in part for part in log.split("\nMESSAGE sip:")[1:])

    def mark(self) -> int:
        self._fetch_events()
        return len(self._states)

    def wait_for(self, state: str, *, after: int = 0) -> None:
        """`IncomingReceived`, `OutgoingRinging`, `StreamsRunning`, `Paused`, `PausedByRemote`, `End`, `Error` ..."""
        self._wait(f"{state} after {after}", lambda: state in self._states[after:])

    def stop(self) -> None:
        """It unregisters and ends."""
        if self._process.poll() is None:
            with contextlib.suppress(AssertionError, OSError):
                self._command("unregister ALL")
                self._command("quit")
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._socket.close()
        self._socket_path.unlink(missing_ok=True)

    def _is_connected(self) -> bool:
        try:
            self._socket.connect(str(self._socket_path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def _is_registered(self, number: str) -> bool:
        return "State: LinphoneRegistrationOk\n" in self._command(f"register-status {number}")

    def _wait(self, what: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + EVENT_TIMEOUT_S
        while not is_so():
            assert time.monotonic() < deadline, (
                f"linphone {self.user}: no {what}; its calls were {self._states}"
            )
            time.sleep(POLL_S)
            self._fetch_events()

    def _fetch_events(self) -> None:
        """call-state-changed is the only one that we look at."""
        while found := re.search(r"\nEvent: LinphoneCall(\w+)\n.*\nId: (\d+)\n", self._command("pop-event")):
            self._states.append(found[1])
            self._call_id = found[2]

    def _command(self, words: str) -> str:
        self._socket.sendall(words.encode() + b"\n")
        answer = self._socket.recv(65536).decode(errors="replace")
        assert answer.startswith("Status: Ok"), f"linphone {self.user}: {words!r}: {answer}"
        return answer


def talk_hold_and_hang_up(caller: Linphone, callee: Linphone, dialled: str) -> None:
    """The caller holds and resumes, the callee hangs up."""
    caller.dial(dialled)
    callee.wait_for("IncomingReceived")
    caller.wait_for("OutgoingRinging")
    callee.answer()
    for phone in (caller, callee):
        phone.wait_for("StreamsRunning")
    mark = callee.mark()
    caller.hold()
    callee.wait_for("PausedByRemote")
    caller.wait_for("Paused")
    caller.resume()
    callee.wait_for("StreamsRunning", after=mark)
    callee.hang_up()
    for phone in (caller, callee):
        phone.wait_for("End")
