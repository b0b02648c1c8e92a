"""The operator's files about faults: taken over when they change, never when they are wrong."""

import os
from pathlib import Path

from care.faults import PLAIN_TERMS, Priority
from portal.fault_files import FaultFiles

SHIPPED = Path(__file__).parents[2] / "conf"


def write(path: Path, text: str, version: int) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(version, version))


def test_without_files_what_came_with_offhook_holds(tmp_path: Path) -> None:
    tables = FaultFiles(tmp_path, SHIPPED).tables()
    assert len(tables.patterns) > 50
    assert tables.terms == PLAIN_TERMS


def test_a_file_that_has_changed_is_read_and_one_that_has_not_is_not(tmp_path: Path) -> None:
    files = FaultFiles(tmp_path, SHIPPED)
    before = files.tables()
    assert files.tables() is before
    write(tmp_path / "faults.toml", "[needs]\nanswer_h = 3\nrestore_h = 4\n", 1)
    after = files.tables()
    assert after.terms[Priority.NEEDS].answer_h == 3
    write(tmp_path / "faults.toml", "[needs]\nanswer_h = 5\nrestore_h = 6\n", 2)
    assert files.tables().terms[Priority.NEEDS].answer_h == 5


def test_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    files = FaultFiles(tmp_path, SHIPPED)
    write(tmp_path / "faults.toml", "[needs]\nanswer_h = 3\nrestore_h = 4\n", 1)
    good = files.tables()
    write(tmp_path / "faults.toml", "[needs]\nanswer_h = 0\n", 2)
    write(tmp_path / "fault-patterns.toml", "nonsense", 2)
    still = files.tables()
    assert (still.terms, still.patterns) == (good.terms, good.patterns)
