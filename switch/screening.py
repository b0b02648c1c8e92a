"""Who sent a request, asked before anything is kept of it: trunk by address, line by digest, or a challenge.

A line may be a customer's trunk that is known by its address, too; a carrier's addresses go first.

A request without credentials gets one stateless response: no transaction, no record, one counter. Wrong passwords and
unknown users get the same answer at the same cost; who guesses is the door's business (switch/door/). An emergency
call is let through from the flow of a live binding too, because a phone that cannot authenticate just then must still
reach 999.
"""

from typing import Final

import msgspec
import structlog

from provisioning.model import DigestPolicy, Line
from switch.calls.attempt import dialled_text, is_for_us
from switch.calls.counts import CallCounts
from switch.calls.identity import Caller, LineCaller, TrunkCaller
from switch.calls.number_plan import Emergency, read_dialled
from switch.calls.own_answers import answer_options, refuse_extensions, refuse_method
from switch.calls.restart import SIGNATURE_BYTES
from switch.calls.switchboard import Switchboard
from switch.door.door import Door
from switch.door.sources import source_of
from switch.registrar.refused_logins import RefusedLogins
from switch.sip.counts import METHODS, OTHER_METHOD
from switch.sip.digest import OFFER_BOTH, OFFER_MD5, OFFER_SHA_256, DigestAuthority, Ha1s, Outcome
from switch.sip.errors import SipParseError
from switch.sip.flow import WEBSOCKETS, Flow
from switch.sip.host import host_port
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
# A right login that counts for nothing, because its source guesses: in the counts, beside the outcomes of digest.
SHUT_OUT: Final = "shut_out"

log = structlog.get_logger(__name__)


class Identified(msgspec.Struct):
    """The request may go on, as this caller's."""

    caller: Caller


