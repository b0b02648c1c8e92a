"""The switch's side of the books: starts the process, hands over its messages, starts it again when it dies.

Nothing of a call waits for it. `resume` says where the switch stands when the process has to be started anew
(None while no snapshot has been taken over), so that no change is missed and no credit told twice counts
twice.
"""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from provisioning.books.messages import (
    Begin,
    ChangeAsked,
    DatabaseDown,
    Durable,
    FromBooks,
    Resume,
    Stop,
    ToBooks,
    decode_from_books,
    encode_message,
)
from provisioning.registration_row import HISTORY_DAYS
from rating.journal.frames import FrameSplitter

RECEIVE_BYTES: Final = 256 * 1024
# Waking the process for each of the journal's commits would cost more than shipping; it looks every second
# anyway.
HINT_SPACING_S: Final = 0.25
RESTART_FIRST_S: Final = 0.1
RESTART_MAX_S: Final = 5.0
# A process that has lived for so long was not failing at its start: its next start is immediate again.
RESTART_FORGIVEN_AFTER_S: Final = 30.0
REAP_POLL_S: Final = 0.05
# Shipping the last records takes milliseconds, a long backlog some ten seconds a million records.
STOP_TIMEOUT_S: Final = 60.0
PROCESS_LOST: Final = "the books process ended and is being started again"


class BooksLink:
    """Owns the books process. Every method belongs to the event loop's thread.

    `on_message` gets what the process says, in order, and a DatabaseDown of our own when the process is lost.
    """

    def __init__(
        self,
        *,
        dsn: str,
        journal: Path,
        checkpoint: Path,
        on_message: Callable[[FromBooks], None],
        resume: Callable[[], Resume | None],
        history_days: int = HISTORY_DAYS,
        command: Sequence[str] = (sys.executable, "-P", "-m", "provisioning.books"),
    ) -> None:
        self._arguments = [*command, "--dsn", dsn, "--journal", str(journal), "--checkpoint", str(checkpoint)]
        self._arguments += ["--history-days", str(history_days)]
        self._on_message = on_message
        self._resume = resume
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._splitter = FrameSplitter()
        self._unsent = bytearray()
        self._hinted_at = float("-inf")
        self._spawned_at = 0.0
        self._restart_s = 0.0
        self._restart_timer: asyncio.TimerHandle | None = None
        self._stopped: asyncio.Future[None] | None = None

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process; what it has to say comes through `on_message`."""
        self._loop = asyncio.get_running_loop()
        self._spawn()

    def durable(self, batch: int) -> None:
        """The journal holds this batch now. Cheap enough to be called for every commit."""
        now = self._running_loop().time()
        if now - self._hinted_at >= HINT_SPACING_S:
            self._hinted_at = now
            self._send(Durable(batch))

    def ask(self, asked: ChangeAsked) -> bool:
        """Whether there is a process that can answer. One that dies before it does says PROCESS_LOST instead."""
        self._send(asked)
        return self._socket is not None

    async def stop(self, *, is_flushed: bool) -> bool:
        """End the process, all of the journal shipped first if `is_flushed`. False if it had to be killed."""
        loop = self._running_loop()
        if self._restart_timer is not None:
            self._restart_timer.cancel()
        if self._process is None:
            return True
        self._stopped = loop.create_future()
        if self._socket is None:
            self._stopped.set_result(None)
        self._send(Stop(is_flushed))
        try:
            await asyncio.wait_for(self._stopped, STOP_TIMEOUT_S)
            return await self._reap()
        except TimeoutError:
            self._disconnect()
            self._process.kill()
            await self._reap()
            return False

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None, "used before start"
        return self._loop

    # The process

    def _spawn(self) -> None:
        loop = self._running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no input of anybody's
                [*self._arguments, "--fd", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        self._socket = ours
        self._splitter = FrameSplitter()
        self._spawned_at = loop.time()
        loop.add_reader(ours.fileno(), self._receive)
        self._send(Begin(self._resume()))

    def _disconnect(self) -> None:
        self._unsent.clear()
        if self._socket is not None:
            loop = self._running_loop()
            loop.remove_reader(self._socket.fileno())
            loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _lose(self) -> None:
        """The process closed its end: it was told to stop, or it died."""
        loop = self._running_loop()
        self._disconnect()
        if self._stopped is not None:
            if not self._stopped.done():
                self._stopped.set_result(None)
            return
        self._on_message(DatabaseDown(PROCESS_LOST))
        if loop.time() - self._spawned_at > RESTART_FORGIVEN_AFTER_S:
            self._restart_s = 0.0
        self._restart_s = min(2 * self._restart_s, RESTART_MAX_S) if self._restart_s else RESTART_FIRST_S
        self._restart_timer = loop.call_later(self._restart_s, self._restart)

    def _restart(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._restart_timer = self._running_loop().call_later(REAP_POLL_S, self._restart)
            return
        self._spawn()

    async def _reap(self) -> bool:
        """Wait for its end; True if that was an orderly one."""
        assert self._process is not None, "nothing to reap"
        process, self._process = self._process, None
        try:
            return await self._running_loop().run_in_executor(None, process.wait, STOP_TIMEOUT_S) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            return False

    # What is said

    def _receive(self) -> None:
        assert self._socket is not None, "a reader without its socket"
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionResetError:
            data = b""
        for payload in self._splitter.feed(data):
            self._on_message(decode_from_books(payload))
        if not data:
            self._lose()

    def _send(self, message: ToBooks) -> None:
        if self._socket is None:
            return
        was_empty = not self._unsent
        self._unsent += encode_message(message)
        if was_empty:
            self._send_unsent()

    def _send_unsent(self) -> None:
        assert self._socket is not None, "a writer without its socket"
        loop = self._running_loop()
        with suppress(BlockingIOError, InterruptedError):
            try:
                del self._unsent[: self._socket.send(self._unsent)]
            except (BrokenPipeError, ConnectionResetError):
                self._unsent.clear()  # it died; the reader will notice
        if self._unsent:
            loop.add_writer(self._socket.fileno(), self._send_unsent)
        else:
            loop.remove_writer(self._socket.fileno())
