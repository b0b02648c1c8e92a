"""Where a call can be offered: a phone registered on a line, a customer's trunk at its address, or a carrier."""

import msgspec

from provisioning.model import Line
from switch.config import Trunk
from switch.registrar.bindings import Binding
from switch.sip.flow import Flow
from switch.trunks.breaker import Breaker


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

    @property
    def name(self) -> str:
        return self.line.user


class TrunkTarget(msgspec.Struct, frozen=True):
    """One address of a trunk.

    `host` is the host[:port] of the Request-URI where that is a name, `routes` the Service-Route of the registration
    (RFC 3608), `breaker` what is known of this address's health.
    """

    trunk: Trunk
    flow: Flow
    host: str = ""
    routes: tuple[str, ...] = ()
    breaker: Breaker | None = None

    @property
    def name(self) -> str:
        return self.trunk.name


Target = LineTarget | TrunkTarget
