"""When frames that have arrived become one transaction. Pure: `now` is passed in, in seconds.

A commit costs about the same CPU and disk time whatever it holds, so commits are spaced: an urgent frame
(an answer is waiting for it) is due at once, the rest may linger, and no commit begins sooner than
COMMIT_SPACING_S after the one before. On an idle exchange an answer therefore waits only for its own sync;
under load it shares one. State put and deleted several times in one batch is written once. It leaves out
what a commit does: that is `store`.
"""

from collections import deque
from typing import Final

import msgspec

from rating.journal.messages import Append

# A commit costs some 300 us of CPU whatever it holds (waking up, syncing), the rows of a call some 80 us.
# Measured at 200 calls a second, per call: 305 us with 4 ms, 220 us with 10 ms, 160 us with 20 ms, 130 us with
# 30 ms. The answer gate allows 250 ms, and half of this is what an answer waits on a busy exchange.
COMMIT_SPACING_S: Final = 0.040
# Nobody waits for a record that is not urgent; this bounds how much a crash can take back.
LINGER_S: Final = 0.030
# A batch is one row and one transaction: it must be small enough to read and ship in one piece.
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
# What may wait in memory while the disk refuses; above it the process stops reading and the switch keeps
# the rest.
PENDING_BYTES_MAX: Final = 32 * 1024 * 1024
RETRY_FIRST_S: Final = 0.050
RETRY_MAX_S: Final = 1.0


class Batch(msgspec.Struct):
    """One transaction: `frames` of them merged, up to `last_seq`. Puts keep the newest value of each key."""

    frames: int
    last_seq: int
    puts: dict[str, bytes | None]
    outbox: list[bytes]


class SequenceGapError(Exception):
    """A frame is missing in the stream: a bug on the switch's side. Committing past it would hide a loss."""


class GroupCommit:
    """Holds what arrived and is not yet durable, and says when to commit how much of it."""

    __slots__ = (
        "_due_at",
        "_frames",
        "_is_finishing",
        "_next_commit_at",
        "_pending_bytes",
        "_received_seq",
        "_retry_s",
    )

    def __init__(self, last_seq: int) -> None:
        self._frames: deque[tuple[Append, int]] = deque()
        self._pending_bytes = 0
        self._received_seq = last_seq
        self._due_at: float | None = None
        self._next_commit_at = float("-inf")
        self._retry_s = 0.0
        self._is_finishing = False

    @property
    def is_empty(self) -> bool:
        return not self._frames

    @property
    def has_room(self) -> bool:
        return self._pending_bytes < PENDING_BYTES_MAX

    @property
    def received_seq(self) -> int:
        return self._received_seq

    def receive(self, frame: Append, *, frame_bytes: int, now: float) -> None:
        """Take one frame. One that we have already (the switch sends again after our death) is ignored."""
        if frame.seq <= self._received_seq:
            return
        if frame.seq != self._received_seq + 1:
            raise SequenceGapError(f"frame {frame.seq} follows frame {self._received_seq}")
        self._received_seq = frame.seq
        self._frames.append((frame, frame_bytes))
        self._pending_bytes += frame_bytes
        due_at = now if frame.is_urgent else now + LINGER_S
        if self._due_at is None or due_at < self._due_at:
            self._due_at = due_at

    def finish(self, now: float) -> None:
        """No more frames will come: what is here is due now, without spacing."""
        self._is_finishing = True
        if self._frames:
            self._due_at = now
        if not self._retry_s:
            self._next_commit_at = now

    def due_at(self) -> float | None:
        """When to call `take`; None while there is nothing to commit."""
        return None if self._due_at is None else max(self._due_at, self._next_commit_at)

    def deaf_until(self) -> float:
        """Until then no arriving frame could be committed, so that waking up for each is wasted CPU.

        Not so while retrying after a failure: then the end of the stream must still be noticed.
        """
        return float("-inf") if self._retry_s or self._is_finishing else self._next_commit_at

    def take(self, now: float) -> Batch | None:
        """What to commit now, if anything is due. It stays here until `committed` says that it is safe."""
        due_at = self.due_at()
        if due_at is None or due_at > now:
            return None
        self._next_commit_at = now + COMMIT_SPACING_S
        return self._merge()

    def _merge(self) -> Batch:
        batch = Batch(0, 0, {}, [])
        batch_bytes = 0
        for frame, frame_bytes in self._frames:
            if batch.frames and batch_bytes + frame_bytes > BATCH_BYTES_MAX:
                break
            batch.frames += 1
            batch.last_seq = frame.seq
            batch.puts.update(frame.puts)
            batch.outbox += frame.outbox
            batch_bytes += frame_bytes
        return batch

    def committed(self, batch: Batch, now: float) -> None:
        """The batch is durable: forget it. What did not fit into it is due."""
        for _ in range(batch.frames):
            self._pending_bytes -= self._frames.popleft()[1]
        self._retry_s = 0.0
        if self._is_finishing:
            self._next_commit_at = now
        self._due_at = now if self._frames else None

    def failed(self, now: float) -> None:
        """The batch could not be written (the disk is full): try all of it again, later each time."""
        self._retry_s = min(self._retry_s * 2, RETRY_MAX_S) if self._retry_s else RETRY_FIRST_S
        self._next_commit_at = now + self._retry_s
        self._due_at = now
