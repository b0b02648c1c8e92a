"""What faults look like, by when they are repaired, by when complaints are answered: as the operator's
fault-patterns.toml, faults.toml and complaints.toml say now.

A file that has changed is read anew with the next page. One that cannot be used is said, and what held before goes on.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from billing.complaints.conf import FILE as COMPLAINTS_FILE
from billing.complaints.conf import ComplaintsConf, load_complaints
from care.explanation import PATTERNS_FILE, Pattern, load_patterns
from care.faults import PLAIN_TERMS, load_terms
from care.faults.conf import FILE as TERMS_FILE
from care.faults.conf import Terms
from provisioning.complaints import ComplaintTerms
from switch.conf_files import ConfProblems

log = structlog.get_logger("portal")


class FaultTables(msgspec.Struct, frozen=True):
    """What the files say."""

    patterns: Sequence[Pattern]
    terms: Terms
    complaint_terms: ComplaintTerms = ComplaintsConf().terms


class FaultFiles:
    """Those of `folder`, or what came with offhook in `shipped`."""

    __slots__ = ("_folder", "_read_as", "_shipped", "_tables")

    def __init__(self, folder: Path, shipped: Path) -> None:
        self._folder = folder
        self._shipped = shipped
        self._read_as: list[tuple[int, int] | None] = []
        self._tables = FaultTables(load_patterns(shipped), PLAIN_TERMS)

    def tables(self) -> FaultTables:
        """As of now."""
        now = [_version(self._folder / name) for name in (PATTERNS_FILE, TERMS_FILE, COMPLAINTS_FILE)]
        if now != self._read_as:
            self._read_as = now
            self._tables = FaultTables(self._patterns(), self._terms(), self._complaint_terms())
        return self._tables

    def _patterns(self) -> Sequence[Pattern]:
        try:
            return load_patterns(self._folder, self._shipped)
        except ConfProblems as problems:
            log.error("fault_patterns_invalid", problems=[str(problem) for problem in problems.problems])
            return self._tables.patterns

    def _terms(self) -> Terms:
        try:
            return load_terms(self._folder)
        except ConfProblems as problems:
            log.error("fault_terms_invalid", problems=[str(problem) for problem in problems.problems])
            return self._tables.terms

    def _complaint_terms(self) -> ComplaintTerms:
        try:
            return load_complaints(self._folder).terms
        except ConfProblems as problems:
            log.error("complaint_terms_invalid", problems=[str(problem) for problem in problems.problems])
            return self._tables.complaint_terms


def _version(path: Path) -> tuple[int, int] | None:
    """When it was written, and its octets; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
