"""Where messages are jotted down: those that were parsed, by the stack; those that leave, by the shell that sends them.

A jot is five places of a list and nothing else. What it is for is found out later, for hundreds in one go: done between
two messages of a call, the same work would cost several times as much, for the processor would forget the call over it.
"""

from collections.abc import Callable
from typing import Final

from switch.sip.errors import SipParseError
from switch.sip.flow import Flow
from switch.sip.message import Request, Response

# Places of a jot: what (of these, or a request's method), `now`, and three that what it is says.
JOT_STRIDE: Final = 5
SENT: Final = 0  # None, flow, octets
ANSWERED: Final = 1  # a response that came: SIP Call-ID, flow, octets
BEGUN: Final = 2  # call id, SIP Call-ID, payer
LEG_ADDED: Final = 3  # call id, SIP Call-ID, index of the leg
ENDED: Final = 4  # call id, its rows, None
MEASURED: Final = 5  # call id, what the relay counted, None
# 25 plain calls; entered in a third of a millisecond.
JOTS_MAX: Final = 512


class Tap:
    """`on_full` is asked to enter what has been jotted down, and takes `jots` away."""

    __slots__ = ("jots", "on_full")

    def __init__(self, on_full: Callable[[], None]) -> None:
        self.jots: list[object] = []
        self.on_full = on_full

    def received(self, message: Request | Response, data: bytes, flow: Flow, now: float) -> None:
        """A message as it came and as it was read."""
        try:
            call_id = message.call_id
        except SipParseError:
            return
        self.jot(message.method if isinstance(message, Request) else ANSWERED, now, call_id, flow, data)
        if len(self.jots) >= JOTS_MAX * JOT_STRIDE:
            self.on_full()

    def sent(self, messages: list[tuple[Flow, bytes]], now: float) -> None:
        """The messages of one turn, in order, as they are given to the sockets."""
        for flow, data in messages:
            self.jot(SENT, now, None, flow, data)
        if len(self.jots) >= JOTS_MAX * JOT_STRIDE:
            self.on_full()

    def jot(self, what: object, now: float, one: object, other: object, third: object) -> None:
        jots = self.jots
        jots.append(what)
        jots.append(now)
        jots.append(one)
        jots.append(other)
        jots.append(third)
