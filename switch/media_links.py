"""The links to the relay and to the browsers' process, and the turns in which they are heard.

What is said to them goes out before the messages of SIP of the same turn, which name their ports. A link that is down
costs calls their relay, never themselves.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from media.browser.messages import FromBrowsers, reader_of_browsers
from media.relay.messages import FromRelay, reader_of_relay
from switch.exchange import Exchange
from switch.transport.part_link import PartLink

# A call that begins before the relay has given ports is without it to its end. A relay that is there gives them at
# once, and phones do not wait longer than this for one that is not.
PORTS_WAIT_S = 1.0

Heard = TypeVar("Heard")
Turn = Callable[[Callable[[float], object]], None]

log = structlog.get_logger("switch")


class MediaLinks:
    """`turn` does one thing to the exchange, and everything that it causes."""

    def __init__(
        self, exchange: Exchange, turn: Turn, *, relay_socket: Path | None, browser_socket: Path | None
    ) -> None:
        self._exchange = exchange
        self._turn = turn
        self._relay_has_ports = asyncio.Event()
        self._relay: PartLink[FromRelay] | None = None
        self._browsers: PartLink[FromBrowsers] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        relay = exchange.relay
        if relay is None or relay_socket is None:
            return
        self._relay = PartLink(
            relay_socket, "relay", reader_of_relay, received=self._hear_relay, lost=relay.lost
        )
        if relay.gates is not None and browser_socket is not None:
            self._browsers = PartLink(
                browser_socket,
                "browsers",
                reader_of_browsers,
                received=self._hear_browsers,
                lost=relay.gates.lost,
            )

    @property
    def reconnects(self) -> dict[str, int]:
        links = (self._relay, self._browsers)
        return {link.name: link.reconnects for link in links if link is not None}

    async def start(self) -> None:
        """Returns when the relay has given ports, or when that takes too long. Nobody waits for the browsers' process:
        telephones do not need it."""
        loop = asyncio.get_running_loop()
        if self._relay is not None:
            self._tasks.append(loop.create_task(self._relay.run(), name="relay link"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._relay_has_ports.wait(), PORTS_WAIT_S)
        if self._browsers is not None:
            self._tasks.append(loop.create_task(self._browsers.run(), name="browser link"))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tell(self) -> None:
        """What the turn has to say."""
        relay = self._exchange.relay
        if relay is None:
            return
        if relay.outgoing and self._relay is not None:
            self._relay.send(relay.outgoing)
            relay.outgoing.clear()
        gates = relay.gates
        if gates is not None and gates.outgoing and self._browsers is not None:
            self._browsers.send(gates.outgoing)
            gates.outgoing.clear()

    def _hear_relay(self, messages: list[FromRelay]) -> None:
        self._hear(messages, self._exchange.hear_relay)
        relay = self._exchange.relay
        if relay is not None and relay.ports_granted:
            self._relay_has_ports.set()

    def _hear_browsers(self, messages: list[FromBrowsers]) -> None:
        self._hear(messages, self._exchange.hear_browsers)

    def _hear(self, messages: list[Heard], hear_one: Callable[[Heard, float], None]) -> None:
        """One turn for what came together; a bug in what one message sets off ends there."""

        def hear(now: float) -> None:
            for message in messages:
                try:
                    hear_one(message, now)
                except Exception:  # the border
                    self._exchange.counts.bugs += 1
                    log.exception("bug", event_kind=type(message).__name__)

        self._turn(hear)
