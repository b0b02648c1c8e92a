"""The trunks of the configuration at run time: which ways a call may take, whose a message is, where dialogs go on.

The owner of everything that is known of carriers: addresses behind names, health, registrations, who takes TCP. Calls
read it and never wait for it. It decides by what it has been told; it sends REGISTER and OPTIONS through the stack, and
its names are looked up by somebody else. Pure.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from switch.calls.target import Target, TrunkTarget
from switch.calls.trunk_sources import TrunkSources
from switch.conf_trunks import ContactRule
from switch.sip.dialog import Dialog
from switch.sip.errors import SipParseError
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from switch.sip.uri import SipUri
from switch.trunks.addresses import may_be_peers
from switch.trunks.carrier import NO_ADDRESS_YET, Carrier
from switch.trunks.endings import Endings
from switch.trunks.health import Health
from switch.trunks.large_requests import LargeRequests
from switch.trunks.locate import Endpoint, Located, Reach, Wanted
from switch.trunks.names import Names
from switch.trunks.next_hop import NextHop, is_same_way, next_hop
from switch.trunks.quality import Qualities
from switch.trunks.registration import Registration

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.config import Conf, Trunk
    from switch.sip.stack import Stack

# Legs that wait for the first look-up of a name, which takes some seconds at most. One more keeps the INVITE's address.
AIMING_MAX: Final = 10_000
# Addresses whose trunk is remembered; beyond it, which takes a flood from many, the table begins anew.
PLACES_MAX: Final = 16_384

log = structlog.get_logger(__name__)


class Network(Protocol):
    """What trunks have to know of sockets."""

    @property
    def domain(self) -> str: ...

    @property
    def reach(self) -> Reach: ...

    def contact_of(self, flow: Flow) -> str: ...

    def flow_to(self, transport: str, host: str, port: int) -> Flow: ...

    def expect_name(self, flow: Flow, name: str) -> None:
        """The certificate that a TLS peer at this flow shows must be one for `name`."""


class Skipped:
    """A trunk that a call passed over, and why."""

    __slots__ = ("trunk", "why")

    def __init__(self, trunk: str, why: str) -> None:
        self.trunk = trunk
        self.why = why

    def __str__(self) -> str:
        return f"{self.trunk} {self.why}"


class Trunks:
    """One a process."""

    __slots__ = (
        "_aiming", "_by_token", "_carriers", "_known_places", "_literal_sources", "_network", "_random",
        "_source_hosts", "_sources", "_stack", "_timers", "_tokens", "below_cost", "endings", "health", "large",
        "leaving", "names", "qualities", "redirected", "skipped", "unfollowed",
    )  # fmt: skip

    def __init__(
        self,
        *,
        stack: "Stack",
        timers: TimerQueue,
        tokens: Tokens,
        network: Network,
        random: Callable[[], float],
    ) -> None:
        self._stack = stack
        self._timers = timers
        self._tokens = tokens
        self._network = network
        self._random = random
        self._carriers: dict[str, Carrier] = {}
        # (host, port) of everything that is known to be a carrier's; what conf/ says literally goes before it
        self._sources: dict[tuple[str, int], str] = {}
        self._source_hosts: dict[str, str] = {}  # whatever the port: the addresses of `source_names`
        self._literal_sources = TrunkSources(())
        # Whose each address is that somebody sent from: asked several times a call. None: no trunk's.
        self._known_places: dict[tuple[str, int], Trunk | None] = {}
        self._by_token: dict[str, Carrier] = {}  # user of our Contact -> whose registration it is
        self._aiming: dict[Wanted, list[Leg]] = {}
        self.names = Names(random, self._name_changed)
        self.health = Health(stack=stack, timers=timers, tokens=tokens, network=network, random=random)
        self.large = LargeRequests(network, self._is_carriers)
        self.leaving: list[Registration] = []
        self.skipped: Counter[tuple[str, str]] = Counter()
        self.qualities = Qualities()
        self.endings = Endings()
        self.below_cost: Counter[tuple[str, str]] = Counter()  # by trunk, and "warn" or "refuse"
        self.redirected = 0  # dialogs that go on at another address than the INVITE's
        self.unfollowed = 0  # Contacts and routes that cannot be the carrier's

    def __getitem__(self, name: str) -> Carrier:
        return self._carriers[name]

    @property
    def carriers(self) -> list[Carrier]:
        return list(self._carriers.values())

    # The configuration

    def take_over(self, conf: "Conf", now: float) -> None:
        """The trunks as they are from now on. What did not change keeps its health and its registration."""
        before, self._carriers = self._carriers, {}
        self._literal_sources = conf.trunk_sources
        for name, trunk in conf.trunks.items():
            old = before.get(name)
            self._carriers[name] = (
                old if old is not None and old.trunk == trunk else self._carrier(trunk, old, now)
            )
        kept = {id(carrier.registration) for carrier in self.carriers}
        for old in before.values():
            if old.registration is not None and id(old.registration) not in kept:
                old.registration.leave(now)
                self.leaving.append(old.registration)
        self.names.watch([wanted for carrier in self.carriers for wanted in carrier.wanted()], now)
        for carrier in self.carriers:
            carrier.rebuild(now)
        self._learn_sources()
        self._by_token = {c.registration.token: c for c in self.carriers if c.registration is not None}
        for carrier in self.carriers:
            if carrier.registration is not None and not carrier.registration.is_begun:
                carrier.registration.start(now)

    def leave(self, now: float) -> None:
        """The exchange closes down: no more registrations, no more questions."""
        self.health.stop()
        for carrier in self.carriers:
            if carrier.registration is not None and not carrier.registration.is_leaving:
                carrier.registration.leave(now)
                self.leaving.append(carrier.registration)

    @property
    def is_leaving(self) -> bool:
        """Whether an answer to a REGISTER that takes us away is still awaited."""
        self.leaving = [registration for registration in self.leaving if not registration.is_gone]
        return bool(self.leaving)

    def _carrier(self, trunk: "Trunk", old: Carrier | None, now: float) -> Carrier:
        carrier = Carrier(trunk, names=self.names, flow_to=self._flow_to, random=self._random, now=now)
        if old is not None and old.trunk.addresses == trunk.addresses:
            carrier.keep_health(old)
        if not trunk.register:
            return carrier
        if old is not None and old.registration is not None and _same_registration(old.trunk, trunk):
            carrier.registration = old.registration
            carrier.route_flow = old.route_flow
            carrier.registration.trunk = trunk
            return carrier
        name = trunk.name
        carrier.registration = Registration(
            trunk,
            stack=self._stack,
            timers=self._timers,
            tokens=self._tokens,
            network=self._network,
            random=self._random,
            endpoints=lambda: self._registrars(name),
            flow_to=lambda endpoint: self._flow_to(endpoint, trunk.registrar_domain),
            on_change=lambda later: self._registration_changed(name, later),
            now=now,
        )
        return carrier

    # Calls

    def ways(
        self, names: Sequence[str], of_trunk: Counter[str], now: float, *, is_emergency: bool
    ) -> tuple[list[list[Target]], list[Skipped]]:
        """A stage for each way that a call may take, in order, and which trunks it passes over.

        Dead addresses are left out as long as there are others; an emergency call tries them last.
        """
        stages: list[list[Target]] = []
        dead: list[list[Target]] = []
        skipped: list[Skipped] = []
        for name in names:
            carrier = self._carriers[name]
            why = "" if is_emergency else carrier.why_not(of_trunk[name], now)
            ways = carrier.ways(even_if_gone=is_emergency) if not why else []
            if not ways:
                skipped.append(self._skip(carrier, why or NO_ADDRESS_YET, now))
            for way in ways:
                is_alive = way.breaker is None or way.breaker.lets_through(now)
                (stages if is_alive else dead).append([way])
        if is_emergency:
            stages += dead
        return stages or dead, skipped

    def try_begins(self, target: TrunkTarget, now: float) -> None:
        """An INVITE goes that way."""
        if target.breaker is not None:
            target.breaker.try_begins(now)
        carrier = self._carriers.get(target.trunk.name)
        if carrier is not None and carrier.rate is not None:
            carrier.rate.take_anyway(now)

    def _skip(self, carrier: Carrier, why: str, now: float) -> Skipped:
        name = carrier.trunk.name
        self.skipped[name, why] += 1
        if why == NO_ADDRESS_YET:
            for wanted in carrier.wanted():
                self.names.ask(wanted, now)
        return Skipped(name, why)

    # Whose a message is

    def trunk_at(self, host: str, port: int) -> "Trunk | None":
        """The trunk that a source address belongs to, or None."""
        place = (host, port)
        known = self._known_places
        if place in known:
            return known[place]
        name = self._literal_sources.find(host, port) or self._sources.get(place)
        if name is None and self._source_hosts:
            name = self._source_hosts.get(host)
        if len(known) >= PLACES_MAX:
            known.clear()
        trunk = known[place] = None if name is None else self._carriers[name].trunk
        return trunk

    def caller_of(self, request: Request, flow: Flow) -> "Trunk | None":
        """The trunk that a request comes from: by its address, or by the Contact that we registered there.

        The Contact's user is known to that carrier alone, so it tells two trunks of one carrier apart and lets it call
        from any port; the host must be one of its own all the same.
        """
        trunk = self.trunk_at(flow.remote_host, flow.remote_port)
        if not self._by_token:
            return trunk
        carrier = self._registered_as(request)
        if carrier is not None and (
            trunk is carrier.trunk or any(e.host == flow.remote_host for e in carrier.endpoints())
        ):
            return carrier.trunk
        return trunk

    def called_of(self, request: Request) -> str:
        """What a call to our registered Contact is for: the user part of its To. "" for every other request."""
        if self._registered_as(request) is None:
            return ""
        try:
            uri = request.to.parsed_uri
        except SipParseError:
            return ""
        return uri.unescaped_user if isinstance(uri, SipUri) else request.to.uri

    def _registered_as(self, request: Request) -> Carrier | None:
        uri = request.request_uri if self._by_token else None
        return self._by_token.get(uri.user or "") if isinstance(uri, SipUri) else None

    # Dialogs

    def aim(self, leg: "Leg", now: float) -> None:
        """Where this leg's requests go from now on: its first Route or its remote target (RFC 3261 12.2.1.1).

        The address of the INVITE stays where that cannot be followed, and what a BYE falls back to.
        """
        trunk, dialog = leg.trunk, leg.dialog
        if trunk is None or dialog is None:
            return
        base = dialog.fallback_flow or dialog.flow
        flow = self.next_flow(dialog, base, trunk, leg, now)
        if flow != dialog.flow:
            self.redirected += flow != base
            leg.move(flow)
            dialog.fallback_flow = None if flow == base else base

    def next_flow(self, dialog: Dialog, base: Flow, trunk: "Trunk", leg: "Leg | None", now: float) -> Flow:
        """The flow of the dialog's next hop, or `base`. `leg` is aimed again if a name is looked up for it."""
        if trunk.contact is ContactRule.IGNORE:
            return base
        hop = next_hop(dialog.route_set, dialog.remote_target)
        return base if hop is None else self._follow(hop, base, leg, now)

    def _follow(self, hop: NextHop, base: Flow, leg: "Leg | None", now: float) -> Flow:
        """The flow to the next hop, or `base`."""
        if hop.is_address:
            return self._flow_of(hop.endpoint(base), base)
        wanted = hop.wanted(base)
        endpoints = self.names.endpoints(wanted)
        if any(is_same_way(endpoint, base) for endpoint in endpoints):
            return base  # of several addresses the one that has the call already
        if endpoints:
            return self._flow_of(endpoints[0], base, name=hop.host)
        if self.names.ask(wanted, now) and leg is not None:
            legs = self._aiming.setdefault(wanted, [])
            if len(legs) < AIMING_MAX:
                legs.append(leg)
        return base

    def _flow_of(self, endpoint: Endpoint, base: Flow, *, name: str = "") -> Flow:
        if is_same_way(endpoint, base):
            return base
        reach = self._network.reach
        family = "AAAA" if ":" in endpoint.host else "A"
        is_ours = (endpoint.host, endpoint.port) == (base.local_host, base.local_port)
        if (
            endpoint.transport not in reach.transports
            or family not in reach.families
            or is_ours
            or not may_be_peers(endpoint.host, base.remote_host)
        ):
            self.unfollowed += 1
            return base
        if endpoint.transport == base.transport and (":" in base.remote_host) == (family == "AAAA"):
            flow = Flow(endpoint.transport, endpoint.host, endpoint.port, base.local_host, base.local_port)
            self._network.expect_name(flow, name or endpoint.host)
            return flow
        return self._flow_to(endpoint, name or endpoint.host)

    # What happens

    def found(self, wanted: Wanted, located: Located, now: float) -> None:
        """A name was looked up."""
        self.names.found(wanted, located, now)

    def run(self, now: float) -> None:
        """Once a second."""
        self.endings.run(now)
        for carrier in self.carriers:
            if carrier.trunk.options_interval_s:
                self.health.run(carrier, now)

    def flow_lost(self, flow: Flow, now: float) -> None:
        for carrier in self.carriers:
            if carrier.registration is not None:
                carrier.registration.flow_lost(flow, now)

    def _name_changed(self, wanted: Wanted, now: float) -> None:
        for carrier in self.carriers:
            if wanted in carrier.wanted():
                carrier.rebuild(now)
                if carrier.registration is not None and carrier.registration.waits_for_address:
                    carrier.registration.start(now)
        self._learn_sources()
        for leg in self._aiming.pop(wanted, ()):
            leg.aim(now)

    def _registration_changed(self, name: str, now: float) -> None:
        carrier = self._carriers.get(name)
        if carrier is None or carrier.registration is None:
            return
        registration = carrier.registration
        carrier.route_flow = None
        if registration.service_route and registration.flow is not None:
            hop = next_hop(list(registration.service_route), "")
            if hop is not None:
                carrier.route_flow = self._follow(hop, registration.flow, None, now)
        carrier.rebuild(now)

    # Small steps

    def _registrars(self, name: str) -> tuple[Endpoint, ...]:
        carrier = self._carriers.get(name)
        return () if carrier is None else carrier.registrar_endpoints()

    def _learn_sources(self) -> None:
        """The first trunk of the file goes before another with the same address."""
        self._sources = {}
        self._source_hosts = {}
        self._known_places.clear()
        for carrier in self.carriers:
            for host in carrier.source_hosts():
                self._source_hosts.setdefault(host, carrier.trunk.name)
            for endpoint in carrier.endpoints():
                self._sources.setdefault((endpoint.host, endpoint.port), carrier.trunk.name)

    def _is_carriers(self, host: str, port: int) -> bool:
        return (host, port) in self._sources

    def _flow_to(self, endpoint: Endpoint, name: str) -> Flow:
        flow = self._network.flow_to(endpoint.transport, endpoint.host, endpoint.port)
        self._network.expect_name(flow, name)
        return flow


def _same_registration(old: "Trunk", new: "Trunk") -> bool:
    """Whether the carrier would not notice that the trunk has changed."""
    return all(
        getattr(old, name) == getattr(new, name)
        for name in (
            "username", "password", "realm", "addresses", "registrars", "transport", "register_domain",
            "register_expires_s",
        )
    )  # fmt: skip
