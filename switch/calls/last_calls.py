"""The last call to each line: what a service code may mark for tracing a moment later. In memory, one for each line.

What a carrier said of its caller is kept as it came, so that a trace can be followed into other networks.
"""

from typing import Final

from provisioning.printable import escape_control
from switch.calls.identity import CallerId
from switch.sip.flow import Flow
from switch.sip.message import Request

# A line's last call has some 600 bytes: 60 MB at most. The line that was called longest ago is forgotten.
LINES_MAX: Final = 100_000
# The header fields that a trace in another network begins with.
IDENTITY_FIELDS: Final = frozenset(
    {
        "from", "p-asserted-identity", "remote-party-id", "p-preferred-identity", "privacy", "diversion",
        "history-info", "identity",
    }
)  # fmt: skip
FIELDS_MAX: Final = 12  # five diversions, and each of the others
VALUE_CHARS_MAX: Final = 256


class LastCall:
    """A call to a line. `caller_line` or `trunk` is where it came from; `is_marked`: its trace is on record."""

    __slots__ = ("at", "call_id", "caller_id", "caller_line", "fields", "flow", "is_marked", "trunk")

    def __init__(
        self,
        *,
        call_id: str,
        at: float,
        caller_id: CallerId,
        caller_line: str,
        trunk: str,
        flow: Flow,
        fields: list[tuple[str, str]],
    ) -> None:
        self.call_id = call_id
        self.at = at
        self.caller_id = caller_id
        self.caller_line = caller_line
        self.trunk = trunk
        self.flow = flow
        self.fields = fields
        self.is_marked = False


class LastCalls:
    """By line, in the order of the calls."""

    __slots__ = ("_of_line",)

    def __init__(self) -> None:
        self._of_line: dict[str, LastCall] = {}

    @property
    def count(self) -> int:
        return len(self._of_line)

    def note(self, user: str, call: LastCall) -> None:
        lines = self._of_line
        lines.pop(user, None)
        if len(lines) >= LINES_MAX:
            del lines[next(iter(lines))]
        lines[user] = call

    def of(self, user: str) -> LastCall | None:
        return self._of_line.get(user)


def identity_fields(request: Request) -> list[tuple[str, str]]:
    """What the request says of its caller, as it came."""
    headers = request.headers
    return [
        field
        for key, field in zip(headers.keys(), headers.items(), strict=True)
        if key in IDENTITY_FIELDS
    ]


def shown_fields(fields: list[tuple[str, str]]) -> str:
    """As text for the record: a field a line, with what is no plain text escaped."""
    lines = [f"{name}: {escape_control(value[:VALUE_CHARS_MAX])}" for name, value in fields[:FIELDS_MAX]]
    return "\n".join(lines)
