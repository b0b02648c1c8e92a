"""The location service of RFC 3261 10: which contacts an AOR has, until when, and on which flow.

An AOR is named by its user: every configured domain is the same exchange. A binding is reached on the flow
its REGISTER came from, whatever its Contact says; the Contact becomes the Request-URI. Made for 100,000 AORs
in one process: no timer for a binding, and nothing the garbage collector has to walk. Times are monotonic
seconds; on disk they are UTC milliseconds, since the monotonic clock starts anew with the machine.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from switch.registrar.wheel import Wheel
from switch.sip.flow import Flow

# An expired binding is passed over at once, but forgotten (and reported) only up to this much later.
EXPIRY_SLOT_S = 2.0
# AORs looked at in one expire() call, about 2 ms of work: after an outage many come due together.
EXPIRY_BATCH = 500


class RegistrarLimits(msgspec.Struct, frozen=True):
    """What REGISTER may ask for: a phone that names no expiry gets the default, who asks for more the
    maximum. Each is granted up to `expires_jitter_percent` less than that, but never less than the minimum."""

    min_expires_s: int = 60
    max_expires_s: int = 3600
    default_expires_s: int = 3600
    expires_jitter_percent: int = 10
    bindings_per_aor_max: int = 10


class Binding(msgspec.Struct, gc=False, eq=False):
    """One contact of one AOR. Only Bindings and PingSchedule change it.

    `contact` is the URI as registered, without <>. `q` is None where the phone named none. `instance` is its
    +sip.instance, and `reg_id` (0 for none) tells the flows of one instance apart (RFC 5626). `path` holds the
    name-addrs that requests to it carry as their Route (RFC 3327). `is_behind_nat`: the Contact is not where it
    sent from.
    """

    user: str
    contact: str
    flow: Flow
    q: float | None
    expires_at: float
    call_id: str
    cseq: int
    user_agent: str
    instance: str
    registered_at: float
    refreshed_at: float
    is_behind_nat: bool
    reg_id: int = 0
    path: tuple[str, ...] = ()
    is_dead: bool = False
    ping_failures: int = 0
    is_watched: bool = False
    # Told as lost, silent or replaced (changes.py): when it is heard again, that is told, too.
    is_missed: bool = False
    # An OPTIONS or INVITE came to something: its silence means something, too.
    has_answered: bool = False

    @property
    def is_callable(self) -> bool:
        """Other schemes (mailto, tel) may be registered and are listed, but no call can be sent there."""
        return self.contact[:4].lower() == "sip:" or self.contact[:5].lower() == "sips:"


class Gone(NamedTuple):
    """A binding that is no longer reachable, by an event's word: "expired", "lost" or "removed"."""

    event: str
    binding: Binding


class _Aor(msgspec.Struct, gc=False, eq=False):
    bindings: tuple[Binding, ...]
    due_slot: int


