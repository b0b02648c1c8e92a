"""Where a call can be offered: a phone registered on a line, a customer's trunk at its address, a carrier, or
voicemail. `onward` are the terms of who sends the call there, None where the call was made to there."""

from typing import TYPE_CHECKING, Final

import msgspec

from provisioning.model import Line
from switch.calls.passing import Fields
from switch.config import Trunk
from switch.registrar.bindings import Binding
from switch.sip.flow import Flow
from switch.trunks.breaker import Breaker

if TYPE_CHECKING:
    from switch.calls.terms import Admission

VOICEMAIL: Final = "voicemail"
LOOPBACK_IPV4: Final = "127."
LOOPBACK_IPV6: Final = "::1"


class LineTarget(msgspec.Struct, frozen=True):
    """One way to a line: a binding, or an address of its own (then `binding` is None).

    Calls go to the flow that the phone really came from, whatever its Contact says. `backup` is the next way to the
    same peer, tried when this one fails.
    """

    line: Line
    flow: Flow
    contact: str
    binding: Binding | None
    backup: "LineTarget | None" = None
    onward: "Admission | None" = None

    @property
    def name(self) -> str:
        return self.line.user


class TrunkTarget(msgspec.Struct, frozen=True):
    """One address of a trunk.

    `host` is the host[:port] of the Request-URI where that is a name, `routes` the Service-Route of the registration
    (RFC 3608), `breaker` what is known of this address's health. `backup` is the next way of a number that rings
    together with others; where it rings alone, the next stage is.
    """

    trunk: Trunk
    flow: Flow
    host: str = ""
    routes: tuple[str, ...] = ()
    breaker: Breaker | None = None
    backup: "TrunkTarget | None" = None
    onward: "Admission | None" = None

    @property
    def name(self) -> str:
        return self.trunk.name


class VoicemailTarget(msgspec.Struct, frozen=True):
    """The voicemail server, asked for what `uri` says.

    `reason` is what the leg's record says. `line` is whose mailbox is meant, where that is known. `fields` go into the
    INVITE.
    """

    flow: Flow
    uri: str
    reason: str
    line: Line | None = None
    fields: Fields = []
    onward: "Admission | None" = None

    @property
    def name(self) -> str:
        return VOICEMAIL

    @property
    def is_here(self) -> bool:
        """On this machine: no network lies in between."""
        return self.flow.remote_host == LOOPBACK_IPV6 or self.flow.remote_host.startswith(LOOPBACK_IPV4)


Target = LineTarget | TrunkTarget | VoicemailTarget
