"""A 2xx to an INVITE on its way: repeated by the UAS core until the ACK (RFC 3261 13.3.1.4, RFC 6026).

The ACK of a 2xx is a transaction of its own and finds the 2xx by its dialog, so this is not a part of the
INVITE server transaction, which meanwhile stands in Accepted. The 2xx is repeated over every transport, since
a proxy on the way may have changed to UDP.
"""

from switch.sip.flow import Flow
from switch.sip.layer import TransactionLayer
from switch.sip.matching import AckKey
from switch.sip.timers import T1_S, T2_S


class AcceptedResponse:
    """Lives from the 2xx to Timer L; knows afterwards whether the ACK came."""

    __slots__ = ("_data", "_flow", "_interval_s", "_key", "_layer", "_timer", "is_acknowledged")

    def __init__(self, layer: TransactionLayer, key: AckKey, data: bytes, flow: Flow, now: float) -> None:
        self._layer = layer
        self._key = key
        self._data = data
        self._flow = flow
        self._interval_s = T1_S
        self._timer = layer.timers.start(now, T1_S, self._send_again)
        self.is_acknowledged = False
        layer.awaiting_ack[key] = self

    def acknowledge(self) -> bool:
        """An ACK of its dialog; False when it is a repeat."""
        if self.is_acknowledged:
            return False
        self.is_acknowledged = True
        self.stop()
        return True

    def stop(self) -> None:
        """No more repeats."""
        self._timer.cancel()
        self._data = b""

    def end(self) -> None:
        """Timer L: an ACK from here on is a stranger's."""
        self.stop()
        if self._layer.awaiting_ack.get(self._key) is self:
            del self._layer.awaiting_ack[self._key]

    def _send_again(self, now: float) -> None:
        self._layer.repeat(self._flow, self._data)
        self._interval_s = min(2 * self._interval_s, T2_S)
        self._timer = self._layer.timers.start(now, self._interval_s, self._send_again)