class Screening:
    """The door behind the parser. One a process."""

    __slots__ = ("_board", "_digest", "_door", "_lines_named", "_refused")

    def __init__(
        self, board: Switchboard, digest: DigestAuthority, door: Door, refused: RefusedLogins
    ) -> None:
        self._board = board
        self._digest = digest
        self._door = door
        self._refused = refused
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
            case "MESSAGE":
                return self._screen_message(request, flow, now)
            case "SUBSCRIBE" | "PUBLISH":
                return self._screen_line(request, flow, now)
            case "OPTIONS":
                return self._answer_options(request, flow)
            case method if method in IN_DIALOG_ONLY:
                return make_response(request, 481)
            case method:
                self._counts.unidentified[method if method in METHODS else OTHER_METHOD] += 1
                return refuse_method(request)

    def _screen_invite(self, request: Request, flow: Flow, now: float) -> Response | Identified:
        trunk = None if flow.transport in WEBSOCKETS else self._board.trunks.caller_of(request, flow)
        if trunk is not None:
            return Identified(TrunkCaller(trunk))
        line = self._board.books.line_at(flow)
        if line is not None:
            return Identified(LineCaller(line, self._board.books.account_of(line)))
        verdict = self._screen_login(request, flow, now, header="proxy-authorization", status=407)
        if isinstance(verdict, Response):
            line = self._emergency_line(request, flow, now)
            if line is not None:
                return Identified(LineCaller(line, self._board.books.account_of(line)))
        return verdict

    def login(self, request: Request, flow: Flow, now: float) -> str | Response:
        """The line that a request inside a dialog proves to be from, or the challenge."""
        verdict = self._screen_login(request, flow, now, header="authorization", status=401)
        if isinstance(verdict, Response):
            return verdict
        assert isinstance(verdict.caller, LineCaller)
        return verdict.caller.line.user

    def _screen_line(self, request: Request, flow: Flow, now: float) -> Response | Identified:
        """What only lines may ask for. A carrier has no subscriptions here."""
        if self._board.trunks.trunk_at(flow.remote_host, flow.remote_port) is not None:
            return make_response(request, 403)
        return self._screen_login(request, flow, now, header="authorization", status=401)

    def _screen_message(self, request: Request, flow: Flow, now: float) -> Response | Identified:
        """A text goes through us to somebody, as an INVITE does. A carrier's is taken where its trunk says so."""
        trunk = None if flow.transport in WEBSOCKETS else self._board.trunks.caller_of(request, flow)
        if trunk is not None:
            return Identified(TrunkCaller(trunk)) if trunk.messages else make_response(request, 403)
        return self._screen_login(request, flow, now, header="proxy-authorization", status=407)

    def _screen_login(
        self,
        request: Request,
        flow: Flow,
        now: float,
        *,
        header: str,
        status: int,
        user: str | None = None,
        heeds_bans: bool = True,
    ) -> Response | Identified:
        """`user` is whom to challenge, where that is known better than from what the request claims."""
        values = request.headers.get_all(header)
        if not values:
            self._counts.unidentified[request.method] += 1
            return self._challenge(request, flow, now, status=status, user=user)
        source = source_of(flow.remote_host)
        verdict = self._digest.verify(request, values, now, self._ha1s_of, source=source)
        if verdict.outcome is Outcome.OK and heeds_bans and self._door.shuts_out(verdict.user, flow, now):
            self._counts.logins[SHUT_OUT] += 1
            self._refused.note(SHUT_OUT, verdict.user, request, flow, now)
            return self._challenge(request, flow, now, status=status, user=user)
        self._counts.logins[verdict.outcome.value] += 1
        if verdict.outcome is Outcome.OK:
            self._refused.succeeded(verdict.user, flow)
            line = self._board.books.lines[verdict.user]
            return Identified(LineCaller(line, self._board.books.account_of(line)))
        self._refused.note(verdict.outcome.value, verdict.user or claimed_user(request), request, flow, now)
        if verdict.is_bad_login:
            self._door.login_failed(verdict.user, flow, now)
        if verdict.outcome is Outcome.MALFORMED:
            return make_response(request, 400, verdict.reason)
        if verdict.outcome is Outcome.USER_AT_DOMAIN:
            self._name_line(verdict.user, flow)
        is_stale = verdict.outcome is Outcome.STALE
        return self._challenge(request, flow, now, status=status, user=user, stale=is_stale)

    def screen_login_of(
        self, user: str, request: Request, flow: Flow, now: float, *, heeds_bans: bool
    ) -> Response | None:
        """None when a request proves to be of this line: one in its dialog that came from elsewhere."""
        verdict = self._screen_login(
            request, flow, now, header="proxy-authorization", status=407, user=user, heeds_bans=heeds_bans
        )
        if isinstance(verdict, Response):
            return verdict
        caller = verdict.caller
        if isinstance(caller, LineCaller) and caller.line.user == user:
            return None
        return self._challenge(request, flow, now, status=407, user=user)

    def _answer_options(self, request: Request, flow: Flow) -> Response:
        """11.2: the same for every line, whether it exists or not. Another domain is not here, as for a REGISTER."""
        trunk = self._board.trunks.trunk_at(flow.remote_host, flow.remote_port)
        if trunk is None and not is_for_us(request, self._board):
            return make_response(request, 404)
        return answer_options(request)

    def _challenge(
        self,
        request: Request,
        flow: Flow,
        now: float,
        *,
        status: int,
        user: str | None = None,
        stale: bool = False,
    ) -> Response:
        """401 or 407, in the algorithms for `user`, or for whom the request claims to be from."""
        offer = self._offer_to(claimed_user(request) if user is None else user)
        response = make_response(request, status)
        name = "proxy-authenticate" if status == 407 else "www-authenticate"
        source = source_of(flow.remote_host)
        for challenge in self._digest.challenges(now, offer, source=source, stale=stale):
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
                remote=host_port(flow.remote_host, flow.remote_port),
                expected="the line's name alone as the phone's authentication name",
            )

    def _emergency_line(self, request: Request, flow: Flow, now: float) -> Line | None:
        """The line that this flow is registered for, if the call is to an emergency service."""
        user = self._board.bindings.user_at(flow, claimed_user(request), now)
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


def claimed_user(request: Request) -> str:
    """The user part that the request claims to be from, "" where it names none."""
    try:
        uri = (request.to if request.method == "REGISTER" else request.from_).parsed_uri
    except SipParseError:
        return ""
    return uri.unescaped_user if isinstance(uri, SipUri) else ""
