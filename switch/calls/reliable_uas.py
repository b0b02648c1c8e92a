"""Our reliable provisional responses to a caller, and its PRACKs (RFC 3262 3 and 5, the UAS's side).

One is on its way at a time, the next waits for its PRACK: so RSeq and the order of offers and answers cannot be
mistaken. A provisional that a callee sent reliably, with a session description, is not acknowledged there before the
caller has acknowledged it here, so that an offer in the caller's PRACK, or the answer to a late offer, can cross in
ours.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from switch.calls.reliable_uac import Prack
from switch.sip.errors import SipParseError
from switch.sip.fields import parse_cseq
from switch.sip.message import Request, Response

if TYPE_CHECKING:
    from switch.sip.invite_server import InviteServerTransaction

RSEQ_MAX: Final = 2**32 - 1
RSEQ_START_MAX: Final = 2**31 - 1  # 3: the first one is chosen between 1 and this
# More than this waits only when a callee sends provisionals faster than the caller acknowledges them.
WAITING_MAX: Final = 8


class Sent:
    """One reliable provisional. `prack` is the callee's that waits for the caller's, if it was reliable there too."""

    __slots__ = ("has_body", "prack", "response", "rseq")

    def __init__(self, response: Response, prack: Prack | None) -> None:
        self.response = response
        self.has_body = bool(response.body)
        self.prack = prack
        self.rseq = 0


class ReliableProvisionals:
    """All of one INVITE, in order."""

    __slots__ = ("_on_missing", "_open", "_rseq", "_transaction", "_waiting")

    def __init__(
        self, transaction: "InviteServerTransaction", first_rseq: int, on_missing: Callable[[float], None]
    ) -> None:
        self._transaction = transaction
        self._rseq = first_rseq - 1
        self._on_missing = on_missing
        self._open: Sent | None = None
        self._waiting: deque[Sent] = deque()

    @property
    def holds_2xx(self) -> bool:
        """3: no 2xx before the PRACK of a reliable provisional with a session description."""
        return self._open is not None and self._open.has_body

    def send(self, sent: Sent, now: float) -> None:
        if self._open is None:
            self._send(sent, now)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(sent)
        elif sent.prack is not None:
            sent.prack.send(now)

    def take_prack(self, request: Request, now: float) -> Sent | None:
        """What a PRACK acknowledges, None (481) when its RAck matches nothing that waits for one."""
        sent = self._open
        if sent is None or not self._is_acknowledged_by(request, sent):
            return None
        self._open = None
        self._transaction.acknowledge_provisional()
        return sent

    def send_next(self, now: float) -> None:
        """The one that waited for the PRACK."""
        if self._open is None and self._waiting:
            self._send(self._waiting.popleft(), now)

    def drop_waiting(self, now: float) -> None:
        """The final answer is there and says what they would have said; their senders wait for nothing more."""
        while self._waiting:
            prack = self._waiting.popleft().prack
            if prack is not None:
                prack.send(now)

    def _send(self, sent: Sent, now: float) -> None:
        self._rseq += 1
        sent.rseq = self._rseq
        self._open = sent
        sent.response.headers.add("require", "100rel")
        sent.response.headers.add("rseq", str(self._rseq))
        self._transaction.respond_reliably(sent.response, now, self._on_missing)

    def _is_acknowledged_by(self, request: Request, sent: Sent) -> bool:
        """7.2: RAck is RSeq, CSeq number and method of the response."""
        rseq, _, cseq = (request.headers.get("rack") or "").replace("\t", " ").partition(" ")
        try:
            acknowledged = parse_cseq(cseq.strip(" "))
        except SipParseError:
            return False
        return rseq == str(sent.rseq) and acknowledged == sent.response.cseq


def first_rseq(token: str) -> int:
    """A start between 1 and 2**31-1, from a random token of hex digits (3)."""
    return int(token[:8], 16) % RSEQ_START_MAX + 1
