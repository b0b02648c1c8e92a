"""The switch's side of the journal: append, flush once a turn, and hear what has become durable.

`append` encodes and keeps, `flush` does one non-blocking send, acknowledgements come in as a reader of the
event loop; no task, no await on the way. Everything not yet acknowledged is kept here, so that the journal
process may die: it is started again, and what it had not committed is sent once more, in order. The backlog
is bounded; when it stalls the switch takes no new billable calls. It leaves out how long an answer may
wait: that is the call's own clock.
"""

import asyncio
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, assert_never

from rating.journal.frames import FrameSplitter
from rating.journal.messages import (
    Append,
    Durable,
    Failed,
    Forget,
    Ready,
    StatePut,
    Stop,
    decode_from_journal,
    encode_frame,
)

# A stalled backlog stops new calls; the calls that are up may fill the rest of the way to the maximum.
BACKLOG_STALLED_BYTES: Final = 16 * 1024 * 1024
BACKLOG_BYTES_MAX: Final = 128 * 1024 * 1024
SEND_BYTES_MAX: Final = 256 * 1024
RECEIVE_BYTES: Final = 64 * 1024
# More than the journal process itself waits for its predecessor, plus reading a long log.
READY_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0
RESTART_FIRST_S: Final = 0.02
RESTART_MAX_S: Final = 2.0
# A process that has closed its socket but does not end is stuck in the disk; it holds the lock, so wait for
# it.
REAP_POLL_S: Final = 0.05
ENDED_EARLY: Final = "the journal process ended before it was ready"


class JournalRefusedError(Exception):
    """The journal cannot be used: another switch has it, it is damaged, or its disk fails."""


class JournalOverflowError(Exception):
    """The backlog is full although no new call should have been taken for a long time."""


