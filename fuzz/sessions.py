"""The whole exchange under mutated messages: `Exchange.receive` and everything behind it, without a socket.

`call` lets real phones (our own stack with a will) register, call and hang up while their datagrams are mangled on the
way, so that the mutations meet dialogs, transactions and money in every state. `datagrams` sends sequences of raw ones
from a stranger, a carrier, a registered phone and a connection. In the end every call is ended; then nothing may be
left.
"""

import logging
from collections.abc import Callable
from contextlib import suppress

import structlog

from fuzz.mutations import Pick, from_octets, mangle
from provisioning.model import DigestPolicy
from switch.sip.errors import SipParseError
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.sip.parser import parse_message
from switch.sip.timers import TimerQueue
from switch.sip.validate import door_refusal
from tests.clock import HandClock
from tests.link import Address, Link
from tests.switch.house import ANSWER, EXCHANGE, OFFER, House, make_conf, make_line, make_trunk

CARRIER: Address = ("198.51.100.7", 5060)
PHONE_1: Address = ("192.0.2.11", 5060)
PHONE_2: Address = ("192.0.2.12", 5060)
STRANGER: Address = ("203.0.113.66", 5060)
# An answer to a stranger is at most so much larger than the request: more would make us an amplifier.
ANSWER_GROWTH_MAX = 400
# Between two datagrams of an input. Three octets that no mutation makes by itself.
SEPARATOR = b"\xfe\x00\xfe"
DATAGRAMS_MAX = 24

_conf = make_conf(trunks=[make_trunk("one", CARRIER[0])])
# Both digest policies: the longer challenge is the larger answer to a stranger.
_LINES = [make_line("1001"), make_line("1002", digest=DigestPolicy.BOTH)]
_NUMBERS = {"+441632960001": "1001", "+441632960002": "1002"}


