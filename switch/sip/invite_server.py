"""The INVITE server transaction: RFC 3261 17.2.1 with the Accepted state of RFC 6026.

It absorbs repeats of the INVITE, sends 100 when the TU is slow, repeats a non-2xx final until its ACK (Timers
G, H), and absorbs repeats of that ACK (I). A 2xx is repeated by `AcceptedResponse`, while this waits in
Accepted for Timer L. How long a phone may ring is the TU's affair (Timer C).
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from switch.sip.accepted import AcceptedResponse
from switch.sip.flow import Flow
from switch.sip.layer import ANSWERED, TransactionLayer, add_to_tag
from switch.sip.matching import MergeKey, ServerKey, ack_key
from switch.sip.message import Request, Response, format_message, make_response
from switch.sip.reliable_provisional import ReliableProvisional
from switch.sip.timers import (
    T2_S,
    TIMER_G_S,
    TIMER_H_S,
    TIMER_I_S,
    TIMER_L_S,
    TRYING_DELAY_S,
    Timer,
)


class State(IntEnum):
    PROCEEDING = 1
    COMPLETED = 2
    CONFIRMED = 3
    ACCEPTED = 4
    TERMINATED = 5


class Input(IntEnum):
    INVITE = 1  # a repeat
    ACK = 2  # with the branch of the INVITE
    TIMER_TRYING = 3  # 200 ms of silence
    TIMER_G = 4
    TIMER_H = 5
    TIMER_I = 6
    TIMER_L = 7


class InviteServerTransaction:
    """Made by the stack for a new INVITE. `user_data` belongs to the TU and is dropped when the transaction
    ends; `request` is kept until the final response.
    """

    __slots__ = (
        "_accepted",
        "_awaited_at",
        "_data",
        "_interval_s",
        "_last_response",
        "_layer",
        "_lifetime",
        "_merge_key",
        "_reliable",
        "_repeat",
        "_to_tag",
        "flow",
        "key",
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
        self.request = request
        self.flow = flow
        self.response_flow = response_flow
        self.state = State.PROCEEDING
        self.user_data: object = None
        self._awaited_at: float | None = None
        self._data = b""
        self._last_response: Response | None = None  # read for its To tag when somebody asks
        self._to_tag: str | None = None  # of the 2xx, which is too large to keep for Timer L
        self._accepted: AcceptedResponse | None = None
        self._interval_s = TIMER_G_S
        self._reliable: ReliableProvisional | None = None
        self._repeat: Timer | None = None
        self._lifetime: Timer | None = None
        self._merge_key = merge_key
        layer.servers[key] = self
        if merge_key is not None:
            layer.merged[merge_key] = self

    @property
    def method(self) -> str:
        return "INVITE"

    @property
    def is_final(self) -> bool:
        """Whether the final response has been given."""
        return self.state is not State.PROCEEDING

    @property
    def is_accepted(self) -> bool:
        """Whether the final response was a 2xx: its ACK comes by the dialog, not by the branch."""
        return self.state is State.ACCEPTED

    @property
    def to_tag(self) -> str | None:
        """The To tag of the latest response, for the answer to a CANCEL (9.2) and an RFC 2543 peer's ACK."""
        return self._to_tag if self._last_response is None else self._last_response.to_tag

    def trying(self, now: float) -> None:
        """Send 100 now, unless something was sent already."""
        self._expire(Input.TIMER_TRYING, now)

    def respond(self, response: Response, now: float) -> None:
        """Send a response of the TU's; one without a To tag gets it. After the final one comes no other."""
        assert self.state is State.PROCEEDING, f"{response.status} after the final response"
        status = response.status
        layer = self._layer
        if status > 100 and self.request.to_tag is None and response.to_tag is None:
            add_to_tag(response, self.to_tag or layer.tokens.tag())
        data = format_message(response)
        layer.counts.response_sent(status)
        layer.outgoing.append((self.response_flow, data))
        self._last_response = response
        self._stop_timers()
        if status < 200:
            self._data = data
        elif status < 300:
            self.state = State.ACCEPTED
            self._last_response = None
            self._to_tag = response.to_tag
            key = ack_key(self.request, self._to_tag)
            self._accepted = AcceptedResponse(layer, key, data, self.response_flow, now)
            self._data = b""  # the INVITE's repeats get no answer of their own any more
            self._lifetime = layer.timers.start(now, TIMER_L_S, self._on_timer_l)
        else:
            self.state = State.COMPLETED
            self._data = data
            if not self.response_flow.is_reliable:
                self._repeat = layer.timers.start(now, TIMER_G_S, self._on_timer_g)
            self._lifetime = layer.timers.start(now, TIMER_H_S, self._on_timer_h)
        if status >= 200:
            self.acknowledge_provisional()
            self.request = ANSWERED

    def respond_reliably(self, response: Response, now: float, on_missing: Callable[[float], None]) -> None:
        """Send a provisional that has Require: 100rel and RSeq, and repeat it until `acknowledge_provisional` or
        the final response. After 64*T1 `on_missing` is told, and the TU refuses the INVITE (RFC 3262 3).
        """
        self.acknowledge_provisional()
        self.respond(response, now)
        self._reliable = ReliableProvisional(self._layer, self._data, self.response_flow, now, on_missing)

    def acknowledge_provisional(self) -> None:
        """The PRACK came: repeat the reliable provisional no more."""
        if self._reliable is not None:
            self._reliable.stop()
            self._reliable = None

    def stop_repeating(self) -> None:
        """The dialog ended without the ACK (BYE came first): repeat the 2xx no more and do not report it
        missing.
        """
        if self._accepted is not None:
            self._accepted.acknowledge()

    def await_answer(self, now: float) -> None:
        """The TU has said nothing yet: 100 in 200 ms."""
        if self.state is State.PROCEEDING and not self._data:
            self._awaited_at = now
            self._repeat = self._layer.timers.start(now, TRYING_DELAY_S, self._on_timer_trying)

    def receive_repeat(self, now: float) -> None:
        """The INVITE once more."""
        self._layer.counts.retransmissions_in += 1
        self._expire(Input.INVITE, now)

    def receive_ack(self, now: float) -> None:
        """An ACK with the branch of the INVITE, which is one for a non-2xx."""
        self._expire(Input.ACK, now)

    def _expire(self, what: Input, now: float) -> None:
        step = TABLE.get((self.state, what))
        if step is not None:
            self.state, action = step
            action(self, now)

    def _on_timer_trying(self, now: float) -> None:
        self._expire(Input.TIMER_TRYING, now)

    def _on_timer_g(self, now: float) -> None:
        self._expire(Input.TIMER_G, now)

    def _on_timer_h(self, now: float) -> None:
        self._expire(Input.TIMER_H, now)

    def _on_timer_i(self, now: float) -> None:
        self._expire(Input.TIMER_I, now)

    def _on_timer_l(self, now: float) -> None:
        self._expire(Input.TIMER_L, now)

    def _send_trying(self, now: float) -> None:
        if not self._data:
            awaited_at = now if self._awaited_at is None else self._awaited_at
            self._layer.counts.trying_delay.observe(now - awaited_at)
            self.respond(make_response(self.request, 100), now)

    def _answer_repeat(self, now: float) -> None:
        if self._data:
            self._layer.repeat(self.response_flow, self._data)

    def _send_again(self, now: float) -> None:
        self._layer.repeat(self.response_flow, self._data)
        self._interval_s = min(2 * self._interval_s, T2_S)
        self._repeat = self._layer.timers.start(now, self._interval_s, self._on_timer_g)

    def _confirm(self, now: float) -> None:
        self._stop_timers()
        self._data = b""
        self._last_response = None
        if self.response_flow.is_reliable:  # Timer I is zero: nothing can be repeated
            self._end(now)
        else:
            self._lifetime = self._layer.timers.start(now, TIMER_I_S, self._on_timer_i)

    def _absorb(self, now: float) -> None:
        self._layer.counts.retransmissions_in += 1

    def _end_accepted(self, now: float) -> None:
        accepted = self._accepted
        assert accepted is not None
        try:
            if not accepted.is_acknowledged:
                self._layer.tu.on_ack_missing(self, now)
        finally:
            self._end(now)

    def _end(self, now: float) -> None:
        self.state = State.TERMINATED
        self._stop_timers()
        self._data = b""
        self._last_response = None
        self.user_data = None
        layer = self._layer
        if self._accepted is not None:
            self._accepted.end()
            self._accepted = None
        del layer.servers[self.key]
        if self._merge_key is not None and layer.merged.get(self._merge_key) is self:
            del layer.merged[self._merge_key]

    def _stop_timers(self) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
        if self._lifetime is not None:
            self._lifetime.cancel()


