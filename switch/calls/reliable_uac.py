"""A callee's reliable provisional responses, and our PRACKs (RFC 3262 4, the UAC's side).

Each To tag is an early dialog of its own with an RSeq of its own. What comes again, or after a gap, is neither
acknowledged nor heard; the callee repeats what was lost. The early dialog is kept: requests in it go on counting its
CSeq, and so does the dialog that the 2xx makes of it.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.carried_media import carry
from switch.calls.own_request import OwnRequest
from switch.calls.passing import NO_BODY, Body, body_of, passed_response, put_body
from switch.sip.errors import SipParseError
from switch.sip.grammar import parse_digits
from switch.sip.message import Request, Response, make_response
from switch.sip.option_tags import RELIABLE_PROVISIONALS, names

if TYPE_CHECKING:
    from switch.calls.callee_leg import CalleeLeg
    from switch.calls.leg import Leg
    from switch.sip.dialog import Dialog
    from switch.sip.stack import ServerTransaction

RSEQ_MAX: Final = 2**32 - 1
# Forks behind a proxy that ring reliably. More is an attack: each costs a dialog and a PRACK
# (invite_client.FORKS_MAX).
EARLY_DIALOGS_MAX: Final = 16


class EarlyDialog:
    """One To tag of an INVITE of ours that was heard in a reliable provisional. `is_set`: offer and answer are
    done."""

    __slots__ = ("dialog", "is_set", "rseq")

    def __init__(self, dialog: "Dialog") -> None:
        self.dialog = dialog
        self.rseq: int | None = None
        self.is_set = False

    def takes(self, rseq: int) -> bool:
        """Whether this one is next; the first may be any (4)."""
        if self.rseq is not None and rseq != self.rseq + 1:
            return False
        self.rseq = rseq
        return True


class Prack:
    """The PRACK for one reliable provisional. Held back while the caller has to acknowledge it first."""

    __slots__ = ("_early", "_is_sent", "_rack", "has_body", "is_held", "leg")

    def __init__(self, leg: "CalleeLeg", early: EarlyDialog, response: Response, rseq: int) -> None:
        self.leg = leg
        self._early = early
        self._rack = f"{rseq} {response.cseq}"
        self._is_sent = False
        self.has_body = bool(response.body)
        self.is_held = False

    def send(self, now: float, body: Body = NO_BODY, asker: "PrackAsker | None" = None) -> None:
        """Once; `body` is the caller's answer to a late offer, or its next offer, whose answer `asker` gets."""
        if self._is_sent:
            return
        self._is_sent = True
        if self.has_body:
            self._early.is_set = True
        fields = [("rack", self._rack)]
        done = _nobody_asks if asker is None else asker.on_answer
        OwnRequest(self.leg, self._early.dialog, "PRACK", fields, body, done).send(now)


class PrackAsker:
    """A caller whose PRACK had an offer: it gets the answer of the callee's."""

    __slots__ = ("_callee", "_caller", "request", "transaction")

    def __init__(self, caller: "Leg", callee: "Leg", transaction: "ServerTransaction", request: Request) -> None:
        self._caller = caller
        self._callee = callee
        self.transaction = transaction
        self.request = request

    def on_answer(self, status: int, response: Response | None, now: float) -> None:
        if response is None:
            answer = make_response(self.request, 504 if status == 408 else status)
        else:
            answer = passed_response(self.request, response)
            put_body(answer, carry(self._callee, self._caller, body_of(response)))
        self.transaction.respond(answer, now)


def rseq_of(response: Response) -> int | None:
    """The RSeq of a response that is to be acknowledged, None for one that is not."""
    if not names(response.headers, "require", RELIABLE_PROVISIONALS) or response.to_tag is None:
        return None
    try:
        return parse_digits(response.headers.get("rseq") or "", maximum=RSEQ_MAX, what="RSeq")
    except SipParseError:
        return None


def _nobody_asks(status: int, response: Response | None, now: float) -> None:
    """A callee that refuses a PRACK has its reasons, and its final answer will say them."""
