"""The voicemail process under test: started on a free port, killed and started again."""

import subprocess
import sys
import time
from pathlib import Path

from demo.free_ports import free_port
from tests.wire.voicemail.caller import HOST, SwitchSocket
from voicemail.mailbox import LockOutRule, Message, Quota
from voicemail.store import Store

REPOSITORY = Path(__file__).resolve().parents[3]
START_S = 20.0


class VoicemailServer:
    """One process and its data directory."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: str = "",
        phone_port: int | None = None,
        phone_ports: tuple[int, ...] = (),
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.data = folder / "data"
        self.conf = folder / "conf"
        self.data.mkdir(exist_ok=True)
        self.conf.mkdir()
        metrics = "" if "metrics" in settings else 'metrics = ""'
        (self.conf / "offhook.toml").write_text(
            f'[voicemail]\nsip = "{HOST}:{self.port}"\n{metrics}\n{settings}\n'
        )
        self.switch = SwitchSocket((HOST, self.port))
        self._switches = ["--switch", self.switch.address]
        for port in (*phone_ports, *(() if phone_port is None else (phone_port,))):
            self._switches += ["--switch", f"{HOST}:{port}"]
        self._log = folder / "voicemail.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> Store:
        house = Quota(50, 3600, 30)
        return Store(self.data / "voicemail", house=house, lock_out=LockOutRule(5, 30), disk_reserve_bytes=0)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        seen = self.log.count("voicemail_ready") if self._log.exists() else 0
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "voicemail", "--data", str(self.data)),
                    *("--conf", str(self.conf), *self._switches),
                ],
                cwd=REPOSITORY,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while self.log.count("voicemail_ready") == seen:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(20) == 0, self.log
        self.switch.close()

    def wait_messages(self, user: str, count: int, timeout_s: float = 10.0) -> list[Message]:
        deadline = time.monotonic() + timeout_s
        while True:
            messages = self.store.messages(user)
            if len(messages) == count:
                return messages
            assert time.monotonic() < deadline, (messages, self.log)
            time.sleep(0.05)

    def assert_at_rest(self, timeout_s: float = 10.0) -> None:
        """Only whole messages, once what is still being written has its name; and no bug in the log."""
        deadline = time.monotonic() + timeout_s
        while others := self._other_files():
            assert time.monotonic() < deadline, others
            time.sleep(0.05)
        assert "voicemail_bug" not in self.log

    def _other_files(self) -> set[Path]:
        """What is in mailboxes and belongs to no whole message."""
        others: set[Path] = set()
        for user in self.store.users():
            whole = {
                f"{message.id}.{end}" for message in self.store.messages(user) for end in ("json", "wav")
            }
            expected = whole | {".lock", "settings.json", "greeting.wav"}
            others.update(
                path for path in (self.data / "voicemail" / user).iterdir() if path.name not in expected
            )
        return others
