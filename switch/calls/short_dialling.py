"""What a line dials in short: **7 is a number that it has stored, **0 the one that it called last.

Both stand for a number, and everything after that is as if the number had been dialled. The last number is in memory
only: it is worth no record a call.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from switch.calls.number_plan import Dialled, NumberPlan, ServiceCode, read_dialled
from switch.calls.service_codes import Feature, ServiceTable, is_speed_code

if TYPE_CHECKING:
    from provisioning.model import Line

# A code that stands for a code is no number.
NOTHING: Final = ""


class LastDialled:
    """Of each line, what it called last, and whether its number was withheld then; at most as many as lines."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[str, tuple[str, bool]] = {}

    def note(self, user: str, dialled: str, *, is_withheld: bool) -> None:
        self._of[user] = (dialled, is_withheld)

    def of(self, user: str) -> str:
        return self._of.get(user, (NOTHING, False))[0]

    def was_withheld(self, user: str) -> bool:
        return self._of.get(user, (NOTHING, False))[1]

    def forget(self, user: str) -> None:
        self._of.pop(user, None)


def meant_by(code: ServiceCode, line: "Line", table: ServiceTable, last: LastDialled) -> str:
    """The digits that a short code stands for, or NOTHING."""
    if is_speed_code(code):
        number = line.settings.speed_dials.get(code.code)
        if number is not None:
            return number
    rule = table.rules.get(code.name)
    if rule is not None and rule.feature is Feature.REDIAL and not code.args:
        return last.of(line.user)
    return NOTHING


def read_meant(text: str, dialled: Dialled, plan: NumberPlan) -> Dialled:
    """What the digits mean that a short code stood for; 141 and 1470 before the code still count."""
    meant = read_dialled(text, plan)
    return msgspec.structs.replace(meant, privacy=meant.privacy or dialled.privacy)
