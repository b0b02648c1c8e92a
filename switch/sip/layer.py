"""What the transactions of one stack share: the tables they are found in, the timers, and the bytes to send.

RFC 3261 17 calls it the transaction layer. It decides nothing: the machines do (one a file), and `stack.py`
brings messages to them.
"""

from typing import TYPE_CHECKING, Final

from switch.sip.counts import SipCounts
from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.matching import AckKey, ClientKey, MergeKey, ServerKey
from switch.sip.message import Request, Response
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from switch.sip.user import TransactionUser

# Stands in a transaction for a request that is answered: what only waits for repeats keeps no message, which is
# two thirds of its memory when a hundred thousand phones register within half a minute.
ANSWERED: Final = Request("ANSWERED", "", Headers())

if TYPE_CHECKING:
    from switch.sip.accepted import AcceptedResponse
    from switch.sip.stack import ClientTransaction, ServerTransaction


class TransactionLayer:
    """The state shared by a stack and its transactions."""

    __slots__ = (
        "awaiting_ack",
        "clients",
        "counts",
        "merged",
        "outgoing",
        "servers",
        "timers",
        "tokens",
        "tu",
    )

    def __init__(self, tokens: Tokens, timers: TimerQueue, tu: TransactionUser, counts: SipCounts) -> None:
        self.tokens = tokens
        self.timers = timers
        self.tu = tu
        self.counts = counts
        self.outgoing: list[tuple[Flow, bytes]] = []
        self.clients: dict[ClientKey, ClientTransaction] = {}
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self.merged: dict[MergeKey, ServerTransaction] = {}  # requests outside dialogs, for 8.2.2.2
        # Until Timer L, also after the ACK, to know its repeats.
        self.awaiting_ack: dict[AckKey, AcceptedResponse] = {}

    def repeat(self, flow: Flow, data: bytes) -> None:
        """Send a copy of something sent before."""
        self.counts.retransmissions_out += 1
        self.outgoing.append((flow, data))


def add_to_tag(response: Response, tag: str) -> None:
    """8.2.6.2: every response but 100 has a To tag; for one whose maker left it out."""
    to = response.headers.get("to") or ""
    response.headers.set("to", f"{to};tag={tag}")
    response.forget()
