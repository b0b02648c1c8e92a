"""What `offhook check` says of conf/fault-patterns.toml: unknown signs, unknown placeholders, and what a TOML file can
have wrong."""

from pathlib import Path

from switch.conf_files import ConfProblem, ConfProblems


def fault_pattern_problems(directory: Path) -> list[ConfProblem]:
    """Without the file the shipped one holds."""
    from care.explanation.patterns import PATTERNS_FILE, load_patterns  # noqa: PLC0415 - as billing's files

    if not (directory / PATTERNS_FILE).exists():
        return []
    try:
        load_patterns(directory)
    except ConfProblems as problems:
        return problems.problems
    return []
