"""baresip (Debian) as a phone: a process with a configuration of its own, driven over its ctrl_tcp module.

ctrl_tcp speaks JSON in netstrings: `{"command": "dial", "params": ...}` in, `{"event": true, "type": ...}` out. It
sends a tone and plays into nothing, so no sound hardware is needed.
"""

import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import msgspec

from demo.exchange import HOST
from demo.free_ports import free_port
from tests.wire.phones.town import PASSWORD, POLL_S, Town

MODULES = Path("/usr/lib/baresip/modules")
START_TIMEOUT_S = 10.0
EVENT_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
CONFIG = """\
sip_listen {listen}:0
net_interface {interface}
call_local_timeout 120
call_max_calls 4
audio_player aubridge,silent
audio_alert aubridge,silent
audio_source ausine,440
ausrc_srate 48000
ausrc_channels 2
rtp_ports {rtp}-{rtp_last}
module_path {modules}
module g711.so
module aubridge.so
module ausine.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
"""


class BaresipEvent(msgspec.Struct):
    """What baresip says. `id` is the SIP Call-ID; `at` is when it was read here, UTC seconds."""

    type: str = ""
    id: str = ""
    peeruri: str = ""
    param: str = ""
    at: float = 0.0


class Baresip:
    """One phone, registered when `start` returns."""

    def __init__(
        self,
        town: Town,
        user: str,
        *,
        password: str = PASSWORD,
        server: str = "",
        way: str = "udp",
        ca_file: Path | None = None,
        hears_into: Path | None = None,
    ) -> None:
        """`way` is a transport, and a 6 for IPv6. What it hears goes into a WAV file in the folder `hears_into`."""
        self.user = user
        self._server = server or town.address
        self._town = town
        self._directory = town.directory / f"baresip-{user}-{time.monotonic_ns()}"
        self._directory.mkdir()
        self._control = free_port()
        rtp = free_port() & ~1
        listen, interface = ("[::1]", "::1") if way.endswith("6") else (HOST, HOST)
        config = CONFIG.format(
            listen=listen,
            interface=interface,
            host=HOST,
            rtp=rtp,
            rtp_last=min(rtp + 20, 65535),
            modules=MODULES,
            control=self._control,
        )
        if hears_into is not None:
            hears_into.mkdir()
            config += f"module sndfile.so\nsnd_path {hears_into}\n"
        if ca_file is not None:
            config += f"sip_cafile {ca_file}\nsip_verify_server yes\n"
        (self._directory / "config").write_text(config, encoding="utf-8")
        over = f";transport={way.removesuffix('6')}"
        account = f"<sip:{user}@{self._server}{over}>;auth_pass={password};regint=300;answermode=manual\n"
        (self._directory / "accounts").write_text(account, encoding="utf-8")
        (self._directory / "contacts").write_text("", encoding="utf-8")
        self._events: list[BaresipEvent] = []
        self._changed = threading.Condition()
        self._process: subprocess.Popen[bytes]
        self._socket: socket.socket | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["baresip", "-f", str(self._directory), "-s"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._socket is None or not self._town.registrations(self.user):
            assert time.monotonic() < deadline, f"baresip did not register: see {self._directory}/log"
            assert self._process.poll() is None, f"baresip ended: see {self._directory}/log"
            if self._socket is None:
                self._connect()
            time.sleep(POLL_S)

    def dial(self, dialled: str) -> None:
        self._command("dial", f"sip:{dialled}@{self._server}")

    def accept(self) -> None:
        self._command("accept")

    def hang_up(self) -> None:
        """Ends a call, or refuses one that comes in."""
        self._command("hangup")

    def hold(self) -> None:
        self._command("hold")

    def resume(self) -> None:
        self._command("resume")

    def mark(self) -> int:
        with self._changed:
            return len(self._events)

    def wait_for(self, kind: str, *, after: int = 0) -> BaresipEvent:
        """The first event of that type (CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED ...) from `after` on."""
        deadline = time.monotonic() + EVENT_TIMEOUT_S
        with self._changed:
            while True:
                for event in self._events[after:]:
                    if event.type == kind:
                        return event
                seen = [event.type for event in self._events]
                assert time.monotonic() < deadline, f"baresip {self.user}: no {kind} among {seen}"
                self._changed.wait(0.2)

    def stop(self) -> None:
        """SIGTERM: it unregisters and ends."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._socket is not None:
            self._socket.close()
        if self._reader is not None:
            self._reader.join()

    def _connect(self) -> None:
        try:
            self._socket = socket.create_connection((HOST, self._control))
        except ConnectionRefusedError:
            return
        self._reader = threading.Thread(target=self._read, args=(self._socket,), daemon=True)
        self._reader.start()

    def _command(self, name: str, parameters: str = "") -> None:
        assert self._socket is not None
        data = msgspec.json.encode({"command": name, "params": parameters})
        self._socket.sendall(b"%d:%b," % (len(data), data))

    def _read(self, connection: socket.socket) -> None:
        buffer = b""
        while True:
            try:
                data = connection.recv(65536)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while (cut := _netstring(buffer)) is not None:
                text, buffer = cut
                event = msgspec.json.decode(text, type=BaresipEvent)
                event.at = time.time()
                with self._changed:
                    self._events.append(event)
                    self._changed.notify_all()


def _netstring(buffer: bytes) -> tuple[bytes, bytes] | None:
    """The first whole one and the rest."""
    length, colon, rest = buffer.partition(b":")
    if not colon or len(rest) <= int(length):
        return None
    return rest[: int(length)], rest[int(length) + 1 :]