class JournalLink:
    """Owns the journal process. Every method belongs to the event loop's thread.

    `on_durable(seq)`: all frames up to seq are durable. `on_failed(reason)`: nothing can be made durable
    now; the next on_durable says that it works again. `on_lost()`: the process died and is being started
    again.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_durable: Callable[[int], None],
        on_failed: Callable[[str], None],
        on_lost: Callable[[], None],
        command: Sequence[str] = (sys.executable, "-P", "-m", "rating.journal"),
    ) -> None:
        self._path = path
        self._command = command
        self._on_durable = on_durable
        self._on_failed = on_failed
        self._on_lost = on_lost
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._splitter = FrameSplitter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Future[Ready] | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._restart_timer: asyncio.TimerHandle | None = None
        self._restart_s = 0.0
        self._pending: deque[tuple[int, bytes]] = deque()  # every frame that is not durable
        self._pending_bytes = 0
        self._unsent: deque[bytes] = deque()
        self._partial = memoryview(b"")
        self._forget_batch = 0
        self._refusal = ""
        self._probe: tuple[int, float] | None = None
        self._is_ready = False
        self._is_failing = False
        self._is_beyond_repair = False
        self.epoch = ""
        self.last_seq = 0
        self.durable_seq = 0
        self.last_batch = 0
        self.commit_latency_s = 0.0

    @property
    def is_ready(self) -> bool:
        """The process is up and commits; not so while it is started again or its disk is full."""
        return self._is_ready and not self._is_failing

    @property
    def is_failed(self) -> bool:
        """Take no new billable call: a commit failed and none has succeeded since, or too much waits."""
        return self._is_failing or self.is_stalled

    @property
    def is_stalled(self) -> bool:
        return self._pending_bytes >= BACKLOG_STALLED_BYTES

    @property
    def pending_frames(self) -> int:
        return len(self._pending)

    @property
    def pending_bytes(self) -> int:
        return self._pending_bytes

    def lag_s(self, now: float) -> float:
        """How long the flush that is being timed has waited, by the loop's clock; 0 when none is."""
        return now - self._probe[1] if self._probe else 0.0

    async def start(self) -> Ready:
        """Start the process and wait until the file is ours. Raises JournalRefusedError with the reason."""
        self._loop = asyncio.get_running_loop()
        self._ready = self._loop.create_future()
        self._spawn()
        try:
            return await asyncio.wait_for(self._ready, READY_TIMEOUT_S)
        except TimeoutError:
            self._disconnect()
            self._kill()
            raise JournalRefusedError(f"the journal was not ready within {READY_TIMEOUT_S:.0f} s") from None
        except asyncio.CancelledError:
            self._disconnect()
            self._kill()
            raise
        finally:
            self._ready = None

    def append(self, puts: list[StatePut], outbox: list[bytes], *, is_urgent: bool) -> int:
        """Keep one indivisible step for the journal; returns its seq. Nothing is sent before `flush`."""
        if self._pending_bytes >= BACKLOG_BYTES_MAX:
            raise JournalOverflowError(f"{self._pending_bytes} bytes wait for the journal {self._path}")
        assert self.epoch, "append before start: the sequence is not known yet"
        seq = self.last_seq + 1
        frame = encode_frame(Append(seq, is_urgent, puts, outbox))
        self.last_seq = seq
        self._pending.append((seq, frame))
        self._pending_bytes += len(frame)
        if self._is_ready:
            self._unsent.append(frame)
        return seq

    def flush(self) -> None:
        """Send what was appended, as far as the socket takes it at once; the rest follows when it can."""
        if not self._unsent or self._partial or self._socket is None:
            return
        if self._probe is None and self._pending:
            self._probe = self.last_seq, self._now()
        self._send_unsent(self._socket)

    def forget(self, batch: int) -> None:
        """Batches up to this one are safe in the books for long enough; the journal may delete them."""
        self._forget_batch = max(self._forget_batch, batch)
        if self._is_ready:
            self._unsent.append(encode_frame(Forget(batch)))

    async def stop(self) -> bool:
        """Commit everything and end the process. False if something could not be made durable in time."""
        assert self._loop is not None, "stop before start"
        if self._process is None or self._is_beyond_repair:
            await self._reap()
            return not self._pending
        self._stopped = self._loop.create_future()
        if self._is_ready:
            self._unsent.append(encode_frame(Stop()))
            self.flush()
        try:
            await asyncio.wait_for(self._stopped, STOP_TIMEOUT_S)
        except TimeoutError:
            self._disconnect()
        if self._restart_timer:
            self._restart_timer.cancel()
        await self._reap()
        return not self._pending

    def _now(self) -> float:
        assert self._loop is not None, "used before start"
        return self._loop.time()

    # -- the process

    def _spawn(self) -> None:
        assert self._loop is not None, "used before start"
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no input of anybody's
                [*self._command, "--file", str(self._path), "--fd", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        self._socket = ours
        self._splitter = FrameSplitter()
        self._loop.add_reader(ours.fileno(), self._receive)

    def _disconnect(self) -> None:
        self._is_ready = False
        self._unsent.clear()
        self._partial = memoryview(b"")
        self._probe = None
        if self._socket is not None and self._loop is not None:
            _remove_reader(self._loop, self._socket.fileno())
            _remove_writer(self._loop, self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _lose(self) -> None:
        """The process closed its end: it has ended, or soon will."""
        assert self._loop is not None, "used before start"
        was_ready = self._is_ready
        self._disconnect()
        if self._ready and not self._ready.done():
            self._ready.set_exception(JournalRefusedError(self._refusal or ENDED_EARLY))
            self._kill()
            return
        if self._stopped and (not self._pending or self._is_beyond_repair):
            if not self._stopped.done():
                self._stopped.set_result(None)
            return
        if was_ready:
            self._on_lost()
        else:
            self._fail(self._refusal or ENDED_EARLY)
        if not self._is_beyond_repair:
            self._restart_s = min(self._restart_s * 2, RESTART_MAX_S) if self._restart_s else RESTART_FIRST_S
            self._restart_timer = self._loop.call_later(self._restart_s, self._restart)

    def _restart(self) -> None:
        assert self._loop is not None, "used before start"
        if self._process and self._process.poll() is None:
            self._restart_timer = self._loop.call_later(REAP_POLL_S, self._restart)
            return
        self._refusal = ""
        self._spawn()

    def _kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def _reap(self) -> None:
        """Wait for its end. One that is stuck in the disk is left alone: it ends by itself, or never will."""
        assert self._loop is not None, "used before start"
        if self._process:
            with suppress(subprocess.TimeoutExpired):
                await self._loop.run_in_executor(None, self._process.wait, STOP_TIMEOUT_S)
            self._process = None

    # -- what it says

    def _receive(self) -> None:
        assert self._socket is not None, "a reader without its socket"
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionResetError:
            data = b""
        for payload in self._splitter.feed(data):
            frame = decode_from_journal(payload)
            match frame:
                case Durable():
                    self._restart_s = 0.0
                    self._acknowledge(frame.seq, frame.batch)
                case Ready():
                    self._begin(frame)
                case Failed():
                    self._refusal = frame.reason
                    if self._is_ready:
                        self._fail(frame.reason)
                case _:
                    assert_never(frame)
        if not data:
            self._lose()

    def _begin(self, ready: Ready) -> None:
        """The process is up. At first it tells us where we are; after its death, what of ours it has."""
        if self._ready and not self._ready.done():
            self.epoch = ready.epoch
            self.last_seq = self.durable_seq = ready.last_seq
            self.last_batch = ready.last_batch
            self._is_ready = True
            self._ready.set_result(ready)
            return
        if ready.epoch != self.epoch or not self.durable_seq <= ready.last_seq <= self.last_seq:
            self._abandon(ready)
            return
        self._is_ready = True
        self._acknowledge(ready.last_seq, ready.last_batch)
        self._send_again()

    def _abandon(self, ready: Ready) -> None:
        """The file under us is another one. Nothing may be written to it as if it were ours."""
        self._is_beyond_repair = True
        self._disconnect()
        self._fail(
            f"the journal {self._path} was replaced while in use: epoch {ready.epoch} up to {ready.last_seq},"
            f" expected epoch {self.epoch} with at least {self.durable_seq}"
        )

    def _send_again(self) -> None:
        self._unsent.extend(frame for _, frame in self._pending)
        if self._forget_batch:
            self._unsent.append(encode_frame(Forget(self._forget_batch)))
        if self._stopped:
            self._unsent.append(encode_frame(Stop()))
        self.flush()

    def _acknowledge(self, seq: int, batch: int) -> None:
        pending = self._pending
        while pending and pending[0][0] <= seq:
            self._pending_bytes -= len(pending.popleft()[1])
        if self._probe and self._probe[0] <= seq:
            self.commit_latency_s = self._now() - self._probe[1]
            self._probe = None
        self.durable_seq = seq
        self.last_batch = batch
        self._is_failing = False
        self._on_durable(seq)

    def _fail(self, reason: str) -> None:
        self._is_failing = True
        self._on_failed(reason)

    # -- sending

    def _send_unsent(self, to_journal: socket.socket) -> None:
        unsent = self._unsent
        while unsent:
            data = unsent.popleft()
            if unsent:
                data = self._join(data)
            try:
                sent = to_journal.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except (BrokenPipeError, ConnectionResetError):
                return  # it died; the reader will be told, and all of this is still pending
            if sent < len(data):
                self._partial = memoryview(data)[sent:]
                assert self._loop is not None, "used before start"
                self._loop.add_writer(to_journal.fileno(), self._send_partial)
                return

    def _join(self, first: bytes) -> bytes:
        """The next frames in one piece, as much as one send takes."""
        parts, size = [first], len(first)
        while self._unsent and size < SEND_BYTES_MAX:
            parts.append(self._unsent.popleft())
            size += len(parts[-1])
        return b"".join(parts)

    def _send_partial(self) -> None:
        assert self._socket is not None and self._loop is not None, "a writer without its socket"
        try:
            sent = self._socket.send(self._partial)
        except (BlockingIOError, InterruptedError):
            return
        except (BrokenPipeError, ConnectionResetError):
            _remove_writer(self._loop, self._socket.fileno())
            return
        self._partial = self._partial[sent:]
        if not self._partial:
            _remove_writer(self._loop, self._socket.fileno())
            self._send_unsent(self._socket)


# uvloop returns None from these where asyncio returns a bool, and compiled code insists on the type.


def _remove_reader(loop: Any, descriptor: int) -> None:
    loop.remove_reader(descriptor)


def _remove_writer(loop: Any, descriptor: int) -> None:
    loop.remove_writer(descriptor)
