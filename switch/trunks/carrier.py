"""One trunk of the configuration at run time: the ways to it in the order of trying, and what is known of each.

A way is an address, literal or behind a name. Its breaker outlives a new answer of the DNS that names the same address.
Pure.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from switch.calls.target import TrunkTarget
from switch.conf_addresses import TrunkAddress
from switch.sip.flow import TLS, UDP, Flow
from switch.trunks.addresses import is_unicast
from switch.trunks.breaker import Breaker
from switch.trunks.call_rate import CallRate
from switch.trunks.locate import SIP_PORT, TLS_PORT, Endpoint, Wanted, in_order
from switch.trunks.names import Names
from switch.trunks.registration import Registration

if TYPE_CHECKING:
    from switch.config import Trunk

# Why a trunk is passed over: words for the record, and labels of a metric.
FULL: Final = "has as many calls as it may have at once"
TOO_FAST: Final = "has as many calls a second as it may have"
NOT_REGISTERED: Final = "is not registered"
NO_ADDRESS_YET: Final = "has no address that is known yet"


class Carrier:
    """`flow_to(endpoint, name)` makes a flow; `name` is what a certificate of that peer must say."""

    __slots__ = (
        "_fixed",
        "_flow_to",
        "_names",
        "_random",
        "_targets",
        "breakers",
        "rate",
        "registration",
        "route_flow",
        "trunk",
    )

    def __init__(
        self,
        trunk: "Trunk",
        *,
        names: Names,
        flow_to: Callable[[Endpoint, str], Flow],
        random: Callable[[], float],
        now: float,
    ) -> None:
        self.trunk = trunk
        self.rate = CallRate(trunk.calls_per_second_max, now) if trunk.calls_per_second_max else None
        self.registration: Registration | None = None
        self.route_flow: Flow | None = None  # where the registration's Service-Route begins
        self.breakers: dict[Endpoint, Breaker] = {}
        self._names = names
        self._flow_to = flow_to
        self._random = random
        self._targets: dict[tuple[TrunkAddress, Endpoint], TrunkTarget] = {}
        self._fixed: list[TrunkTarget] | None = None  # where no draw and no name is needed for each call

    def why_not(self, calls: int, now: float) -> str:
        """Why it takes no call now, or "". Emergency calls do not ask."""
        if calls >= self.trunk.calls_max:
            return FULL
        if self.trunk.needs_registration and not self.is_registered(now):
            return NOT_REGISTERED
        if self.rate is not None and not self.rate.has_room(now):
            self.rate.excess += 1
            return TOO_FAST
        return ""

    def is_registered(self, now: float) -> bool:
        return self.registration is not None and self.registration.is_registered(now)

    def ways(self, *, even_if_gone: bool = False) -> list[TrunkTarget]:
        """All that are known, in the order of this call's tries."""
        if self._fixed is not None:
            return self._fixed
        found: list[TrunkTarget] = []
        for address in self.trunk.addresses:
            for endpoint in self.endpoints_of(address, even_if_gone=even_if_gone):
                target = self._targets.get((address, endpoint))
                if target is not None:
                    found.append(target)
        return self._registered_first(found)

    def rebuild(self, now: float) -> None:
        """Something has become known, or another: an address, a registration."""
        before, self.breakers = self.breakers, {}
        self._targets = {}
        for address in self.trunk.addresses:
            for endpoint in self.endpoints_of(address, even_if_gone=True):
                breaker = self.breakers.get(endpoint) or before.get(endpoint) or self._new_breaker(now)
                self.breakers[endpoint] = breaker
                flow = self._flow_to(endpoint, address.host)
                self._targets[address, endpoint] = TrunkTarget(
                    self.trunk, flow, str(address) if address.is_name else "", (), breaker
                )
        self._fixed = None
        routed = self._by_service_route()
        if routed is not None:
            self._fixed = [routed]
        elif not any(address.is_name for address in self.trunk.addresses):
            self._fixed = self._registered_first(list(self._targets.values()))

    def target_at(self, endpoint: Endpoint) -> TrunkTarget:
        """The way that one of `breakers` is about."""
        return next(target for (_, known), target in self._targets.items() if known == endpoint)

    def keep_health(self, old: "Carrier") -> None:
        """What was known of the same addresses under an earlier configuration."""
        if (old.trunk.breaker_failures, old.trunk.breaker_open_s, old.trunk.options_interval_s > 0) == (
            self.trunk.breaker_failures, self.trunk.breaker_open_s, self.trunk.options_interval_s > 0,
        ):  # fmt: skip
            self.breakers = old.breakers

    def endpoints_of(self, address: TrunkAddress, *, even_if_gone: bool = False) -> tuple[Endpoint, ...]:
        """Where an address of the configuration leads now."""
        if not address.is_name:
            return (literal_endpoint(self.trunk, address),)
        located = self._names.located(wanted_of(self.trunk, address), even_if_gone=even_if_gone)
        if located is None:
            return ()
        return tuple(endpoint for endpoint in in_order(located, self._random) if is_unicast(endpoint.host))

    def registrar_endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(
            dict.fromkeys(
                endpoint
                for address in self.trunk.registrar_addresses
                for endpoint in self.endpoints_of(address)
            )
        )

    def wanted(self) -> list[Wanted]:
        """The names that it needs."""
        addresses = dict.fromkeys((*self.trunk.addresses, *self.trunk.registrars))
        named = [wanted_of(self.trunk, address) for address in addresses if address.is_name]
        return [*named, *(_source_wanted(name) for name in self.trunk.source_names)]

    def source_hosts(self) -> Iterator[str]:
        """The addresses that it may call from by any port, as far as `source_names` says."""
        for name in self.trunk.source_names:
            for endpoint in self._names.endpoints(_source_wanted(name)):
                if is_unicast(endpoint.host):
                    yield endpoint.host

    def endpoints(self) -> set[Endpoint]:
        """Every address that is this carrier's, as far as is known."""
        known = set(self.breakers)
        if self.registration is not None:
            known.update(self.registrar_endpoints())
        return known

    def _registered_first(self, ways: list[TrunkTarget]) -> list[TrunkTarget]:
        """Where it knows us it takes our calls."""
        registration = self.registration
        if registration is None or registration.expires_at is None or len(ways) < 2:
            return ways
        flow = registration.flow
        return sorted(ways, key=lambda way: way.flow != flow)  # stable: the others stay as they are

    def _by_service_route(self) -> TrunkTarget | None:
        """RFC 3608 6.2: what the registrar wants our requests to pass."""
        registration = self.registration
        if registration is None or not registration.service_route or self.route_flow is None:
            return None
        host = str(self.trunk.registrar_addresses[0])
        endpoint = registration.endpoint
        breaker = self.breakers.get(endpoint) if endpoint is not None else None
        return TrunkTarget(self.trunk, self.route_flow, host, registration.service_route, breaker)

    def _new_breaker(self, now: float) -> Breaker:
        trunk = self.trunk
        return Breaker(
            failures_max=trunk.breaker_failures,
            open_s=trunk.breaker_open_s,
            is_probed=trunk.options_interval_s > 0,
            now=now,
        )


def wanted_of(trunk: "Trunk", address: TrunkAddress) -> Wanted:
    return Wanted(address.host, address.port, trunk.transport.flow_name)


def _source_wanted(name: str) -> Wanted:
    """Its addresses alone, so with a port."""
    return Wanted(name, SIP_PORT, UDP)


def literal_endpoint(trunk: "Trunk", address: TrunkAddress) -> Endpoint:
    """RFC 3263 4.1 and 4.2: UDP where nothing else is said, and the transport's own port."""
    transport = trunk.transport.flow_name or UDP
    return Endpoint(transport, address.host, address.port or (TLS_PORT if transport == TLS else SIP_PORT))
