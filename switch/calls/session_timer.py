"""The session timer of one leg: who refreshes, how often, and when the leg counts as lost (RFC 4028).

Each side of a call has its own. What is announced to a peer that speaks `timer` is kept as the RFC says: the
refresher refreshes at half the interval, the other side hangs up shortly before its end. A peer that does not speak
it is refreshed by us all the same, without a word in the headers: it is how a call whose end has vanished is noticed
at all. What a refresh is, is in refresh.py; what becomes of the call and of the money, in vanished.py.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from switch.calls.passing import Fields
from switch.config import MIN_SE_S
from switch.sip.errors import SipParseError
from switch.sip.fields import parse_delta_seconds
from switch.sip.headers import Headers
from switch.sip.message import Request, Response, make_response
from switch.sip.option_tags import SESSION_TIMER, names

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.sip.timers import Timer

# Longer ones are as good as none, and a timer has to be a number that a clock can hold.
INTERVAL_MAX_S: Final = 86_400
GRACE_S: Final = 32  # 10: the BYE comes so long, or a third of the interval, before the end
BUSY_RETRY_S: Final = 4.0  # a refresh that would meet an open offer waits as long as T2

UAC: Final = "uac"
UAS: Final = "uas"


class SessionExpires(msgspec.Struct, frozen=True):
    """`refresher` is "uac", "uas" or "" where it is not said."""

    interval_s: int
    refresher: str


class SessionTimer:
    """Runs from the answer to the end of a leg. `is_ours`: we refresh. `is_announced`: the peer knows of it.

    It holds its leg only while it runs: a leg that has ended is nobody's cycle.
    """

    __slots__ = ("_timer", "interval_s", "is_announced", "is_ours")

    def __init__(self) -> None:
        self._timer: Timer | None = None
        self.interval_s = 0
        self.is_ours = False
        self.is_announced = False

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def request_fields(self) -> Fields:
        """For a re-INVITE or UPDATE of ours: the interval and who refreshes, as they are (7.4)."""
        if not self.is_announced:
            return []
        return [("session-expires", f"{self.interval_s};refresher={UAC if self.is_ours else UAS}")]

    def accept(self, leg: "Leg", request: Request, now: float) -> Fields:
        """Take a session request of the peer's and say what goes into the 2xx (9 and its table 2)."""
        asked = session_expires(request.headers)
        # A UAC that names itself refresher means to refresh, whether or not it remembered Supported.
        is_volunteer = asked is not None and asked.refresher == UAC
        speaks = is_volunteer or names(request.headers, "supported", SESSION_TIMER)
        if asked is not None and asked.interval_s < MIN_SE_S:
            asked = None  # only an emergency call gets here with it (is_too_brief)
        ours_s = leg.board.conf.calls.session_expires_s
        if asked is None:
            self._set(leg, ours_s, is_ours=not speaks, is_announced=speaks, now=now)
        else:
            least_s = max(min_se(request.headers), MIN_SE_S)
            interval_s = max(min(asked.interval_s, ours_s or asked.interval_s), least_s)
            is_ours = not speaks or asked.refresher == UAS
            self._set(leg, min(interval_s, asked.interval_s), is_ours=is_ours, is_announced=True, now=now)
        if not self.is_announced:
            return []
        fields = [("session-expires", f"{self.interval_s};refresher={UAS if self.is_ours else UAC}")]
        return fields if self.is_ours else [("require", SESSION_TIMER), *fields]

    def conclude(self, leg: "Leg", response: Response, now: float) -> None:
        """The peer's 2xx to a session request of ours (7.2). One without Session-Expires leaves the refreshes to
        us."""
        found = session_expires(response.headers)
        if found is None:
            ours_s = leg.board.conf.calls.session_expires_s
            self._set(leg, ours_s, is_ours=True, is_announced=False, now=now)
        else:
            interval_s = min(max(found.interval_s, MIN_SE_S), INTERVAL_MAX_S)
            self._set(leg, interval_s, is_ours=found.refresher != UAS, is_announced=True, now=now)

    def again(self, leg: "Leg", now: float, *, delay_s: float | None = None) -> None:
        """Count anew from now; `delay_s` for a refresh that could not be made just then."""
        self.stop()
        if not self.interval_s:
            return
        due_s = delay_s
        if due_s is None:
            due_s = self.interval_s / 2
            if not self.is_ours:
                due_s = self.interval_s - min(GRACE_S, self.interval_s / 3)
        self._timer = leg.board.timers.start(now, due_s, leg.on_session_due)

    def _set(self, leg: "Leg", interval_s: int, *, is_ours: bool, is_announced: bool, now: float) -> None:
        self.interval_s = min(interval_s, INTERVAL_MAX_S)
        self.is_ours = is_ours
        self.is_announced = is_announced and interval_s > 0
        self.again(leg, now)



def session_expires(headers: Headers) -> SessionExpires | None:
    """Session-Expires, None without one that can be read."""
    value = headers.get("session-expires")
    if value is None:
        return None
    digits, *params = value.split(";")
    try:
        interval_s = parse_delta_seconds(digits.strip(" \t"))
    except SipParseError:
        return None
    for param in params:
        name, _, said = param.partition("=")
        said = said.strip(" \t").lower()
        if name.strip(" \t").lower() == "refresher" and said in (UAC, UAS):
            return SessionExpires(interval_s, said)
    return SessionExpires(interval_s, "")


def min_se(headers: Headers) -> int:
    """Min-SE, 0 without one that can be read."""
    value = headers.get("min-se")
    if value is None:
        return 0
    try:
        return parse_delta_seconds(value.split(";")[0].strip(" \t"))
    except SipParseError:
        return 0


def is_too_brief(request: Request) -> bool:
    """Whether a session request asks for refreshes more often than RFC 4028 5 lets anybody ask for."""
    asked = session_expires(request.headers)
    return asked is not None and asked.interval_s < MIN_SE_S


def refuse_brief_session(request: Request) -> Response:
    response = make_response(request, 422)
    response.headers.add("min-se", str(MIN_SE_S))
    return response
