"""Who may write: the lock's answers to a second switch, a restarted switch and a switch that died."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rating.journal.lock import JournalLock, LockHeldError


def test_a_second_switch_is_refused_while_the_first_is_alive(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    first = JournalLock(journal, owner_pid=os.getpid())
    assert first.try_hold()
    second = JournalLock(journal, owner_pid=1)
    with pytest.raises(LockHeldError, match=f"in use by the switch with process id {os.getpid()}"):
        second.try_hold()
    first.close()
    assert second.try_hold()
    second.close()


def test_a_restarted_switch_waits_for_what_its_dead_predecessor_left(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    while Path(f"/proc/{dead.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        os.sched_yield()
    journal = tmp_path / "journal.sqlite"
    predecessor = JournalLock(journal, owner_pid=dead.pid)
    assert predecessor.try_hold()
    ours = JournalLock(journal, owner_pid=os.getpid())
    assert not ours.try_hold()  # dead, though nobody has waited for it
    dead.wait()
    assert not ours.try_hold()
    predecessor.close()
    assert ours.try_hold()
    ours.close()


def test_our_own_previous_journal_process_is_waited_for(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    dying = JournalLock(journal, owner_pid=os.getpid())
    assert dying.try_hold()
    ours = JournalLock(journal, owner_pid=os.getpid())
    assert not ours.try_hold()
    dying.close()
    assert ours.try_hold()
    ours.close()


def test_a_lock_that_does_not_say_whose_it_is_is_waited_for(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    first = JournalLock(journal, owner_pid=os.getpid())
    assert first.try_hold()
    Path(f"{journal}.lock").write_bytes(b"")
    second = JournalLock(journal, owner_pid=1)
    assert not second.try_hold()
    assert "another process" in second.describe_holder()
    first.close()
    second.close()