class Bindings:
    """Every AOR's bindings. Each change keeps the index by flow and the expiry wheel right."""

    __slots__ = ("_aors", "_by_flow", "_count", "_wheel", "gone", "limits")

    def __init__(self, limits: RegistrarLimits) -> None:
        self.limits = limits
        self._aors: dict[str, _Aor] = {}
        # Nearly every flow has one binding. That of a border controller or a load generator has thousands.
        self._by_flow: dict[Flow, Binding | dict[Binding, None]] = {}
        self._wheel: Wheel[str] = Wheel(EXPIRY_SLOT_S)
        self._count = 0
        # What was lost without a request of its phone, in order, for its history; taken once a second.
        self.gone: list[Gone] = []

    @property
    def count(self) -> int:
        return self._count

    @property
    def aors_count(self) -> int:
        return len(self._aors)

    @property
    def flows_count(self) -> int:
        return len(self._by_flow)

    def __iter__(self) -> Iterator[Binding]:
        """Every binding, the expired ones not yet forgotten included."""
        for aor in self._aors.values():
            yield from aor.bindings

    def of(self, user: str, now: float) -> list[Binding]:
        """The AOR's bindings in the order they were first registered."""
        aor = self._aors.get(user)
        return [] if aor is None else [binding for binding in aor.bindings if binding.expires_at > now]

    def contacts_for(self, user: str, now: float, instance: str | None = None) -> list[Binding]:
        """Where a call for this user goes, best first: by q (1 if none was given), then the latest refreshed.

        Only those of one instance where that is named. Dead phones are passed over while another one is alive; when
        all are dead they are tried all the same.
        """
        live = [binding for binding in self.of(user, now) if binding.is_callable]
        if instance is not None:
            live = [binding for binding in live if binding.instance == instance]
        chosen = [binding for binding in live if not binding.is_dead] or live
        if len(chosen) > 1:
            chosen.sort(key=_preference, reverse=True)
        return chosen

    def user_at(self, flow: Flow, claimed: str, now: float) -> str | None:
        """Who calls 999 from this flow without a password: `claimed` if bound here, or who else is."""
        if any(binding.flow == flow for binding in self.of(claimed, now)):
            return claimed
        return next((binding.user for binding in self._at(flow) if binding.expires_at > now), None)

    def is_live(self, flow: Flow, now: float, user: str = "") -> bool:
        """Whether somebody is registered on this flow; with a `user`, whether that line is."""
        if user:
            return any(binding.flow == flow for binding in self.of(user, now))
        return any(binding.expires_at > now for binding in self._at(flow))

    def add(self, binding: Binding) -> None:
        aor = self._aors.get(binding.user)
        if aor is None:
            aor = self._aors[binding.user] = _Aor((binding,), 0)
        else:
            aor.bindings += (binding,)
        self._count += 1
        self._index(binding)
        self._schedule(binding.user, aor)

    def remove(self, binding: Binding) -> None:
        aor = self._aors[binding.user]
        aor.bindings = tuple(other for other in aor.bindings if other is not binding)
        if not aor.bindings:
            del self._aors[binding.user]
        self._count -= 1
        self._unindex(binding)
        binding.expires_at = 0.0  # whoever still holds it sees that it is over

    def refresh(self, binding: Binding, renewed: Binding) -> None:
        """Take over everything from `renewed` but the time of the first registration and what pings know."""
        if binding.flow != renewed.flow:
            self._unindex(binding)
            binding.flow = renewed.flow
            self._index(binding)
        binding.contact = renewed.contact
        binding.q = renewed.q
        binding.expires_at = renewed.expires_at
        if binding.call_id != renewed.call_id:
            binding.call_id = renewed.call_id
        binding.cseq = renewed.cseq
        binding.user_agent = renewed.user_agent
        binding.instance = renewed.instance
        binding.reg_id = renewed.reg_id
        binding.path = renewed.path
        binding.refreshed_at = renewed.refreshed_at
        binding.is_behind_nat = renewed.is_behind_nat
        binding.is_dead = False
        binding.ping_failures = 0
        self._schedule(binding.user, self._aors[binding.user])

    def restore(self, bindings: Iterable[Binding], now: float) -> list[Binding]:
        """Put back what decode_bindings (stored_bindings.py) returned, without the expired ones; the bindings taken.

        No expiry is further away than a new one could be: a wall clock that was set back must not make it
        eternal.
        """
        live = [binding for binding in bindings if binding.expires_at > now]
        for binding in live:
            binding.expires_at = min(binding.expires_at, now + self.limits.max_expires_s)
            self.add(binding)
        return live

    def remove_user(self, user: str) -> bool:
        """Forget a line that no longer exists; whether it had bindings."""
        aor = self._aors.get(user)
        for binding in aor.bindings if aor else ():
            self.remove(binding)
            self.gone.append(Gone("removed", binding))
        return aor is not None

    def flow_lost(self, flow: Flow) -> list[Binding]:
        """A connection is gone: its phones are dead until they register again. Those that were alive."""
        lost = [binding for binding in self._at(flow) if not binding.is_dead]
        for binding in lost:
            binding.is_dead = True
            self.gone.append(Gone("lost", binding))
        return lost

    def flow_failed(self, binding: Binding) -> None:
        """Who holds its connection says that it is gone (430): it is dead until it registers again."""
        binding.is_dead = True
        self.gone.append(Gone("lost", binding))

    def other_flow(self, binding: Binding, now: float) -> Flow | None:
        """The best live flow to the same instance, where the phone has several."""
        if not binding.reg_id:
            return None
        others = self.contacts_for(binding.user, now, binding.instance)
        return next((other.flow for other in others if not other.is_dead), None)

    def expire(self, now: float) -> list[str]:
        """Forget what is over; the users that lost a binding. To be called about once a second."""
        changed = []
        for user in self._wheel.take_due(now, EXPIRY_BATCH):
            aor = self._aors.get(user)
            if aor is None or aor.due_slot >= self._wheel.slot_of(now):
                continue
            over = [binding for binding in aor.bindings if binding.expires_at <= now]
            for binding in over:
                self.remove(binding)
                self.gone.append(Gone("expired", binding))
            if over:
                changed.append(user)
            if aor.bindings:
                aor.due_slot = 0
                self._schedule(user, aor)
        return changed

    def _schedule(self, user: str, aor: _Aor) -> None:
        """An AOR stands in the wheel once, at its earliest expiry, and is moved on when it comes up."""
        bindings = aor.bindings
        earliest = bindings[0].expires_at
        if len(bindings) > 1:
            earliest = min(binding.expires_at for binding in bindings)
        slot = self._wheel.slot_of(earliest)
        if aor.due_slot == 0 or slot < aor.due_slot:
            aor.due_slot = slot
            self._wheel.add(slot, user)

    def _at(self, flow: Flow) -> Iterable[Binding]:
        found = self._by_flow.get(flow, {})
        return (found,) if isinstance(found, Binding) else found

    def _index(self, binding: Binding) -> None:
        found = self._by_flow.get(binding.flow)
        if found is None:
            self._by_flow[binding.flow] = binding
        elif isinstance(found, Binding):
            self._by_flow[binding.flow] = {found: None, binding: None}
        else:
            found[binding] = None

    def _unindex(self, binding: Binding) -> None:
        found = self._by_flow[binding.flow]
        if isinstance(found, Binding) or len(found) == 1:
            del self._by_flow[binding.flow]
        else:
            del found[binding]


def _preference(binding: Binding) -> tuple[float, float]:
    return 1.0 if binding.q is None else binding.q, binding.refreshed_at
