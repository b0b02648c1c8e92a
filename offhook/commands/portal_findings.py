"""What `offhook check` says of portal.toml and the certificate that it names."""

from pathlib import Path

from switch.conf_files import ConfProblem, ConfProblems


def portal_problems(directory: Path) -> list[ConfProblem]:
    """Everything that is wrong in it. It does not have to be there."""
    from portal.conf import PORTAL_FILE, load_portal  # noqa: PLC0415 - not every exchange has one

    if not (directory / PORTAL_FILE).exists():
        return []
    try:
        load_portal(directory)
    except ConfProblems as problems:
        return problems.problems
    return []
