"""The INVITE client transaction: RFC 3261 17.1.1 with the Accepted state of RFC 6026, and CANCEL of 9.1.

Timers A and B repeat the INVITE until the first response, D absorbs repeated finals, M keeps the door open
for the 2xx of other forks. The ACK for a non-2xx is sent here; the ACK for a 2xx is the user's. Timer C is
the user's too: a phone may ring as long as the user likes, who ends it by `Stack.cancel`.
"""

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final

from switch.sip.ack_cancel import make_ack, make_cancel
from switch.sip.flow import Flow
from switch.sip.layer import ANSWERED, TransactionLayer
from switch.sip.matching import ClientKey
from switch.sip.message import Request, Response, format_message
from switch.sip.non_invite_client import NonInviteClientTransaction
from switch.sip.timers import TIMER_A_S, TIMER_B_S, TIMER_CANCEL_S, TIMER_D_S, TIMER_M_S, Timer
from switch.sip.user import NO_USER, ClientUser

# More forks than this answer one INVITE only when somebody attacks; the rest is dropped and counted, since
# each new To tag costs the user a dialog, an ACK and a BYE.
FORKS_MAX: Final = 16


class State(IntEnum):
    CALLING = 1
    PROCEEDING = 2
    COMPLETED = 3
    ACCEPTED = 4
    TERMINATED = 5


class Input(IntEnum):
    PROVISIONAL = 1
    SUCCESS = 2
    FAILURE = 3
    TIMER_A = 4
    TIMER_B = 5
    TIMER_D = 6
    TIMER_M = 7
    CANCEL_EXPIRED = 8  # no final response within 64*T1 of our CANCEL
    TRANSPORT_ERROR = 9


