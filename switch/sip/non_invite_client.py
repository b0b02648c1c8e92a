"""The non-INVITE client transaction: RFC 3261 17.1.2.

Timer E repeats the request, F gives up, K absorbs repeated responses. RFC 4320 changes nothing here: a
request that times out is reported to the user and nobody is sent a 408.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from switch.sip.flow import Flow
from switch.sip.layer import TransactionLayer
from switch.sip.matching import ClientKey
from switch.sip.message import Request, Response, format_message
from switch.sip.timers import T2_S, TIMER_E_S, TIMER_F_S, TIMER_K_S, Timer
from switch.sip.user import NO_USER, ClientUser


class State(IntEnum):
    TRYING = 1
    PROCEEDING = 2
    COMPLETED = 3
    TERMINATED = 4


class Input(IntEnum):
    PROVISIONAL = 1
    FINAL = 2
    TIMER_E = 3
    TIMER_F = 4
    TIMER_K = 5
    TRANSPORT_ERROR = 6


class NonInviteClientTransaction:
    """Made by `Stack.send_request`; reports to its `user` until the final response."""

    __slots__ = (
        "_data",
        "_interval_s",
        "_layer",
        "_lifetime",
        "_repeat",
        "flow",
        "key",
        "request",
        "state",
        "user",
    )

    def __init__(
        self,
        layer: TransactionLayer,
        key: ClientKey,
        request: Request,
        flow: Flow,
        *,
        user: ClientUser,
        now: float,
        data: bytes = b"",
    ) -> None:
        self._layer = layer
        self.key = key
        self.request = request
        self.flow = flow
        self.user = user
        self.state = State.TRYING
        self._data = data or format_message(request)
        self._interval_s = TIMER_E_S
        self._repeat: Timer | None = None
        layer.clients[key] = self
        layer.outgoing.append((flow, self._data))
        if not flow.is_reliable:
            self._repeat = layer.timers.start(now, TIMER_E_S, self._on_timer_e)
        self._lifetime = layer.timers.start(now, TIMER_F_S, self._on_timer_f)

    @property
    def method(self) -> str:
        return self.key[1]

    @property
    def is_final(self) -> bool:
        """Whether a final response came, or none will come any more."""
        return self.state >= State.COMPLETED

    def is_repeat(self, response: Response) -> bool:
        """Never: each response but provisionals is handed over once."""
        return False

    def receive(self, response: Response, now: float) -> None:
        """A response that matches this transaction."""
        step = ON_RESPONSE.get((self.state, Input.PROVISIONAL if response.status < 200 else Input.FINAL))
        if step is None:
            self._layer.counts.retransmissions_in += 1
            return
        self.state, action = step
        action(self, response, now)

    def fail(self, now: float) -> None:
        """The flow broke."""
        self._expire(Input.TRANSPORT_ERROR, now)

    def _expire(self, timer: Input, now: float) -> None:
        step = ON_TIMER.get((self.state, timer))
        if step is not None:
            self.state, action = step
            action(self, now)

    def _on_timer_e(self, now: float) -> None:
        self._expire(Input.TIMER_E, now)

    def _on_timer_f(self, now: float) -> None:
        self._expire(Input.TIMER_F, now)

    def _on_timer_k(self, now: float) -> None:
        self._expire(Input.TIMER_K, now)

    def _hand_over(self, response: Response, now: float) -> None:
        self.user.on_response(self, response, now)

    def _complete(self, response: Response, now: float) -> None:
        self._stop_timers()
        self._data = b""
        user = self.user
        if self.flow.is_reliable:  # Timer K is zero: nothing can be repeated
            self._end()
        else:
            self._lifetime = self._layer.timers.start(now, TIMER_K_S, self._on_timer_k)
        user.on_response(self, response, now)
        self.user = NO_USER  # it hears no more: what only waits for repeats keeps no call

    def _send_again(self, now: float) -> None:
        self._layer.repeat(self.flow, self._data)
        self._interval_s = min(2 * self._interval_s, T2_S)
        self._repeat = self._layer.timers.start(now, self._interval_s, self._on_timer_e)

    def _send_again_slowly(self, now: float) -> None:
        self._interval_s = T2_S
        self._send_again(now)

    def _time_out(self, now: float) -> None:
        user = self.user
        self._end()
        user.on_timeout(self, now)

    def _break(self, now: float) -> None:
        user = self.user
        self._end()
        user.on_transport_error(self, now)

    def _finish(self, now: float) -> None:
        self._end()

    def _end(self) -> None:
        self.state = State.TERMINATED
        self._stop_timers()
        self._data = b""
        self.user = NO_USER  # else a user that keeps its transaction would be a cycle
        del self._layer.clients[self.key]

    def _stop_timers(self) -> None:
        self._lifetime.cancel()
        if self._repeat is not None:
            self._repeat.cancel()


_Transaction = NonInviteClientTransaction

_ResponseStep = tuple[State, Callable[[_Transaction, Response, float], None]]
_TimerStep = tuple[State, Callable[[_Transaction, float], None]]

# What is not in the tables is ignored: repeated and late responses in Completed, a broken flow when the
# answer is in.
ON_RESPONSE: Final[dict[tuple[State, Input], _ResponseStep]] = {
    (State.TRYING, Input.PROVISIONAL): (State.PROCEEDING, _Transaction._hand_over),
    (State.TRYING, Input.FINAL): (State.COMPLETED, _Transaction._complete),
    (State.PROCEEDING, Input.PROVISIONAL): (State.PROCEEDING, _Transaction._hand_over),
    (State.PROCEEDING, Input.FINAL): (State.COMPLETED, _Transaction._complete),
}
ON_TIMER: Final[dict[tuple[State, Input], _TimerStep]] = {
    (State.TRYING, Input.TIMER_E): (State.TRYING, _Transaction._send_again),
    (State.TRYING, Input.TIMER_F): (State.TERMINATED, _Transaction._time_out),
    (State.TRYING, Input.TRANSPORT_ERROR): (State.TERMINATED, _Transaction._break),
    (State.PROCEEDING, Input.TIMER_E): (State.PROCEEDING, _Transaction._send_again_slowly),
    (State.PROCEEDING, Input.TIMER_F): (State.TERMINATED, _Transaction._time_out),
    (State.PROCEEDING, Input.TRANSPORT_ERROR): (State.TERMINATED, _Transaction._break),
    (State.COMPLETED, Input.TIMER_K): (State.TERMINATED, _Transaction._finish),
}
