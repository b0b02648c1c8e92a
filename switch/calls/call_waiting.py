"""A second call to a line says so to the phone: Alert-Info with the URN for call waiting (RFC 7462 8.2.2).

The phone chooses the tone. A PBX has many calls at once and is told nothing.
"""

from typing import TYPE_CHECKING, Final

from provisioning.model import Line, LineKind

if TYPE_CHECKING:
    from switch.calls.invitation import Invitation
    from switch.calls.switchboard import Switchboard

CALL_WAITING: Final = ("Alert-Info", "<urn:alert:service:call-waiting>")


def announce_waiting(invitation: "Invitation", line: Line, board: "Switchboard") -> None:
    """Where the line has a call besides this one."""
    if board.of_line[line.user] > 1 and line.kind is not LineKind.TRUNK:
        invitation.fields = [*invitation.fields, CALL_WAITING]
