"""Turns of the switch: one thing that happened and everything that it caused.

What happens is a batch of datagrams, a timer, an acknowledgement of the journal, an operator's command. At the end of
its turn the journal is flushed first, and only then are the messages sent: so nothing is on the wire that a process
started again would not know of.
"""

import asyncio
import time
from collections.abc import Callable

from provisioning.books.link import BooksLink
from provisioning.books.messages import ChangeDone, ChangeResult
from rating.journal.link import JournalLink
from switch.exchange import Exchange
from switch.media_links import MediaLinks
from switch.sip.flow import UDP, Flow
from switch.sip.host import is_same_family
from switch.transport.alarm import Alarm
from switch.transport.edge_link import EdgeLink
from switch.transport.udp import GATHER_S, UdpListener

# A little more than a busy socket waits: under load the turn of the next datagrams finds the timers due, and no timer
# needs a wake-up of its own. SIP's shortest is 200 ms.
TIMER_SLACK_S = GATHER_S + 0.002


class Turns:
    """`begin` before the first of them. `edge` is the way to streams, None where there is no edge."""

    __slots__ = ("_alarm", "_books", "_exchange", "_journal", "_listener_of", "_media", "edge", "udp_listeners")

    def __init__(self, journal: JournalLink, books: BooksLink) -> None:
        self._journal = journal
        self._books = books
        self._exchange: Exchange
        self._media: MediaLinks
        self.edge: EdgeLink | None = None
        self.udp_listeners: list[UdpListener] = []
        self._listener_of: dict[tuple[str, int], UdpListener] = {}
        self._alarm = Alarm(self._run_timers, now=time.monotonic, slack_s=TIMER_SLACK_S)

    def listen(self, host: str, port: int) -> None:
        """By UDP. Raises OSError when the address cannot be bound."""
        listener = UdpListener(host, port, received=self._received, turn_over=self._finish_batch)
        self.udp_listeners.append(listener)
        self._listener_of[(listener.host, listener.port)] = listener

    def begin(self, exchange: Exchange, media: MediaLinks) -> None:
        self._exchange = exchange
        self._media = media

    def stop(self) -> None:
        self._alarm.cancel()

    def take(self, step: Callable[[float], object]) -> None:
        """Do one thing to the exchange, and everything it causes."""
        try:
            step(time.monotonic())
        finally:
            self.finish()

    def finish(self) -> None:
        """Journal first, then the wire, then the timer for what comes next."""
        self._ask_books()
        self._journal.flush()
        self._media.tell()
        self._send()
        self._alarm.set(self._exchange.timers.next_deadline())

    # What happens

    def _received(self, data: bytes, flow: Flow) -> None:
        self._exchange.receive(data, flow, time.monotonic())

    def _finish_batch(self) -> None:
        """The turn of a batch of datagrams takes the timers along that have become due."""
        now = time.monotonic()
        deadline = self._exchange.timers.next_deadline()
        if deadline is not None and deadline <= now:
            self._exchange.run_timers(now)
        self.finish()

    def received_by_edge(self, data: bytes, flow: Flow) -> None:
        self.take(lambda now: self._exchange.receive(data, flow, now))

    def flow_lost(self, flow: Flow) -> None:
        self.take(lambda now: self._exchange.on_flow_lost(flow, now))

    def _run_timers(self) -> None:
        more = self._exchange.run_timers(time.monotonic())
        self.finish()
        if more:
            asyncio.get_running_loop().call_soon(self._run_timers)

    # What it causes

    def _ask_books(self) -> None:
        """What customers have dialled. What nobody can be asked for is answered in this turn."""
        services = self._exchange.services
        if not services.asked:
            return
        asked = services.asked.copy()
        services.asked.clear()
        for change in asked:
            if not self._books.ask(change):
                services.hear(ChangeDone(change.id, ChangeResult.AWAY, "no books process"), time.monotonic())

    def _send(self) -> None:
        outgoing = self._exchange.outgoing
        if not outgoing:
            return
        messages = outgoing.copy()
        outgoing.clear()
        now = time.monotonic()
        for flow, data in messages:
            if flow.transport != UDP:
                if self.edge is not None:
                    self.edge.send(flow, data)
                continue
            listener = self._listener_of.get((flow.local_host, flow.local_port)) or self._listener_like(flow)
            is_sent = listener is not None and listener.send(data, flow.remote_host, flow.remote_port)
            if not is_sent and not data.startswith(b"SIP/2.0 "):
                asyncio.get_running_loop().call_soon(self.flow_lost, flow)
        if self._exchange.board.tracer is not None:  # last: what goes wrong in there costs a trace, and no message
            self._exchange.tracer.tap.sent(messages, now)

    def _listener_like(self, flow: Flow) -> UdpListener | None:
        """For a flow whose own listener is no more, or never was: any that can speak to its peer."""
        for each in self.udp_listeners:
            if is_same_family(each.host, flow.remote_host):
                return each
        return None
