"""A refresh of the session on one leg, to hear whether that end is still there (RFC 4028 7.4, 10).

By UPDATE without an offer where the peer allows UPDATE. Else by re-INVITE with the session description that it was
given last, o= line and all, which changes nothing (RFC 3264 8): every user agent must take a re-INVITE, and a phone
that refuses this one has shown that it is alive. Where no session description was ever sent (a body of another kind),
by OPTIONS, which asks nothing of the session. The other leg hears nothing of it; an answer that differs from the last
one is not carried over, as an end that wants a change offers it itself.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from switch.calls.carried_media import heard
from switch.calls.own_request import DIALOG_IS_GONE, OwnRequest
from switch.calls.passing import NO_BODY, Body, body_of
from switch.calls.session_timer import BUSY_RETRY_S, INTERVAL_MAX_S, min_se
from switch.calls.switchboard import ALLOW
from switch.sip.message import Response
from switch.sip.option_tags import SUPPORTED_VALUE

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.sip.timers import Timer

# A re-INVITE that the peer rings on is taken back after so long: its Timer C is of minutes, an unchanged offer of
# none.
ANSWER_TIMEOUT_S: Final = 32.0


class Refresh:
    """One refresh. By re-INVITE it is also the leg's open offer, so that no other crosses it."""

    __slots__ = ("_ask", "_has_ended", "_leg", "_method", "_timer")

    def __init__(self, leg: "Leg") -> None:
        assert leg.dialog is not None
        self._leg = leg
        self._has_ended = False
        self._timer: Timer | None = None
        self._method, body = _means(leg)
        fields = [("allow", ALLOW), ("supported", SUPPORTED_VALUE), *leg.session.request_fields()]
        self._ask = OwnRequest(leg, leg.dialog, self._method, fields, body, self._on_answer)

    def start(self, now: float) -> None:
        leg = self._leg
        if self._method == "INVITE":
            if leg.open_offer is not None:
                leg.session.again(leg, now, delay_s=BUSY_RETRY_S)
                return
            leg.open_offer = self
            self._timer = leg.board.timers.start(now, ANSWER_TIMEOUT_S, self._ask.cancel)
        leg.board.counts.session_refreshes += 1
        self._ask.send(now)

    def is_from(self, leg: "Leg") -> bool:
        """Nobody but us made this offer."""
        return False

    def awaits_ack_from(self, leg: "Leg", cseq_number: int) -> bool:
        return False

    def on_ack(self, body: Body) -> None: ...

    def abandon(self, now: float) -> None:
        """The call is over."""
        if not self._has_ended:
            self._end()
            self._ask.cancel(now)

    def _on_answer(self, status: int, response: Response | None, now: float) -> None:
        leg = self._leg
        if response is not None and response.is_success and self._method == "INVITE":
            leg.acknowledge_again(response.cseq.number)
        if self._has_ended:
            return
        self._end()
        if not leg.is_up:
            return
        if status in DIALOG_IS_GONE:
            leg.call.on_vanished(leg, now)
        elif response is None or not response.is_success:
            self._on_refused(status, response, now)
        elif self._method == "OPTIONS":
            leg.session.again(leg, now)
        else:
            leg.dialog_of_session.refresh_target(response.contact)
            heard(leg, body_of(response))
            leg.session.conclude(leg, response, now)

    def _on_refused(self, status: int, response: Response | None, now: float) -> None:
        """Alive, as it answers. What it minds is mended, or it is asked again when the next refresh is due."""
        session = self._leg.session
        delay_s: float | None = None
        if status == 422 and response is not None:
            longer_s = min(min_se(response.headers), INTERVAL_MAX_S)
            delay_s = 0.0 if longer_s > session.interval_s else None
            session.interval_s = max(session.interval_s, longer_s)
        elif status == 491:
            delay_s = (
                BUSY_RETRY_S  # 14.1 asks for 2.1 to 4 s, and for less of the side that did not begin the call
            )
        session.again(self._leg, now, delay_s=delay_s)

    def _end(self) -> None:
        self._has_ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._leg.open_offer is self:
            self._leg.open_offer = None


class Probe:
    """An OPTIONS in the dialog of a leg that asks for nothing but an answer. `on_done` is told when it is known."""

    __slots__ = ("_leg", "_on_done")

    def __init__(self, leg: "Leg", on_done: Callable[[float], None]) -> None:
        self._leg = leg
        self._on_done = on_done

    def send(self, now: float) -> None:
        leg = self._leg
        OwnRequest(leg, leg.dialog_of_session, "OPTIONS", [], NO_BODY, self._on_answer).send(now)

    def _on_answer(self, status: int, response: Response | None, now: float) -> None:
        self._on_done(now)


def _means(leg: "Leg") -> tuple[str, Body]:
    if leg.allows("UPDATE"):
        return "UPDATE", NO_BODY
    if leg.sent_body:
        return "INVITE", leg.sent_body
    return "OPTIONS", NO_BODY
