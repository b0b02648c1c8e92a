"""Two legs that are up are brought to talk with each other, without either having asked (RFC 3725 4.1, RFC 6337 3).

A re-INVITE without an offer goes to the first; the offer in its 200 goes to the second by re-INVITE, and the answer of
that one is in our ACK to the first. Where the second's description is there already, as it has just answered our
INVITE that carried the first's, one re-INVITE to the first is all.

It is the open offer of both legs meanwhile, so their own re-INVITEs meet 491. Ours that meet one are made again after
the time of RFC 3261 14.1, the whole of it; an end whose own offer is under way is waited for likewise. When it fails,
a first leg that waits for our ACK is answered from what its present partner has said, so that these two go on.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from switch.calls.agreed import agreed
from switch.calls.carried_media import carry, heard
from switch.calls.own_request import DIALOG_IS_GONE, OwnRequest
from switch.calls.passing import NO_BODY, Body, body_of, put_body
from switch.calls.switchboard import ALLOW
from switch.sdp.description import SdpError
from switch.sdp.door import SDP_TYPE
from switch.sdp.joining import answer as answer_from
from switch.sdp.joining import refuse_all
from switch.sip.message import Response
from switch.sip.option_tags import SUPPORTED_VALUE

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.sip.timers import Timer

# (whether they talk with each other, now): once.
OnDone = Callable[[bool, float], None]
# Less than the 32 s for which the first repeats its 200 while it waits for our ACK, or for which a re-INVITE that
# nobody answers is repeated: those two fail by this limit.
WHOLE_TIMEOUT_S: Final = 25.0
# RFC 3261 14.1, in units of 10 ms: for who has begun the dialog, and for who has not.
OWN_DIALOG_PAUSE: Final = (210, 400)
PEERS_DIALOG_PAUSE: Final = (0, 200)
UNITS_PER_S: Final = 100
RANDOM_DIGITS: Final = 8


class Renegotiation:
    """One attempt. `known` is what the second end has said already, "" to ask the first for an offer."""

    __slots__ = (
        "_ack",
        "_ack_cseq",
        "_ask",
        "_carried_offer",
        "_deadline",
        "_is_done",
        "_known",
        "_offer",
        "_on_done",
        "_pause",
        "_second_cseq",
        "first",
        "second",
    )

    def __init__(self, first: "Leg", second: "Leg", on_done: OnDone, *, known: Body = NO_BODY) -> None:
        self.first = first
        self.second = second
        self._on_done = on_done
        self._known = known
        self._is_done = False
        self._ask: OwnRequest | None = None
        self._offer = NO_BODY
        self._carried_offer = NO_BODY
        self._ack: Body | None = None  # as it was sent to the first, None while it waits
        self._ack_cseq = 0  # of the first's latest 200
        self._second_cseq = 0
        self._deadline: Timer | None = None
        self._pause: Timer | None = None

    def start(self, now: float) -> None:
        self._deadline = self.first.board.timers.start(now, WHOLE_TIMEOUT_S, self._on_too_late)
        self._begin(now)

    # As the open offer of both legs

    def is_from(self, leg: "Leg") -> bool:
        """Nobody but us made this offer."""
        return False

    def awaits_ack_from(self, leg: "Leg", cseq_number: int) -> bool:
        return False

    def on_ack(self, body: Body) -> None: ...

    def cancel(self, now: float) -> None:
        self._finish(now, is_joined=False)

    def abandon(self, now: float) -> None:
        """The call of one of them is over."""
        self._finish(now, is_joined=False)

    def _are_there(self) -> bool:
        return self.first.is_up and self.second.is_up

    # The first

    def _begin(self, now: float) -> None:
        first, second = self.first, self.second
        self._pause = None
        if not self._are_there():
            self._finish(now, is_joined=False)
        elif first.open_offer is not None:
            self._begin_later(first, now)
        elif second.open_offer is not None:
            self._begin_later(second, now)
        else:
            first.open_offer = second.open_offer = self
            self._carried_offer = carry(second, first, self._known) if self._known else NO_BODY
            self._ask = self._reinvite(first, self._carried_offer, self._on_first, now)

    def _begin_later(self, leg: "Leg", now: float) -> None:
        """Both are free meanwhile: what is in our way has to come to its end."""
        self._free()
        low, high = PEERS_DIALOG_PAUSE if leg.index == 0 else OWN_DIALOG_PAUSE
        some = int(leg.board.tokens.tag()[:RANDOM_DIGITS], 16) % (high - low + 1)
        self._pause = leg.board.timers.start(now, (low + some) / UNITS_PER_S, self._begin)

    def _on_first(self, status: int, response: Response | None, now: float) -> None:
        if response is None or not response.is_success:
            self._on_refused(self.first, status, now)
            return
        if not _is_of(self.first, response):
            return
        if response.cseq.number == self._ack_cseq:
            if self._ack is not None:
                self._acknowledge(self._ack)
            return
        self._ack_cseq, self._ack = response.cseq.number, None
        _renew(self.first, response, now)
        body = body_of(response)
        if self._known:
            self._acknowledge(NO_BODY)
            self._on_known_answered(body, now)
            return
        self._offer = body
        if self._is_done:
            self._go_on_as_before()
        elif not body:
            self._acknowledge(NO_BODY)
            self._finish(now, is_joined=False)
        else:
            self._carried_offer = carry(self.first, self.second, body)
            self._ask = self._reinvite(self.second, self._carried_offer, self._on_second, now)

    def _on_known_answered(self, body: Body, now: float) -> None:
        """The second has its answer: what the first says now concerns only where it hears."""
        if self._is_done:
            return
        first, second = self.first, self.second
        if body:
            heard(first, body)
            agreed(second, (self._known, self._carried_offer), first, (body, second.sent_body))
        self._finish(now, is_joined=bool(body))

    # The second

    def _on_second(self, status: int, response: Response | None, now: float) -> None:
        second = self.second
        if response is None or not response.is_success:
            self._on_refused(second, status, now)
            return
        if not _is_of(second, response):
            return
        is_repeated = response.cseq.number == self._second_cseq
        self._second_cseq = response.cseq.number
        second.acknowledge_again(response.cseq.number)
        if is_repeated:
            return
        _renew(second, response, now)
        if self._is_done:
            return
        answer = body_of(response)
        if answer:
            carried = carry(second, self.first, answer)
            self._acknowledge(carried)
            agreed(self.first, (self._offer, self._carried_offer), second, (answer, carried))
        self._finish(now, is_joined=bool(answer))

    # The end

    def _on_refused(self, leg: "Leg", status: int, now: float) -> None:
        if self._is_done:
            return
        self._ask = None
        if status == 491:
            self._go_back()
            self._begin_later(leg, now)
            return
        self._finish(now, is_joined=False)
        if status in DIALOG_IS_GONE and leg.is_up:
            leg.call.on_dialog_lost(leg, now)

    def _on_too_late(self, now: float) -> None:
        self._deadline = None
        self._finish(now, is_joined=False)

    def _finish(self, now: float, *, is_joined: bool) -> None:
        if self._is_done:
            return
        self._is_done = True
        for timer in (self._deadline, self._pause):
            if timer is not None:
                timer.cancel()
        if not is_joined:
            if self._ask is not None:
                self._ask.cancel(now)
            self._go_back()
        self._free()
        self._on_done(is_joined, now)

    def _free(self) -> None:
        for leg in (self.first, self.second):
            if leg.open_offer is self:
                leg.open_offer = None

    def _go_back(self) -> None:
        """Who is heard by whom is again as it was."""
        if self._ack_cseq and self._ack is None:
            self._go_on_as_before()
        for leg in (self.first, self.second):
            partner = leg.other
            if leg.is_up and partner is not None and leg.media is not None and partner.media is not None:
                leg.media.bridge(partner.media)

    def _go_on_as_before(self) -> None:
        """The first's offer must be answered in our ACK (RFC 3261 13.2.2.4): from what its partner has said last,
        with everything refused where that does not fit or there is none."""
        first, partner = self.first, self.first.other
        try:
            content = None
            if partner is not None and partner.own_body:
                content = answer_from(self._offer.content, partner.own_body.content)
            body = _as_body(refuse_all(self._offer.content) if content is None else content)
        except SdpError:
            self._acknowledge(NO_BODY)
            return
        if content is not None and partner is not None:
            body = carry(partner, first, body)
            heard(first, self._offer)
            first.own_body, first.sent_body = self._offer, body
        self._acknowledge(body)

    def _acknowledge(self, body: Body) -> None:
        self._ack = body
        dialog = self.first.dialog
        assert dialog is not None
        ack = dialog.create_ack(self._ack_cseq)
        put_body(ack, body)
        self.first.board.stack.send_ack(ack, self.first.flow)

    @staticmethod
    def _reinvite(
        leg: "Leg", body: Body, on_answer: Callable[[int, Response | None, float], None], now: float
    ) -> OwnRequest:
        assert leg.dialog is not None
        fields = [("allow", ALLOW), ("supported", SUPPORTED_VALUE), *leg.session.request_fields()]
        ask = OwnRequest(leg, leg.dialog, "INVITE", fields, body, on_answer)
        ask.send(now)
        return ask


def _is_of(leg: "Leg", response: Response) -> bool:
    """Whether the other end of this dialog wrote it."""
    return leg.dialog is not None and response.to_tag == leg.dialog.remote_tag


def _renew(leg: "Leg", response: Response, now: float) -> None:
    """A 2xx refreshes target and session."""
    assert leg.dialog is not None
    if leg.is_up:
        leg.dialog.refresh_target(response.contact)
        leg.aim(now)
        leg.session.conclude(leg, response, now)


def _as_body(content: bytes) -> Body:
    return Body(content, (("content-type", SDP_TYPE),))
