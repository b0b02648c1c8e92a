"""The journal's process and the switch's link to it, killed and starved.

What was acknowledged must be in the file exactly once and in order, whoever dies. Not shown here: a power
cut. Killing a process leaves the kernel's memory as it is, so that nothing here proves what the disk itself
holds; the failing sync proves only that no acknowledgement is sent without one.
"""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import uvloop

from rating.journal.__main__ import EXIT_DISK_ERROR, EXIT_OK, EXIT_UNUSABLE
from rating.journal.frames import FrameSplitter
from rating.journal.link import BACKLOG_STALLED_BYTES, JournalLink, JournalRefusedError
from rating.journal.messages import (
    Append,
    Durable,
    Failed,
    Forget,
    FromJournal,
    Ready,
    Stop,
    ToJournal,
    decode_from_journal,
    encode_frame,
)
from rating.journal.replay import read_journal
from rating.journal.store import Store
from tests.rating.journal.files import commit_numbers, crash_copy, first_batch, number, numbers_in

pytestmark = pytest.mark.wire

JOURNAL = (sys.executable, "-P", "-m", "rating.journal")
HERE = Path(__file__).parent
KILLS = 20
PATIENCE_S = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """File descriptors and child processes are back where they were."""
    uvloop.run(
        asyncio.sleep(0)
    )  # libuv opens a pipe for signals with the first loop of a process and keeps it
    before = open_files(), children()  # the session's PostgreSQL may be a child that stays
    yield
    assert (open_files(), children()) == before


def open_files() -> list[str]:
    names = []
    for entry in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            names.append(os.readlink(f"/proc/self/fd/{entry}").split(":")[0])
    return sorted(name for name in names if not name.endswith("/fd"))


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


