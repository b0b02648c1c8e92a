"""Who sent a request, asked before anything is kept of it: trunk by address, line by digest, or a challenge.

A request without credentials gets one stateless response: no transaction, no record, one counter. Wrong passwords and
unknown users get the same answer at the same cost. An emergency call is let through from the flow of a live binding
too, because a phone that cannot authenticate just then must still reach 999.
"""

from typing import Final

import msgspec
import structlog

from provisioning.model import DigestPolicy, Line
from switch.calls.admission import dialled_text
from switch.calls.counts import CallCounts
from switch.calls.identity import Caller, LineCaller, TrunkCaller
from switch.calls.number_plan import Emergency, read_dialled
from switch.calls.own_answers import answer_options, refuse_extensions, refuse_method
from switch.calls.restart import SIGNATURE_BYTES
from switch.calls.switchboard import Switchboard
from switch.sip.counts import METHODS, OTHER_METHOD
from switch.sip.digest import OFFER_BOTH, OFFER_MD5, OFFER_SHA_256, DigestAuthority, Ha1s, Outcome
from switch.sip.errors import SipParseError
from switch.sip.flow import Flow
from switch.sip.message import Request, Response, make_response
from switch.sip.uri import SipUri

OFFERS: Final = {
    DigestPolicy.MD5: OFFER_MD5,
    DigestPolicy.BOTH: OFFER_BOTH,
    DigestPolicy.SHA256: OFFER_SHA_256,
}
IN_DIALOG_ONLY: Final = frozenset({"BYE", "INFO", "PRACK", "UPDATE", "NOTIFY"})
# Lines named in the log because their phone logs in as user@domain: each once, for it tries again every minute.
LINES_NAMED_MAX: Final = 1000

log = structlog.get_logger(__name__)


class Identified(msgspec.Struct):
    """The request may go on, as this caller's."""

    caller: Caller


class Screening:
    """The door behind the parser. One a process."""

    __slots__ = ("_board", "_digest", "_lines_named")

    def __init__(self, board: Switchboard, digest: DigestAuthority) -> None:
        self._board = board
        self._digest = digest
        self._lines_named: set[str] = set()

    @property
    def _counts(self) -> CallCounts:
        return self._board.counts

    def screen(self, request: Request, flow: Flow, now: float) -> Response | Identified:
        """Judge a request outside a dialog."""
        refused = refuse_extensions(request)
        if refused is not None:
            return refused
        match request.method:
            case "INVITE":
                return self._screen_invite(request, flow, now)
            case "REGISTER":
                return self._screen_login(request, flow, now, header="authorization", status=401)
            case "OPTIONS":
                return answer_options(request)
            case method if method in IN_DIALOG_ONLY:
                return make_response(request, 481)
            case method:
                self._counts.unidentified[method if method in METHODS else OTHER_METHOD] += 1
                return refuse_method(request)

    def _screen_invite(self, request: Request, flow: Flow, now: float) -> Response | Identified:
        trunk = self._board.conf.trunk_of(flow.remote_host, flow.remote_port)
        if trunk is not None:
            return Identified(TrunkCaller(trunk))
        verdict = self._screen_login(request, flow, now, header="proxy-authorization", status=407)
        if isinstance(verdict, Response):
            line = self._emergency_line(request, flow, now)
            if line is not None:
                return Identified(LineCaller(line, self._board.books.account_of(line)))
        return verdict

    def _screen_login(
        self, request: Request, flow: Flow, now: float, *, header: str, status: int
    ) -> Response | Identified:
        values = request.headers.get_all(header)
        if not values:
            self._counts.unidentified[request.method] += 1
            return self._challenge(request, now, status=status)
        verdict = self._digest.verify(request, values, now, self._ha1s_of)
        self._counts.logins[verdict.outcome.value] += 1
        if verdict.outcome is Outcome.OK:
            line = self._board.books.lines[verdict.user]
            return Identified(LineCaller(line, self._board.books.account_of(line)))
        if verdict.outcome is Outcome.MALFORMED:
            return make_response(request, 400, verdict.reason)
        if verdict.outcome is Outcome.USER_AT_DOMAIN:
            self._name_line(verdict.user, flow)
        return self._challenge(request, now, status=status, stale=verdict.outcome is Outcome.STALE)

    def _challenge(self, request: Request, now: float, *, status: int, stale: bool = False) -> Response:
        """401 or 407, in the algorithms for the user that the request claims to be from."""
        offer = self._offer_to(_claimed_user(request))
        response = make_response(request, status)
        name = "proxy-authenticate" if status == 407 else "www-authenticate"
        for challenge in self._digest.challenges(now, offer, stale=stale):
            response.headers.add(name, challenge)
        return response

    def _offer_to(self, user: str) -> tuple[str, ...]:
        """The algorithms that a user is asked for: a line's by its policy, a stranger's like some line's.

        The stranger's are looked up for a line, too: both take the same steps.
        """
        stand_in = self._policy_of_stranger(user)
        line = self._board.books.lines.get(user)
        return OFFERS[line.digest if line is not None else stand_in]

    def _policy_of_stranger(self, user: str) -> DigestPolicy:
        """Picked by a keyed hash of the name, each policy as often as lines have it: what a name is asked for
        says nothing of whether it exists, and neither does asking again, now or after a restart."""
        in_use = self._board.books.digest_policies
        if len(in_use) < 2:
            return next(iter(in_use), DigestPolicy.MD5)
        place = int(self._board.sign(f"no such line: {user}"), 16) * in_use.total() >> 8 * SIGNATURE_BYTES
        for policy in DigestPolicy:
            place -= in_use[policy]
            if place < 0:
                break
        return policy

    def _name_line(self, user: str, flow: Flow) -> None:
        """Tell the operator what to change in this phone. Strangers are not worth a line in the log."""
        named = self._lines_named
        if user in self._board.books.lines and user not in named and len(named) < LINES_NAMED_MAX:
            named.add(user)
            log.warning(
                "login_as_user_at_domain",
                line=user,
                remote=f"{flow.remote_host}:{flow.remote_port}",
                expected="the line's name alone as the phone's authentication name",
            )

    def _emergency_line(self, request: Request, flow: Flow, now: float) -> Line | None:
        """The line that this flow is registered for, if the call is to an emergency service."""
        user = self._board.bindings.user_at(flow, _claimed_user(request), now)
        if user is None:
            return None
        line = self._board.books.lines.get(user)
        dialled = read_dialled(dialled_text(request), self._board.conf.routing.plan)
        return line if isinstance(dialled.destination, Emergency) else None

    def _ha1s_of(self, user: str) -> Ha1s:
        offer = self._offer_to(user)
        line = self._board.books.lines.get(user)
        if line is None or line.realm != self._digest.realm:
            return Ha1s("", "", offer)
        return Ha1s(line.ha1_md5, line.ha1_sha256, offer)


def _claimed_user(request: Request) -> str:
    """The user part that the request claims to be from, "" where it names none."""
    try:
        uri = (request.to if request.method == "REGISTER" else request.from_).parsed_uri
    except SipParseError:
        return ""
    return uri.unescaped_user if isinstance(uri, SipUri) else ""
