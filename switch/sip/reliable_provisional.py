"""A reliable provisional response on its way: repeated by the UAS core until its PRACK (RFC 3262 3).

Repeated over every transport, like a 2xx, since a proxy on the way may have changed to UDP; the interval doubles
without T2's ceiling. The PRACK is a request of its own and finds the response by its RAck, which is the TU's affair.
"""

from collections.abc import Callable

from switch.sip.flow import Flow
from switch.sip.layer import TransactionLayer
from switch.sip.timers import T1_S, TIMER_H_S


class ReliableProvisional:
    """Lives from the response to its PRACK, to the final response, or to 64*T1, when `on_missing` is told."""

    __slots__ = ("_data", "_flow", "_interval_s", "_layer", "_lifetime", "_on_missing", "_repeat")

    def __init__(
        self,
        layer: TransactionLayer,
        data: bytes,
        flow: Flow,
        now: float,
        on_missing: Callable[[float], None],
    ) -> None:
        self._layer = layer
        self._data = data
        self._flow = flow
        self._on_missing = on_missing
        self._interval_s = T1_S
        self._repeat = layer.timers.start(now, T1_S, self._send_again)
        self._lifetime = layer.timers.start(now, TIMER_H_S, self._expire)

    def stop(self) -> None:
        """No more repeats: acknowledged, or overtaken by the final response."""
        self._repeat.cancel()
        self._lifetime.cancel()

    def _send_again(self, now: float) -> None:
        self._layer.repeat(self._flow, self._data)
        self._interval_s *= 2
        self._repeat = self._layer.timers.start(now, self._interval_s, self._send_again)

    def _expire(self, now: float) -> None:
        self._repeat.cancel()
        self._on_missing(now)