class Process:
    """The journal's process, spoken to frame by frame."""

    def __init__(self, path: Path, command: tuple[str, ...]) -> None:
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.socket.settimeout(PATIENCE_S)
        self._splitter = FrameSplitter()
        self._frames: list[FromJournal] = []
        with theirs:
            self.process = subprocess.Popen(
                [*command, "--file", str(path), "--fd", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    def send(self, *frames: ToJournal) -> None:
        self.socket.sendall(b"".join(encode_frame(frame) for frame in frames))

    def receive(self) -> FromJournal:
        """The next frame. Raises EOFError at the end."""
        while not self._frames:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._frames += [decode_from_journal(payload) for payload in self._splitter.feed(data)]
        return self._frames.pop(0)

    def wait_durable(self, seq: int) -> Durable:
        while True:
            frame = self.receive()
            assert isinstance(frame, Durable)
            if frame.seq >= seq:
                return frame

    def end(self) -> int:
        self.socket.close()
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@contextmanager
def running(path: Path, *, command: tuple[str, ...] = JOURNAL) -> Iterator[Process]:
    process = Process(path, command)
    try:
        yield process
    finally:
        process.close()


def append(seq: int, *, is_urgent: bool = False) -> Append:
    return Append(seq, is_urgent, [(f"key/{seq % 5}", b"%d" % seq)], [number(seq)])


# -- one process, frame by frame


def test_a_new_journal_is_ready_and_what_is_appended_becomes_durable(path: Path) -> None:
    with running(path) as journal:
        ready = journal.receive()
        assert isinstance(ready, Ready)
        assert (ready.last_seq, ready.last_batch) == (0, 0)
        journal.send(append(1, is_urgent=True))
        assert journal.receive() == Durable(1, 1)
        assert numbers_in(path) == [1]
        assert read_journal(path, epoch_mark=None).epoch == ready.epoch
        assert journal.end() == EXIT_OK
    assert path.stat().st_mode & 0o077 == 0


def test_a_frame_that_is_not_urgent_becomes_durable_by_itself(path: Path) -> None:
    with running(path) as journal:
        journal.receive()
        journal.send(append(1))
        assert journal.receive() == Durable(1, 1)


def test_what_was_received_is_committed_when_the_switch_is_gone(path: Path) -> None:
    with running(path) as journal:
        journal.receive()
        journal.send(*(append(seq) for seq in range(1, 2001)))
        assert journal.end() == EXIT_OK
    assert numbers_in(path) == list(range(1, 2001))


def test_unread_acknowledgements_do_not_lose_what_was_sent(path: Path) -> None:
    """A killed switch leaves acknowledgements unread; then the end of its stream is a reset."""
    with running(path) as journal:
        journal.receive()
        for seq in range(1, 40):
            journal.send(append(seq, is_urgent=True))
            time.sleep(0.001)
        journal.send(*(append(seq) for seq in range(40, 400)))
        assert journal.end() == EXIT_OK
    assert numbers_in(path) == list(range(1, 400))


def test_stop_commits_and_ends(path: Path) -> None:
    with running(path) as journal:
        journal.receive()
        journal.send(append(1), append(2), Stop())
        assert journal.wait_durable(2) == Durable(2, 1)
        with pytest.raises(EOFError):
            journal.receive()
        assert journal.process.wait(PATIENCE_S) == EXIT_OK


def test_the_signals_of_a_terminal_do_not_end_it(path: Path) -> None:
    with running(path) as journal:
        journal.receive()
        for number_ in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            journal.process.send_signal(number_)
        journal.send(append(1, is_urgent=True))
        assert journal.receive() == Durable(1, 1)
        assert journal.end() == EXIT_OK


def test_frames_sent_again_are_stored_once_and_the_sequence_goes_on(path: Path) -> None:
    with running(path) as journal:
        journal.receive()
        journal.send(*(append(seq) for seq in range(1, 6)))
        journal.wait_durable(5)
        journal.process.kill()
        journal.process.wait()
    with running(path) as journal:
        ready = journal.receive()
        assert isinstance(ready, Ready)
        assert ready.last_seq == 5
        journal.send(*(append(seq) for seq in range(3, 9)))
        journal.wait_durable(8)
        assert numbers_in(path) == list(range(1, 9))


def test_a_gap_in_the_sequence_ends_the_process_before_anything_behind_it_is_stored(path: Path) -> None:
    with running(path) as journal:
        journal.receive()
        journal.send(append(1), append(3))
        assert journal.process.wait(PATIENCE_S) not in (EXIT_OK, EXIT_DISK_ERROR, EXIT_UNUSABLE)
        assert b"frame 3 follows frame 1" in journal.process.communicate()[1]
    assert 3 not in numbers_in(path)


def test_old_batches_are_forgotten_in_the_background_and_never_the_newest(path: Path) -> None:
    store = Store.open(path)
    commit_numbers(store, 150)
    store.close()
    with running(path) as journal:
        journal.receive()
        journal.send(Forget(10_000))
        wait_until(lambda: first_batch(path) == 150)
        journal.send(append(151, is_urgent=True))
        assert journal.receive() == Durable(151, 151)
        assert numbers_in(path) == [150, 151]


def test_a_failed_sync_ends_the_process_at_once_and_is_never_tried_again(path: Path) -> None:
    """After such an error the kernel calls the pages clean: a second sync would succeed and prove nothing."""
    with running(path, command=(sys.executable, "-P", str(HERE / "journal_without_sync.py"))) as journal:
        journal.receive()
        journal.send(append(1, is_urgent=True))
        journal.wait_durable(1)
        journal.process.send_signal(signal.SIGUSR1)
        assert journal.process.stdout is not None
        if journal.process.stdout.readline() != b"armed\n":
            pytest.skip("seccomp filters are not available here, so no sync can be made to fail")
        journal.send(append(2, is_urgent=True))
        failed = journal.receive()
        assert isinstance(failed, Failed)
        assert "I/O error" in failed.reason
        with pytest.raises(EOFError):
            journal.receive()
        assert journal.process.wait(PATIENCE_S) == EXIT_DISK_ERROR
    with running(path) as journal:
        ready = journal.receive()
        assert isinstance(ready, Ready)
        assert ready.last_seq >= 1
        journal.send(*(append(seq, is_urgent=True) for seq in range(ready.last_seq + 1, 4)))
        journal.wait_durable(3)
        assert numbers_in(path) == [1, 2, 3]


# -- the switch's link


class Switch:
    """What a switch does with its link: numbered records, and what it has been told."""

    def __init__(self, path: Path, *, command: tuple[str, ...] = JOURNAL) -> None:
        self.durable: list[int] = []
        self.failures: list[str] = []
        self.losses = 0
        self.on_loss: Callable[[], None] = lambda: None
        self.link = JournalLink(
            path,
            on_durable=self.durable.append,
            on_failed=self.failures.append,
            on_lost=self.lost,
            command=command,
        )

    def lost(self) -> None:
        self.losses += 1
        self.on_loss()

    async def started_again(self, losses: int) -> None:
        await until(lambda: self.losses == losses and self.link.is_ready)

    def append(self, *, is_urgent: bool = False, padding: int = 0) -> int:
        seq = self.link.last_seq + 1
        puts: list[tuple[str, bytes | None]] = [(f"key/{seq % 50}", b"%d" % seq)]
        if padding:
            puts.append((f"padding/{seq}", bytes(padding)))
        return self.link.append(puts, [number(seq)], is_urgent=is_urgent)

    @property
    def pid(self) -> int:
        process = self.link._process
        assert process is not None
        return process.pid


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.002)


def wait_until(condition: Callable[[], bool]) -> None:
    asyncio.run(until(condition))


def test_everything_acknowledged_is_there_once_and_in_order_after_twenty_kills(path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)

    async def main() -> Switch:
        switch = Switch(path)
        link = switch.link
        await link.start()

        def check_at_the_moment_of_death() -> None:
            assert read_journal(path, epoch_mark=None).last_seq >= link.durable_seq

        async def load() -> None:
            while True:
                for _ in range(chance.randrange(1, 4)):
                    switch.append(is_urgent=chance.random() < 0.3, padding=chance.choice((0, 0, 0, 9000)))
                link.flush()
                await asyncio.sleep(0.001)

        switch.on_loss = check_at_the_moment_of_death
        task = asyncio.create_task(load())
        for kills in range(1, KILLS + 1):
            await asyncio.sleep(chance.uniform(0.0, 0.08))
            os.kill(switch.pid, signal.SIGKILL)
            await switch.started_again(kills)
        task.cancel()
        assert await link.stop()
        return switch

    switch = uvloop.run(main())
    last = switch.link.last_seq
    assert switch.losses == KILLS, f"seed {seed}"
    assert switch.durable == sorted(switch.durable)
    assert switch.durable[-1] == last
    assert numbers_in(path) == list(range(1, last + 1)), f"seed {seed}"
    state = read_journal(path, epoch_mark=None).state
    expected = {f"key/{seq % 50}": b"%d" % seq for seq in range(max(1, last - 49), last + 1)}
    assert {key: value for key, value in state.items() if key.startswith("key/")} == expected


def test_everything_acknowledged_is_there_after_the_switch_was_killed_twenty_times(path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    acknowledged = 0
    for _ in range(KILLS):
        writer = start_writer(path)
        assert writer.stdout is not None
        if chance.random() < 0.8:
            word, _, last_seq = writer.stdout.readline().decode().partition(" ")
            assert word == "ready", f"seed {seed}"
            assert int(last_seq) >= acknowledged, f"seed {seed}"
        time.sleep(chance.uniform(0.0, 0.15))
        writer.kill()
        acknowledged = max(acknowledged, last_acknowledged(writer))
    with running(path) as journal:  # it waits for the last one's journal to finish
        ready = journal.receive()
        assert isinstance(ready, Ready)
        assert ready.last_seq >= acknowledged > KILLS, f"seed {seed}"
        assert numbers_in(path) == list(range(1, ready.last_seq + 1)), f"seed {seed}"


def start_writer(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.wire.journal_writer", str(path)],
        cwd=HERE.parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def last_acknowledged(writer: subprocess.Popen[bytes]) -> int:
    """The highest number that a killed writer was told, or 0. Its journal holds the pipe to its own end."""
    said = writer.communicate(timeout=PATIENCE_S)[0].decode().split("\n")
    return max((int(line) for line in said if line.isdigit()), default=0)


def test_a_second_switch_is_refused_at_once_and_told_why(path: Path) -> None:
    async def main() -> tuple[float, str]:
        switch = Switch(path)
        await switch.link.start()
        began = time.monotonic()
        second = start_writer(path)
        said, _ = await asyncio.to_thread(second.communicate)
        took_s = time.monotonic() - began
        switch.append(is_urgent=True)
        assert await switch.link.stop()
        return took_s, said.decode()

    took_s, said = asyncio.run(main())
    assert took_s < 10
    assert said == (
        f"refused the journal {path} is in use by the switch with process id {os.getpid()};"
        " only one switch may run on it\n"
    )
    assert numbers_in(path) == [1]


def test_a_backlog_is_kept_while_the_process_stands_still_and_sent_when_it_goes_on(path: Path) -> None:
    async def main() -> Switch:
        switch = Switch(path)
        link = switch.link
        await link.start()
        os.kill(switch.pid, signal.SIGSTOP)
        while not link.is_stalled:
            switch.append(padding=500_000)
            link.flush()
        assert link.is_failed
        assert link.pending_bytes >= BACKLOG_STALLED_BYTES
        assert switch.durable == []
        assert link.lag_s(asyncio.get_running_loop().time()) > 0
        os.kill(switch.pid, signal.SIGCONT)
        await until(lambda: link.pending_frames == 0)
        assert not link.is_failed
        assert link.pending_bytes == 0
        assert link.lag_s(asyncio.get_running_loop().time()) == 0
        assert link.commit_latency_s > 0
        assert await link.stop()
        return switch

    switch = asyncio.run(main())
    assert numbers_in(path) == list(range(1, switch.link.last_seq + 1))


def test_a_backlog_survives_the_death_of_a_process_that_never_read_it(path: Path) -> None:
    async def main() -> Switch:
        switch = Switch(path)
        link = switch.link
        await link.start()
        os.kill(switch.pid, signal.SIGSTOP)
        for _ in range(2000):
            switch.append(padding=1000)
            link.flush()
        link.forget(0)
        os.kill(switch.pid, signal.SIGKILL)
        await until(lambda: link.pending_frames == 0)
        assert await link.stop()
        return switch

    switch = uvloop.run(main())
    assert switch.losses == 1
    assert numbers_in(path) == list(range(1, 2001))


def test_stopping_finishes_even_if_the_process_dies_of_it(path: Path) -> None:
    async def main() -> bool:
        switch = Switch(path)
        await switch.link.start()
        os.kill(switch.pid, signal.SIGSTOP)
        for _ in range(100):
            switch.append()
        asyncio.get_running_loop().call_later(0.05, os.kill, switch.pid, signal.SIGKILL)
        return await switch.link.stop()

    assert asyncio.run(main())
    assert numbers_in(path) == list(range(1, 101))


def test_a_restarted_switch_continues_the_sequence(path: Path) -> None:
    async def run() -> tuple[int, str]:
        switch = Switch(path)
        ready = await switch.link.start()
        for _ in range(10):
            switch.append()
        switch.link.flush()
        assert await switch.link.stop()
        return ready.last_seq, ready.epoch

    first, second = asyncio.run(run()), asyncio.run(run())
    assert (first[0], second[0]) == (0, 10)
    assert first[1] == second[1]
    assert numbers_in(path) == list(range(1, 21))


def test_a_damaged_journal_is_refused_with_the_place(path: Path) -> None:
    with running(path) as journal:
        journal.receive()
        for seq in range(1, 10):
            journal.send(append(seq, is_urgent=True))
            journal.wait_durable(seq)
        journal.process.kill()
        journal.process.wait()
    with Path(f"{path}-wal").open("r+b") as log:
        log.seek(32 + 24 + 4096 + 24 + 100)
        log.write(b"damage")
    switch = Switch(path)
    with pytest.raises(JournalRefusedError, match=r"journal\.sqlite-wal: byte 4152: frame 2 does not match"):
        asyncio.run(switch.link.start())


def test_a_journal_that_is_replaced_while_in_use_is_never_written_as_if_it_were_ours(path: Path) -> None:
    async def main() -> Switch:
        switch = Switch(path)
        await switch.link.start()
        switch.append(is_urgent=True)
        switch.link.flush()
        await until(lambda: switch.durable == [1])
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink()
        switch.append(is_urgent=True)
        os.kill(switch.pid, signal.SIGKILL)
        await until(lambda: bool(switch.failures))
        assert switch.link.is_failed
        assert not await switch.link.stop()
        return switch

    switch = asyncio.run(main())
    assert "was replaced while in use" in switch.failures[0]
    assert numbers_in(path) == []


def in_a_small_disk(directory: Path) -> tuple[str, ...]:
    """The journal's process in a mount namespace of its own, with 2 MB of disk that vanish with it."""
    mount = f'mount -t tmpfs -o size=2m,mode=700 tmpfs {directory} && exec "$@"'
    return ("unshare", "-m", "sh", "-c", mount, "sh", *JOURNAL)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk to fill")
def test_a_full_disk_is_reported_and_nothing_is_lost_when_there_is_room_again(tmp_path: Path) -> None:
    probe = subprocess.run([*in_a_small_disk(tmp_path)[:5], "sh", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"no small disk can be mounted here: {probe.stderr.decode().strip()}")
    path = tmp_path / "journal.sqlite"

    async def main() -> None:
        switch = Switch(path, command=in_a_small_disk(tmp_path))
        link = switch.link
        await link.start()
        seen_from_here = Path(f"/proc/{switch.pid}/root{path}")
        filler = seen_from_here.with_name("filler")
        filler.write_bytes(bytes(1_500_000))
        while not switch.failures:
            switch.append(is_urgent=True, padding=20_000)
            link.flush()
            await asyncio.sleep(0.001)
        assert "the disk is full" in switch.failures[0]
        assert link.is_failed
        durable = link.durable_seq
        assert numbers_in(crash_copy(seen_from_here, tmp_path / "full")) == list(range(1, durable + 1))
        switch.append(is_urgent=True)
        link.flush()
        await asyncio.sleep(0.3)
        assert switch.failures == switch.failures[:1], "one failure is told once"
        assert link.durable_seq == durable
        filler.unlink()
        await until(lambda: link.pending_frames == 0)
        assert not link.is_failed
        recovered = numbers_in(crash_copy(seen_from_here, tmp_path / "recovered"))
        assert recovered == list(range(1, link.last_seq + 1))
        assert await link.stop()

    asyncio.run(main())
