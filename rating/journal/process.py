"""The loop of the journal's process: frames in from the switch, one SQLite file, acknowledgements out.

It may wait for the disk, for nothing else runs in it.
"""

import select
import socket
import sys
import time
from typing import Final, assert_never

from rating.journal.frames import LENGTH_BYTES, FrameSplitter
from rating.journal.group_commit import Batch, GroupCommit
from rating.journal.messages import (
    Append,
    Durable,
    Failed,
    Forget,
    FromJournal,
    Ready,
    Stop,
    decode_to_journal,
    encode_frame,
)
from rating.journal.store import DiskFullError, Store

# After the switch is gone a full disk is tried this long: less than a restarted switch waits for the lock.
LAST_RETRY_S: Final = 20.0
# Bites of the outbox are deleted at most this often, so that deleting never takes more than a small share.
FORGET_SPACING_S: Final = 0.050
RECEIVE_BYTES: Final = 64 * 1024


class JournalProcess:
    """Moves frames from the socket to the store as GroupCommit says. Decides nothing itself."""

    __slots__ = (
        "_forget_at",
        "_forget_batch",
        "_give_up_at",
        "_is_closing",
        "_is_failing",
        "_pacing",
        "_socket",
        "_splitter",
        "_store",
    )

    def __init__(self, switch: socket.socket, store: Store) -> None:
        self._socket = switch
        self._store = store
        self._pacing = GroupCommit(store.last_seq)
        self._splitter = FrameSplitter()
        self._is_closing = False
        self._is_failing = False
        self._give_up_at = float("inf")
        self._forget_batch = 0
        self._forget_at = 0.0

    def run(self) -> bool:
        """Until the stream ends. False when something could not be written: the disk is full."""
        store = self._store
        send(self._socket, Ready(store.epoch, store.last_seq, store.last_batch))
        while not (self._is_closing and self._pacing.is_empty):
            if self._is_failing and time.monotonic() > self._give_up_at:
                sys.stderr.write("journal: gave up: the disk is full and the switch is gone\n")
                return False
            self._turn()
        return True

    def _turn(self) -> None:
        if (now := time.monotonic()) < self._pacing.deaf_until():
            time.sleep(self._pacing.deaf_until() - now)
        self._receive()
        batch = self._pacing.take(time.monotonic())
        if batch:
            self._commit(batch)
        if self._forget_batch and time.monotonic() >= self._forget_at:
            self._forget()

    def _receive(self) -> None:
        """Wait until the next commit is due or something arrives, and take what has arrived."""
        if self._is_closing or not self._pacing.has_room:
            time.sleep(self._patience_s() or 0.0)
            return
        patience_s = self._patience_s()
        while self._pacing.has_room and select.select([self._socket], [], [], patience_s)[0]:
            data = _receive_some(self._socket)
            now = time.monotonic()
            for payload in self._splitter.feed(data):
                self._handle(payload, now)
            if not data:
                self._close(now)
            if len(data) < RECEIVE_BYTES:
                return
            patience_s = 0.0  # a whole backlog is coming: more of it into the same commit

    def _patience_s(self) -> float | None:
        due_at = self._pacing.due_at()
        if self._forget_batch:
            due_at = self._forget_at if due_at is None else min(due_at, self._forget_at)
        return None if due_at is None else max(0.0, due_at - time.monotonic())

    def _handle(self, payload: bytes, now: float) -> None:
        frame = decode_to_journal(payload)
        match frame:
            case Append():
                self._pacing.receive(frame, frame_bytes=LENGTH_BYTES + len(payload), now=now)
            case Forget():
                # Only what exists now: a number from the future would delete records that nobody has shipped.
                self._forget_batch = min(frame.batch, self._store.last_batch)
            case Stop():
                self._close(now)
            case _:
                assert_never(frame)

    def _close(self, now: float) -> None:
        self._is_closing = True
        self._give_up_at = now + LAST_RETRY_S
        self._pacing.finish(now)

    def _commit(self, batch: Batch) -> None:
        try:
            self._store.commit(batch, at_ms=time.time_ns() // 1_000_000)
        except DiskFullError as error:
            self._pacing.failed(time.monotonic())
            if not self._is_failing:
                self._is_failing = True
                send(self._socket, Failed(str(error)))
            return
        self._is_failing = False
        self._pacing.committed(batch, time.monotonic())
        send(self._socket, Durable(self._store.last_seq, self._store.last_batch))
        self._store.checkpoint_if_due()

    def _forget(self) -> None:
        """Delete a bite. On a full disk it waits: the next Forget brings it up again."""
        try:
            has_more = self._store.forget(self._forget_batch)
        except DiskFullError:
            has_more = False
        self._forget_at = time.monotonic() + FORGET_SPACING_S
        if not has_more:
            self._forget_batch = 0


def _receive_some(switch: socket.socket) -> bytes:
    """Data, or nothing at the end of the stream. A killed switch may leave a reset before the end."""
    try:
        return switch.recv(RECEIVE_BYTES)
    except ConnectionResetError:
        return switch.recv(RECEIVE_BYTES)


def send(switch: socket.socket, frame: FromJournal) -> None:
    try:
        switch.sendall(encode_frame(frame))
    except (BrokenPipeError, ConnectionResetError):
        return  # the switch is gone; reading will say so, after what it still sent
