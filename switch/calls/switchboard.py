"""The live calls and what they work with: one owner for every table that calls share.

A call and its legs reach the stack, the rating engine, the journal and each other's counts only through here. Nothing
in it touches a socket or reads a clock: `now` is the monotonic second that a datagram or a timer brought, and UTC is
`now` plus an offset that the process keeps up to date.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from rating.engine import Engine
from rating.records import OutboxRecord
from switch.books import Books
from switch.calls.call_rates import CallRates
from switch.calls.emergency_callbacks import EmergencyCallbacks
from switch.calls.last_calls import LastCalls
from switch.calls.line_calls import LineCalls
from switch.calls.parked import ParkedCalls
from switch.calls.safety import Safety
from switch.config import Conf
from switch.journey.queues import Queues
from switch.journey.turns import Turns
from switch.registrar.bindings import Binding, Bindings
from switch.registrar.gruu import Gruus
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.stack import Stack
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.counts import CallCounts
    from switch.calls.leg import Leg
    from switch.calls.queue_desk import QueueDesk
    from switch.calls.service_desk import ServiceDesk
    from switch.calls.voicemail import VoicemailServer
    from switch.relay.relay import Relay
    from switch.tracing.tracer import Tracer
    from switch.trunks.trunks import Trunks

Put = tuple[str, bytes | None]
_encode: Final = msgspec.msgpack.Encoder().encode

ALLOW: Final = "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS, REGISTER, SUBSCRIBE, PUBLISH, MESSAGE"
USER_AGENT: Final = "Offhook"


class Journal(Protocol):
    """The durable log, as calls see it. `append` never waits; durability comes back as an event."""

    @property
    def is_failed(self) -> bool:
        """True from a failed commit until one succeeds: no billable call meanwhile."""

    def append(self, puts: list[Put], outbox: list[bytes], *, is_urgent: bool) -> int:
        """Queue one atomic record and return its sequence number."""

    def answer_lost(self) -> None:
        """An answer could not be made durable in time: failed until a commit succeeds."""


class AwaitsJournal(Protocol):
    """Who has something to do when a record is durable."""

    def on_durable(self, now: float) -> None: ...


class Failpoints(Protocol):
    """Named points of a call where a test may kill the process."""

    def reached(self, name: str) -> None: ...


class WallClock:
    """UTC milliseconds for a monotonic second. The process sets the offset once a second."""

    __slots__ = ("offset_s",)

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s

    def ms(self, now: float) -> int:
        return int((now + self.offset_s) * 1000)


class Switchboard:
    """Collaborators and live tables. One per process; only the exchange and its calls write here."""

    __slots__ = (
        "_awaiting",
        "binding_failed",
        "bindings",
        "books",
        "call_counts",
        "call_rates",
        "callbacks",
        "calls",
        "clock",
        "conf",
        "contact_of",
        "counts",
        "domain",
        "engine",
        "failpoints",
        "flow_to",
        "gruus",
        "is_draining",
        "is_here",
        "journal",
        "last_calls",
        "legs",
        "line_calls",
        "media_host",
        "of_account",
        "of_line",
        "of_trunk",
        "parked",
        "queue_desk",
        "queues",
        "relay",
        "safety",
        "services",
        "sign",
        "stack",
        "timers",
        "tokens",
        "tracer",
        "trunks",
        "turns",
        "voicemail",
    )

    def __init__(
        self,
        *,
        conf: Conf,
        books: Books,
        bindings: Bindings,
        engine: Engine,
        journal: Journal,
        stack: Stack,
        timers: TimerQueue,
        tokens: Tokens,
        clock: WallClock,
        counts: "CallCounts",
        failpoints: Failpoints,
        domain: str,
        is_here: Callable[[str], bool],
        contact_of: Callable[[Flow], str],
        flow_to: Callable[[str, str, int], Flow],
        sign: Callable[[str], str],
        binding_failed: Callable[[Binding, float], None],
        gruus: Gruus,
        trunks: "Trunks",
        relay: "Relay | None",
        media_host: Callable[[str, Flow], str],
        voicemail: "VoicemailServer",
    ) -> None:
        self.conf = conf
        self.books = books
        self.bindings = bindings
        self.engine = engine
        self.journal = journal
        self.stack = stack
        self.timers = timers
        self.tokens = tokens
        self.clock = clock
        self.counts = counts
        self.failpoints = failpoints
        self.domain = domain
        self.is_here = is_here
        self.contact_of = contact_of
        self.flow_to = flow_to
        self.sign = sign
        self.binding_failed = binding_failed
        self.gruus = gruus
        self.trunks = trunks
        self.relay = relay
        self.media_host = media_host
        self.voicemail = voicemail
        self.parked = ParkedCalls()
        self.queue_desk: QueueDesk  # the exchange's next step, too
        self.services: ServiceDesk  # the exchange's next step: it works with this board
        self.tracer: Tracer | None = None  # keeps the messages of calls, where it is on
        self.is_draining = False
        self.calls: dict[str, Call] = {}
        self.legs: dict[tuple[str, str], Leg] = {}
        self.of_line: Counter[str] = Counter()
        self.of_account: Counter[int] = Counter()
        self.of_trunk: Counter[str] = Counter()
        self.call_rates = CallRates()
        self.safety = Safety(self)
        self.line_calls = LineCalls(timers)
        self.callbacks = EmergencyCallbacks()
        self.last_calls = LastCalls()
        self.queues = Queues()
        self.turns = Turns()
        self._awaiting: deque[tuple[int, AwaitsJournal]] = deque()

    def leg_of(self, request: Request) -> "Leg | None":
        """The leg whose dialog an in-dialog request belongs to: all three of its ids must match (12.2.2)."""
        leg = self.legs.get((request.call_id, request.to_tag or ""))
        if leg is None:
            return None
        remote_tag = request.from_tag or ""
        dialog = leg.dialog
        is_ours = leg.has_early_dialog(remote_tag) if dialog is None else dialog.remote_tag == remote_tag
        return leg if is_ours else None

    def new_leg_call_id(self) -> str:
        """A Call-ID that a later process can recognise as ours: random, then a keyed check of it."""
        token = self.tokens.call_id()
        return f"{token}-{self.sign(token)}"

    def is_our_call_id(self, call_id: str) -> bool:
        token, _, check = call_id.rpartition("-")
        return bool(token) and check == self.sign(token)

    def record(self, puts: list[Put], outbox: Iterable[OutboxRecord] = (), *, is_urgent: bool = False) -> int:
        """Journal state and outbox records as one atomic step."""
        return self.journal.append(puts, [_encode(record) for record in outbox], is_urgent=is_urgent)

    def await_durable(self, seq: int, call: AwaitsJournal) -> None:
        """The call (or who else it is) hears `on_durable` when the journal has `seq`. Sequence numbers only grow, so
        a queue will do."""
        self._awaiting.append((seq, call))

    def on_durable(self, seq: int, now: float) -> None:
        awaiting = self._awaiting
        while awaiting and awaiting[0][0] <= seq:
            awaiting.popleft()[1].on_durable(now)
