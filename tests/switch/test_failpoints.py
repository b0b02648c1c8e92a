"""Named points: nothing without a file, one stop for each file, and no stop by a slip of the pen."""

import os
import signal
from pathlib import Path

import pytest

from switch.failpoints import ENVIRONMENT, Failpoint, failpoint_from_environment


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What this process would have sent itself."""
    sent: list[int] = []

    def kill(pid: int, number: int) -> None:
        assert pid == os.getpid()
        sent.append(number)

    monkeypatch.setattr(os, "kill", kill)
    return sent


def test_nothing_is_armed_in_service(monkeypatch: pytest.MonkeyPatch, signals: list[int]) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    failpoint_from_environment().reached("answered")
    assert signals == []


def test_a_file_stops_the_process_once_at_its_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signals: list[int]
) -> None:
    file = tmp_path / "point"
    file.write_text("answered")
    monkeypatch.setenv(ENVIRONMENT, str(file))
    failpoint = failpoint_from_environment()
    failpoint.reached("reserved")
    assert signals == []
    failpoint.reached("answered")
    failpoint.reached("answered")
    assert signals == [signal.SIGSTOP]
    assert not file.exists()


def test_a_count_stops_at_that_time_since_the_file_came(tmp_path: Path, signals: list[int]) -> None:
    file = tmp_path / "point"
    failpoint = Failpoint(file)
    failpoint.reached("ending")
    for _ in range(2):  # armed again while it runs
        file.write_text("ending:3\n")
        failpoint.reached("ending")
        failpoint.reached("ending")
        sent = len(signals)
        failpoint.reached("ending")
        assert len(signals) == sent + 1


def test_a_point_that_does_not_exist_is_refused(tmp_path: Path, signals: list[int]) -> None:
    file = tmp_path / "point"
    file.write_text("answerd")
    with pytest.raises(ValueError, match="'answerd', expected one of"):
        Failpoint(file).reached("answered")