def log_only_bugs() -> None:
    """Warnings about mutated messages would fill the screen."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


class Bug(AssertionError):  # noqa: N818 - it is what it is
    """The exchange met something that it has no answer for."""


class _Patient:
    """A phone's end of the link. The phone is a test's and not what is tried here: what trips it is let go."""

    def __init__(self, end: object) -> None:
        self._end = end

    @property
    def outgoing(self) -> list[tuple[Flow, bytes]]:
        return self._end.outgoing  # type: ignore[attr-defined, no-any-return]

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        try:
            self._end.receive(data, flow, now)  # type: ignore[attr-defined]
        except Bug:
            raise
        except Exception:  # noqa: BLE001 - see above
            return


class _PatientTimers:
    def __init__(self, timers: TimerQueue) -> None:
        self._timers = timers

    def next_deadline(self) -> float | None:
        return self._timers.next_deadline()

    def run(self, now: float) -> None:
        with suppress(Exception):  # as above
            self._timers.run(now)


class ManglingLink(Link):
    """Datagrams to the exchange are changed on the way as `pick` says; those from it are judged."""

    def __init__(self, clock: HandClock, pick: Pick) -> None:
        super().__init__(clock)
        self._pick = pick
        self.is_mangling = False
        self.mangled = 0
        self.messages = 0

    def attach(self, end: object, timers: TimerQueue, address: Address) -> None:
        if address == EXCHANGE:
            super().attach(end, timers, address)  # type: ignore[arg-type]
        else:
            super().attach(_Patient(end), _PatientTimers(timers), address)  # type: ignore[arg-type]

    def _put(self, flow: Flow, data: bytes) -> None:
        if (flow.remote_host, flow.remote_port) != EXCHANGE:
            check_sent(data)
        else:
            self.messages += 1
            if self.is_mangling and not self._pick(3):
                data = mangle(data, self._pick)
                self.mangled += 1
                if not self._pick(8):
                    flow = Flow("UDP", *EXCHANGE, *(CARRIER, PHONE_1, PHONE_2, STRANGER)[self._pick(4)])
        super()._put(flow, data)


# Requests of which we write every field, when they are the first of their dialog: later the target is the peer's own
# Contact, and To what the peer's answer had there, be it without a tag.
_OUR_OWN = frozenset({"INVITE", "CANCEL", "OPTIONS"})


def check_sent(data: bytes) -> None:
    """What the exchange sends is SIP, and its own requests would pass its own door."""
    try:
        message = parse_message(data)
    except SipParseError as error:
        raise Bug(f"the exchange sent {data!r}: {error}") from error
    if isinstance(message, Request) and message.method in _OUR_OWN and _is_first(message):
        refusal = door_refusal(message)
        if refusal is not None and refusal.status != 483:  # the last hop of an INVITE may be a phone
            raise Bug(f"the exchange sent {data!r}: {refusal}")


def _is_first(request: Request) -> bool:
    cseq = request.headers.get("cseq")
    return cseq is None or cseq.startswith("1 ")


def _make_house(link: Link, state: dict[str, bytes] | None = None) -> House:
    return House(conf=_conf, lines=_LINES, numbers=_NUMBERS, link=link, state=state)


def _check_rest(house: House) -> None:
    """End every call and wait: nothing may be left, and no bug may have been counted."""
    house.exchange.drain(house.clock.now)
    house.run(1)
    # Timers B, F and H are 32 s, an INVITE that was cancelled waits as long again; then nothing repeats any more.
    for _ in range(3):
        house.exchange.on_second(house.clock.now)  # may ping a phone that seems to be behind NAT
        house.link.run(40)
    exchange = house.exchange
    if exchange.counts.bugs:
        raise Bug(f"{exchange.counts.bugs} bugs were counted")
    left = {
        "calls": len(exchange.board.calls),
        "legs": len(exchange.board.legs),
        "reservations": exchange.engine.reservations_count,
        "transactions": exchange.stack.transactions_count,
        "lines busy": len(+exchange.board.of_line),
        "trunks busy": len(+exchange.board.of_trunk),
    }
    if any(left.values()):
        raise Bug(f"left when all was over: {left}")


# Calls


def call(data: bytes) -> int:
    """Octets choose who calls whom, what becomes of it, and which datagrams are mangled, and how."""
    pick = from_octets(data)
    scenario, answer_after, status, when = pick(8), pick(4), pick(8), pick(16)
    link = ManglingLink(HandClock(), pick)
    house = _make_house(link, _registered())
    one, two, carrier = (
        house.phone("1001", PHONE_1[0]),
        house.phone("1002", PHONE_2[0]),
        house.phone("carrier", CARRIER[0]),
    )
    for phone in (one, two, carrier):
        phone.answer_after_s = (0.0, 0.5, 2.0, None)[answer_after]
        phone.answer = (200, 200, 200, 200, 486, 503, 302, 603)[status]
        phone.reinvite_status = 200 if status % 2 else 488
    link.is_mangling = True
    caller, callee = ((one, two), (one, carrier), (carrier, one), (two, one))[scenario % 4]
    if scenario >= 6:
        one.register()
    dialled = (
        "+441632960123"
        if callee is carrier
        else {"1001": "+441632960001", "1002": "+441632960002"}[callee.user]
    )
    try:
        caller.invite(dialled, body=OFFER if scenario < 5 else b"")
        house.run((0.2, 1.0, 2.5, 4.0)[when & 3])
        _in_the_middle(caller, callee, when >> 2)
        house.run(1.0)
        for phone in (callee, caller):
            if phone.dialogs:
                phone.hang_up()
        house.run(1.0)
    except (SipParseError, IndexError, ValueError):
        pass  # a phone of the bench that has no dialog, or one with mangled values
    link.is_mangling = False
    _check_rest(house)
    return link.mangled


def _in_the_middle(caller: object, callee: object, what: int) -> None:
    phone = caller if what & 1 else callee
    if phone.dialogs:  # type: ignore[attr-defined]
        method = "INVITE" if what & 2 else "INFO"
        phone.send_in_dialog(method, ANSWER)  # type: ignore[attr-defined]
    elif what & 2 and caller.invites:  # type: ignore[attr-defined]
        caller.stack.cancel(caller.invites[-1], caller.house.clock.now)  # type: ignore[attr-defined]


_kept: list[dict[str, bytes]] = []


def _registered() -> dict[str, bytes]:
    """What the journal keeps of two registered phones, made once."""
    if not _kept:
        house = _make_house(Link(HandClock()))
        house.phone("1001", PHONE_1[0]).register()
        house.phone("1002", PHONE_2[0]).register()
        assert house.exchange.bindings.count == 2
        _kept.append(dict(house.journal.state))
    return _kept[0]


# Raw datagrams

_FLOWS: tuple[Flow, ...] = (
    Flow("UDP", *STRANGER, *EXCHANGE),
    Flow("UDP", *CARRIER, *EXCHANGE),
    Flow("UDP", *PHONE_1, *EXCHANGE),
    Flow("TCP", *STRANGER, *EXCHANGE, "7"),
)


def datagrams(data: bytes) -> int:
    """A sequence: before each datagram an octet that says who sends it and how long it took to come."""
    link = ManglingLink(HandClock(), _no_pick)
    house = _make_house(link, _registered())
    count = 0
    for piece in data.split(SEPARATOR)[:DATAGRAMS_MAX]:
        flow = _FLOWS[piece[0] & 3 if piece else 0]
        _receive(house, piece[1:], flow)
        if piece and piece[0] & 0x30:
            house.run((0.0, 0.3, 5.0, 33.0)[piece[0] >> 4 & 3])
        count += 1
    _check_rest(house)
    return count


def _no_pick(_: int) -> int:
    return 0


def _receive(house: House, data: bytes, flow: Flow) -> None:
    exchange = house.exchange
    house.link.run(0)
    exchange.receive(data, flow, house.clock.now)
    if exchange.counts.bugs:
        raise Bug("an exception reached the border")
    sent = list(exchange.outgoing)
    try:
        message = parse_message(data)
    except SipParseError as error:
        message = error.request
    if message is None or isinstance(message, Response):
        answers = [out for _, out in sent if out.startswith(b"SIP/")]
        if answers:
            raise Bug(f"answered, though it is no request: {answers}")
    if flow.remote_host == STRANGER[0]:
        if len(sent) > 1:
            raise Bug(f"a stranger's datagram made us send {len(sent)}")
        for _, out in sent:
            if len(out) > len(data) + ANSWER_GROWTH_MAX:
                raise Bug(f"{len(data)} octets of a stranger were answered by {len(out)}")


def join(*pieces: tuple[int, bytes]) -> bytes:
    """The input of `datagrams` for (who and when, datagram)s: for seeds and for tests."""
    return SEPARATOR.join(bytes((who,)) + data for who, data in pieces)


SESSIONS: dict[str, Callable[[bytes], int]] = {"call": call, "datagrams": datagrams}
