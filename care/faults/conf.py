"""conf/faults.toml: by when faults are answered and repaired, by priority. Without the file: what stands here."""

from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from care.faults.record import Deadlines, Priority
from switch.conf_files import ConfFile, ConfProblems, open_optional_file
from switch.conf_reader import note_unknown_tables, read_struct

FILE: Final = "faults.toml"
HOURS_MAX: Final = 24 * 90

Hours = Annotated[int, Meta(ge=1, le=HOURS_MAX)]


class _Urgent(Struct, frozen=True):
    answer_h: Hours = 2
    restore_h: Hours = 8


class _Needs(Struct, frozen=True):
    answer_h: Hours = 1
    restore_h: Hours = 8


class _Normal(Struct, frozen=True):
    answer_h: Hours = 8
    restore_h: Hours = 48


Terms = dict[Priority, Deadlines]


def load_terms(folder: Path) -> Terms:
    """Raises ConfProblems with everything that is wrong in the file."""
    file = open_optional_file(folder, FILE)
    terms = read_terms(file)
    if file.problems:
        raise ConfProblems(file.in_order())
    return terms


def read_terms(file: ConfFile) -> Terms:
    """Problems are noted in the file."""
    note_unknown_tables(file, [priority.value for priority in Priority])
    needs = read_struct(file, _Needs, file.table.get("needs", {}), ("needs",))
    urgent = read_struct(file, _Urgent, file.table.get("urgent", {}), ("urgent",))
    normal = read_struct(file, _Normal, file.table.get("normal", {}), ("normal",))
    return {
        Priority.NEEDS: Deadlines(needs.answer_h, needs.restore_h),
        Priority.URGENT: Deadlines(urgent.answer_h, urgent.restore_h),
        Priority.NORMAL: Deadlines(normal.answer_h, normal.restore_h),
    }


PLAIN_TERMS: Final[Terms] = {
    Priority.NEEDS: Deadlines(1, 8),
    Priority.URGENT: Deadlines(2, 8),
    Priority.NORMAL: Deadlines(8, 48),
}