class InviteClientTransaction:
    """Made by `Stack.send_request`; reports to its `user` until it ends or is let go."""

    __slots__ = (
        "_ack",
        "_cancel_headers",
        "_data",
        "_forks",
        "_interval_s",
        "_is_cancelled",
        "_is_repeat",
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
        self.state = State.CALLING
        self._data = data or format_message(request)
        self._ack = b""
        self._forks: tuple[str | None, ...] = ()  # To tags of the 2xx seen
        self._is_repeat = False
        self._is_cancelled = False
        self._cancel_headers: Iterable[tuple[str, str]] = ()
        self._interval_s = TIMER_A_S
        self._repeat: Timer | None = None
        self._lifetime: Timer | None = layer.timers.start(now, TIMER_B_S, self._on_timer_b)
        if not flow.is_reliable:
            self._repeat = layer.timers.start(now, TIMER_A_S, self._on_timer_a)
        layer.clients[key] = self
        layer.outgoing.append((flow, self._data))

    @property
    def method(self) -> str:
        return "INVITE"

    @property
    def is_final(self) -> bool:
        """Whether a final response came, or none will come any more."""
        return self.state >= State.COMPLETED

    def is_repeat(self, response: Response) -> bool:
        """Asked within `on_response`: whether a 2xx with this To tag was handed over before."""
        return self._is_repeat

    def receive(self, response: Response, now: float) -> None:
        """A response that matches this transaction."""
        status = response.status
        kind = Input.PROVISIONAL if status < 200 else Input.SUCCESS if status < 300 else Input.FAILURE
        step = ON_RESPONSE.get((self.state, kind))
        if step is None:
            self._layer.counts.retransmissions_in += 1
            return
        self.state, action = step
        action(self, response, now)

    def cancel(self, now: float, headers: Iterable[tuple[str, str]]) -> None:
        """9.1: CANCEL waits for the first provisional; after a final response there is nothing to cancel."""
        if self._is_cancelled or self.is_final:
            return
        self._is_cancelled = True
        self._cancel_headers = headers
        if self.state is State.PROCEEDING:
            self._send_cancel(now)

    def let_go(self) -> None:
        """The user's dialog is over. A 2xx that comes all the same, a repeat or a fork's, is a stray one."""
        if self.state is State.ACCEPTED:
            self.user = NO_USER
            self.request = ANSWERED

    def fail(self, now: float) -> None:
        """The flow broke."""
        self._expire(Input.TRANSPORT_ERROR, now)

    def _expire(self, timer: Input, now: float) -> None:
        step = ON_TIMER.get((self.state, timer))
        if step is not None:
            self.state, action = step
            action(self, now)

    def _on_timer_a(self, now: float) -> None:
        self._expire(Input.TIMER_A, now)

    def _on_timer_b(self, now: float) -> None:
        self._expire(Input.TIMER_B, now)

    def _on_timer_d(self, now: float) -> None:
        self._expire(Input.TIMER_D, now)

    def _on_timer_m(self, now: float) -> None:
        self._expire(Input.TIMER_M, now)

    def _on_cancel_expired(self, now: float) -> None:
        self._expire(Input.CANCEL_EXPIRED, now)

    def _proceed(self, response: Response, now: float) -> None:
        self._stop_timers()
        self._data = b""
        if self._is_cancelled:
            self._send_cancel(now)
        self.user.on_response(self, response, now)

    def _hand_over(self, response: Response, now: float) -> None:
        self.user.on_response(self, response, now)

    def _accept(self, response: Response, now: float) -> None:
        self._stop_timers()
        self._data = b""
        self._forks = (response.to_tag,)
        self._lifetime = self._layer.timers.start(now, TIMER_M_S, self._on_timer_m)
        self.user.on_response(self, response, now)

    def _accept_again(self, response: Response, now: float) -> None:
        """The same 2xx because our ACK was lost, or the 2xx of another fork (RFC 6026 7.2)."""
        self._is_repeat = response.to_tag in self._forks
        if self._is_repeat:
            self._layer.counts.retransmissions_in += 1
        elif len(self._forks) >= FORKS_MAX:
            self._layer.counts.drop("too many forks")
            return
        else:
            self._forks += (response.to_tag,)
        if self.user is NO_USER:
            self._layer.tu.on_stray_response(response, self.flow, now)
        else:
            self.user.on_response(self, response, now)

    def _complete(self, response: Response, now: float) -> None:
        self._stop_timers()
        self._data = b""
        self._ack = format_message(make_ack(self.request, response))
        self._layer.outgoing.append((self.flow, self._ack))
        self._layer.counts.request_sent("ACK")
        user = self.user
        if self.flow.is_reliable:  # Timer D is zero: nothing can be repeated
            self._end()
        else:
            self._lifetime = self._layer.timers.start(now, TIMER_D_S, self._on_timer_d)
        user.on_response(self, response, now)
        self.user = NO_USER  # it hears no more: what only waits for repeats keeps no call

    def _acknowledge_again(self, response: Response, now: float) -> None:
        self._layer.counts.retransmissions_in += 1
        self._layer.repeat(self.flow, self._ack)

    def _pass_stray(self, response: Response, now: float) -> None:
        """A 2xx after a non-2xx: a fork answered all the same, and without this its phone would stay
        off-hook.
        """
        self._layer.tu.on_stray_response(response, self.flow, now)

    def _send_again(self, now: float) -> None:
        self._layer.repeat(self.flow, self._data)
        self._interval_s *= 2
        self._repeat = self._layer.timers.start(now, self._interval_s, self._on_timer_a)

    def _send_cancel(self, now: float) -> None:
        layer = self._layer
        cancel = make_cancel(self.request, self._cancel_headers)
        self._cancel_headers = ()
        layer.counts.request_sent("CANCEL")
        NonInviteClientTransaction(layer, (self.key[0], "CANCEL"), cancel, self.flow, user=NO_USER, now=now)
        self._lifetime = layer.timers.start(now, TIMER_CANCEL_S, self._on_cancel_expired)

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
        self._data = self._ack = b""
        self.user = NO_USER  # else a user that keeps its transaction would be a cycle
        del self._layer.clients[self.key]

    def _stop_timers(self) -> None:
        if self._lifetime is not None:
            self._lifetime.cancel()
        if self._repeat is not None:
            self._repeat.cancel()


_Transaction = InviteClientTransaction

_ResponseStep = tuple[State, Callable[[_Transaction, Response, float], None]]
_TimerStep = tuple[State, Callable[[_Transaction, float], None]]

# What is not in the tables is ignored: a provisional or a non-2xx final after a 2xx (another fork lost), a
# late provisional after a final, and a flow that breaks when the final is in - the next request will notice.
ON_RESPONSE: Final[dict[tuple[State, Input], _ResponseStep]] = {
    (State.CALLING, Input.PROVISIONAL): (State.PROCEEDING, _Transaction._proceed),
    (State.CALLING, Input.SUCCESS): (State.ACCEPTED, _Transaction._accept),
    (State.CALLING, Input.FAILURE): (State.COMPLETED, _Transaction._complete),
    (State.PROCEEDING, Input.PROVISIONAL): (State.PROCEEDING, _Transaction._hand_over),
    (State.PROCEEDING, Input.SUCCESS): (State.ACCEPTED, _Transaction._accept),
    (State.PROCEEDING, Input.FAILURE): (State.COMPLETED, _Transaction._complete),
    (State.COMPLETED, Input.SUCCESS): (State.COMPLETED, _Transaction._pass_stray),
    (State.COMPLETED, Input.FAILURE): (State.COMPLETED, _Transaction._acknowledge_again),
    (State.ACCEPTED, Input.SUCCESS): (State.ACCEPTED, _Transaction._accept_again),
}
ON_TIMER: Final[dict[tuple[State, Input], _TimerStep]] = {
    (State.CALLING, Input.TIMER_A): (State.CALLING, _Transaction._send_again),
    (State.CALLING, Input.TIMER_B): (State.TERMINATED, _Transaction._time_out),
    (State.CALLING, Input.TRANSPORT_ERROR): (State.TERMINATED, _Transaction._break),
    (State.PROCEEDING, Input.CANCEL_EXPIRED): (State.TERMINATED, _Transaction._time_out),
    (State.PROCEEDING, Input.TRANSPORT_ERROR): (State.TERMINATED, _Transaction._break),
    (State.COMPLETED, Input.TIMER_D): (State.TERMINATED, _Transaction._finish),
    (State.ACCEPTED, Input.TIMER_M): (State.TERMINATED, _Transaction._finish),
}