_Transaction = InviteServerTransaction

# What the TU sends is in `respond`: it comes once, in Proceeding. What is not in the table is ignored: an
# INVITE in Confirmed, and in Accepted, where the 2xx is being repeated anyway (RFC 6026 7.1); an ACK in
# Proceeding, which acknowledges nothing. When Timer H fires, the peer never heard our refusal, and there is
# nobody left to tell.
TABLE: Final[dict[tuple[State, Input], tuple[State, Callable[[_Transaction, float], None]]]] = {
    (State.PROCEEDING, Input.INVITE): (State.PROCEEDING, _Transaction._answer_repeat),
    (State.PROCEEDING, Input.TIMER_TRYING): (State.PROCEEDING, _Transaction._send_trying),
    (State.COMPLETED, Input.INVITE): (State.COMPLETED, _Transaction._answer_repeat),
    (State.COMPLETED, Input.TIMER_G): (State.COMPLETED, _Transaction._send_again),
    (State.COMPLETED, Input.ACK): (State.CONFIRMED, _Transaction._confirm),
    (State.COMPLETED, Input.TIMER_H): (State.TERMINATED, _Transaction._end),
    (State.CONFIRMED, Input.ACK): (State.CONFIRMED, _Transaction._absorb),
    (State.CONFIRMED, Input.TIMER_I): (State.TERMINATED, _Transaction._end),
    (State.ACCEPTED, Input.TIMER_L): (State.TERMINATED, _Transaction._end_accepted),
}
