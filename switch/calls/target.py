"""Where a call can be offered: a phone registered on a line, or a trunk."""

import msgspec

from provisioning.model import Line
from switch.config import Trunk
from switch.registrar.bindings import Binding
from switch.sip.flow import Flow
from switch.trunks.breaker import Breaker


class LineTarget(msgspec.Struct, frozen=True):
    """One binding. Calls go to the flow that the phone really came from, whatever its Contact says."""

    line: Line
    binding: Binding

    @property
    def flow(self) -> Flow:
        return self.binding.flow

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
