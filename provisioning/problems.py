"""What provisioning says no to, in plain English with the value that was found.

`InvalidValue`: what was typed can never be right (exit code 2 of the command line). `Refused`: the books say
no - no such account, the name is taken (exit code 1). Both are `ProvisioningProblem`, whose text is meant for
people.
"""

import msgspec

SHOWN_CHARS_MAX = 60  # one terminal line holds it beside what was expected


def shown(value: str) -> str:
    """A foreign value as it may stand in an error text: shortened, quoted, control characters escaped."""
    short = value if len(value) <= SHOWN_CHARS_MAX else value[: SHOWN_CHARS_MAX - 3] + "..."
    return ascii(short) if not short.isprintable() else repr(short)


class ProvisioningProblem(Exception):  # noqa: N818 - a no with its reason; nothing broke
    """A request to the books that was not carried out; nothing was changed."""


class InvalidValue(ProvisioningProblem):
    """A value that breaks a rule. `what` names it, `found` is the value, `expected` the rule in words."""

    def __init__(self, what: str, found: str, expected: str) -> None:
        super().__init__(f"{what} {shown(found)}: expected {expected}")
        self.what = what
        self.found = found
        self.expected = expected


class NumberProblem(InvalidValue):
    """A telephone number that cannot be read as E.164."""


class Refused(ProvisioningProblem):
    """The books say no. The text says why and, where there is a way out, which."""


class ImportProblem(msgspec.Struct, frozen=True):
    """One thing wrong in an imported file. `line` counts from 1 and includes the heading."""

    line: int
    column: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: found {shown(self.found)}, expected {self.expected}"


class ImportProblems(ProvisioningProblem):
    """Everything that is wrong in an imported file; nothing of it was imported."""

    def __init__(self, problems: list[ImportProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
