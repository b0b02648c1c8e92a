"""What `offhook check` says of the fault desk's files, fault-patterns.toml and faults.toml: unknown signs and
placeholders, deadlines that are none, and what a TOML file can have wrong."""

from pathlib import Path

from switch.conf_files import ConfProblem, ConfProblems


def fault_desk_problems(directory: Path) -> list[ConfProblem]:
    """Without a file the shipped one holds."""
    from care.explanation.patterns import PATTERNS_FILE, load_patterns  # noqa: PLC0415 - as billing's files
    from care.faults.conf import load_terms  # noqa: PLC0415

    found = []
    for load in (load_patterns, load_terms) if (directory / PATTERNS_FILE).exists() else (load_terms,):
        try:
            load(directory)
        except ConfProblems as problems:
            found += problems.problems
    return found
