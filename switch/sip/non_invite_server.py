"""The non-INVITE server transaction: RFC 3261 17.2.2, as narrowed by RFC 4320.

Timer J absorbs repeats after the final response. RFC 4320: nobody is ever sent a 408 (it would arrive when
its client has given up, and could only confuse those on the way), the only provisional is 100, and it is sent
when the client's Timer E has reached T2 and the TU is still silent. A request that the TU has not answered by
the client's Timer F ends unanswered.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from switch.sip.flow import Flow
from switch.sip.layer import ANSWERED, TransactionLayer, add_to_tag
from switch.sip.matching import MergeKey, ServerKey
from switch.sip.message import Request, Response, format_message, make_response
from switch.sip.timers import NON_INVITE_EXPIRY_S, NON_INVITE_TRYING_DELAY_S, TIMER_J_S, Timer


class State(IntEnum):
    TRYING = 1
    PROCEEDING = 2
    COMPLETED = 3
    TERMINATED = 4


class Input(IntEnum):
    REQUEST = 1  # a repeat
    TIMER_TRYING = 2  # RFC 4320: the TU is silent and the client's Timer E has reached T2
    TIMER_EXPIRY = 3  # the client's Timer F
    TIMER_J = 4


class NonInviteServerTransaction:
    """Made by the stack for a new request. `user_data` belongs to the TU and is dropped when the transaction
    ends; `request` is kept until the final response.
    """

    __slots__ = (
        "_data",
        "_layer",
        "_lifetime",
        "_merge_key",
        "flow",
        "key",
        "method",
        "request",
        "response_flow",
        "state",
        "user_data",
    )

    def __init__(
        self,
        layer: TransactionLayer,
        key: ServerKey,
        request: Request,
        flow: Flow,
        *,
        response_flow: Flow,
        merge_key: MergeKey | None,
    ) -> None:
        self._layer = layer
        self.key = key
        self.method = request.method
        self.request = request
        self.flow = flow
        self.response_flow = response_flow
        self.state = State.TRYING
        self.user_data: object = None
        self._data = b""
        self._lifetime: Timer | None = None
        self._merge_key = merge_key
        layer.servers[key] = self
        if merge_key is not None:
            layer.merged[merge_key] = self

    @property
    def is_final(self) -> bool:
        """Whether the final response has been given, or is no longer wanted."""
        return self.state >= State.COMPLETED

    def trying(self, now: float) -> None:
        """Nothing: a 100 to a non-INVITE is sent late or not at all (RFC 4320 4.1)."""

    def respond(self, response: Response, now: float) -> None:
        """Send a response of the TU's; one without a To tag gets it. After the final one comes no other.

        Ignored are provisionals (RFC 4320 4.1) and an answer after the client's Timer F. A 408 ends the
        transaction without a word (RFC 4320 4.2).
        """
        if self.state is State.TERMINATED or response.status < 200:
            return
        assert self.state is not State.COMPLETED, f"{response.status} after the final response"
        if response.status != 408:
            self._data = self._send(response)
        if self._lifetime is not None:
            self._lifetime.cancel()
        self.request = ANSWERED
        self.state = State.COMPLETED
        if self.response_flow.is_reliable:  # Timer J is zero: nothing can be repeated
            self._end(now)
        else:
            self._lifetime = self._layer.timers.start(now, TIMER_J_S, self._on_timer_j)

    def await_answer(self, now: float) -> None:
        """The TU has said nothing yet."""
        if self.state is State.TRYING:
            self._lifetime = self._layer.timers.start(now, NON_INVITE_TRYING_DELAY_S, self._on_timer_trying)

    def receive_repeat(self, now: float) -> None:
        """The request once more."""
        self._layer.counts.retransmissions_in += 1
        self._expire(Input.REQUEST, now)

    def _expire(self, what: Input, now: float) -> None:
        step = TABLE.get((self.state, what))
        if step is not None:
            self.state, action = step
            action(self, now)

    def _on_timer_trying(self, now: float) -> None:
        self._expire(Input.TIMER_TRYING, now)

    def _on_timer_expiry(self, now: float) -> None:
        self._expire(Input.TIMER_EXPIRY, now)

    def _on_timer_j(self, now: float) -> None:
        self._expire(Input.TIMER_J, now)

    def _send(self, response: Response) -> bytes:
        if response.status > 100 and self.request.to_tag is None and response.to_tag is None:
            add_to_tag(response, self._layer.tokens.tag())
        data = format_message(response)
        self._layer.counts.response_sent(response.status)
        self._layer.outgoing.append((self.response_flow, data))
        return data

    def _proceed(self, now: float) -> None:
        self._data = self._send(make_response(self.request, 100))
        self._lifetime = self._layer.timers.start(now, NON_INVITE_EXPIRY_S, self._on_timer_expiry)

    def _answer_repeat(self, now: float) -> None:
        if self._data:
            self._layer.repeat(self.response_flow, self._data)

    def _end(self, now: float) -> None:
        self.state = State.TERMINATED
        self._data = b""
        self.user_data = None
        if self._lifetime is not None:
            self._lifetime.cancel()
        layer = self._layer
        del layer.servers[self.key]
        if self._merge_key is not None and layer.merged.get(self._merge_key) is self:
            del layer.merged[self._merge_key]


_Transaction = NonInviteServerTransaction

# What the TU sends is in `respond`. What is not in the table is ignored: a repeat in Trying, to which there
# is nothing to say yet.
TABLE: Final[dict[tuple[State, Input], tuple[State, Callable[[_Transaction, float], None]]]] = {
    (State.TRYING, Input.TIMER_TRYING): (State.PROCEEDING, _Transaction._proceed),
    (State.PROCEEDING, Input.REQUEST): (State.PROCEEDING, _Transaction._answer_repeat),
    (State.PROCEEDING, Input.TIMER_EXPIRY): (State.TERMINATED, _Transaction._end),
    (State.COMPLETED, Input.REQUEST): (State.COMPLETED, _Transaction._answer_repeat),
    (State.COMPLETED, Input.TIMER_J): (State.TERMINATED, _Transaction._end),
}
