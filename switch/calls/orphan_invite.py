"""An INVITE whose transaction died with an earlier process: the caller is refused, the callee gets a CANCEL.

Without this a phone would ring for minutes after a restart, for nobody, and its caller would wait as long. Only the few
fields that both messages repeat are on record (RFC 3261 8.2.6.2, 9.1), not the transactions: so what is sent is
repeated a few times unasked, the ACK and the answer to the CANCEL are strays, and a peer's 487 stays without its ACK.
Who answers all the same is hung up (stray_answer.py).
"""

from collections.abc import Callable
from typing import Final

from switch.calls.open_call import EarlyInvite
from switch.calls.q850 import format_reason
from switch.calls.switchboard import Switchboard
from switch.sip.headers import Headers
from switch.sip.message import Request, Response, format_message, reason_phrase
from switch.sip.timers import T1_S

STATUS: Final = 500  # what the call's record says, too
# As Timers E and G would begin: of four copies one arrives on any link that is of use for talking.
REPEATS_S: Final[tuple[float, ...]] = (T1_S, 2 * T1_S, 4 * T1_S)


class OrphanInvite:
    """One of them. `on_done` is called once, after the last repeat."""

    __slots__ = ("_board", "_data", "_flow", "_on_done", "_repeats")

    def __init__(self, board: Switchboard, invite: EarlyInvite, on_done: Callable[[float], None]) -> None:
        self._board = board
        self._flow = invite.flow
        self._on_done = on_done
        self._repeats = 0
        if invite.uri is None:
            self._data = format_message(_refusal(invite))
            board.stack.counts.response_sent(STATUS)
        else:
            self._data = format_message(_cancel(invite, invite.uri))
            board.stack.counts.request_sent("CANCEL")

    def send(self, now: float) -> None:
        stack = self._board.stack
        stack.outgoing.append((self._flow, self._data))
        stack.counts.retransmissions_out += self._repeats > 0
        if self._flow.is_reliable or self._repeats == len(REPEATS_S):
            self._on_done(now)
        else:
            self._board.timers.start(now, REPEATS_S[self._repeats], self.send)
            self._repeats += 1


def _refusal(invite: EarlyInvite) -> Response:
    return Response(STATUS, reason_phrase(STATUS), _headers(invite, "INVITE"))


def _cancel(invite: EarlyInvite, uri: str) -> Request:
    headers = _headers(invite, "CANCEL")
    headers.add("max-forwards", "70")
    return Request("CANCEL", uri, headers)


def _headers(invite: EarlyInvite, method: str) -> Headers:
    return Headers.from_lines(
        [
            *(f"Via: {via}" for via in invite.vias),
            f"From: {invite.from_}",
            f"To: {invite.to}",
            f"Call-ID: {invite.call_id}",
            f"CSeq: {invite.cseq_number} {method}",
            f"Reason: {format_reason(41, 'the exchange restarted')}",
        ]
    )
