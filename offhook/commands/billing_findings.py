"""What `offhook check` has to say about billing.toml."""

from pathlib import Path

from switch.conf_files import ConfProblem, ConfProblems


def billing_problems(directory: Path) -> list[ConfProblem]:
    """Nothing where there is no such file: calls need none."""
    from billing.conf import NoBillingFile, load_billing  # noqa: PLC0415 - a command costs what it imports

    try:
        load_billing(directory)
    except NoBillingFile:
        return []
    except ConfProblems as found:
        return found.problems
    return []
