"""Calls that the exchange makes by itself to a line, by the media server: a reminder, a ring back.

The media server is asked by a REFER outside a dialog (RFC 3515; Refer-Sub: false, RFC 4488, as nobody wants to be told)
to call the line through us: `Refer-To: <sip:LINE@US>`, in the Request-URI a token and the words that it is to say. Its
INVITE comes with `From: <sip:call.TOKEN@US>`, from its address, and is that line's call to itself: free, without the
line's diverts. A token is good once, for TOKEN_S.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from switch.calls.attempt import Attempt
from switch.calls.identity import CallerId, LineCaller
from switch.calls.number_plan import Dialled, DialProblem, Unrecognised
from switch.sip.errors import SipParseError
from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.host import host_port
from switch.sip.message import Request, Response
from switch.sip.uri import SipUri, escape_user

if TYPE_CHECKING:
    from switch.calls.pressed import OnPressed
    from switch.calls.switchboard import Switchboard
    from switch.sip.stack import ClientTransaction

TOKEN_S: Final = 40.0  # longer than a REFER is repeated
TOKENS_MAX: Final = 1000  # twenty reminders a second begin at most
CALLER_PREFIX: Final = "call."

Failed = Callable[[float], None]


class _OutCall:
    """One that the media server has been asked for. It hears what becomes of the REFER."""

    __slots__ = ("_calls", "failed", "on_pressed", "token", "until", "user")

    def __init__(
        self,
        calls: "OutCalls",
        token: str,
        user: str,
        failed: Failed,
        until: float,
        on_pressed: "OnPressed | None",
    ) -> None:
        self._calls = calls
        self.token = token
        self.user = user
        self.failed = failed
        self.until = until
        self.on_pressed = on_pressed

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status >= 300:
            self._calls.give_up(self, now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._calls.give_up(self, now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self._calls.give_up(self, now)


class OutCalls:
    """Owner of the tokens. Counters only grow."""

    __slots__ = ("_board", "_of_token", "asked", "failures")

    def __init__(self, board: "Switchboard") -> None:
        self._board = board
        self._of_token: dict[str, _OutCall] = {}
        self.asked = 0
        self.failures = 0

    def __len__(self) -> int:
        return len(self._of_token)

    def ring(
        self,
        user: str,
        words: Sequence[str],
        now: float,
        *,
        failed: Failed,
        keys: str = "",
        then: str = "",
        on_pressed: "OnPressed | None" = None,
    ) -> None:
        """`failed` is called when the line cannot be rung. `keys` and `then` as the media server understands them;
        `on_pressed` is what its REFER means then."""
        voicemail = self._board.voicemail
        if voicemail.flow is None or not voicemail.is_there or len(self._of_token) >= TOKENS_MAX:
            self.failures += 1
            failed(now)
            return
        token = self._board.tokens.tag()
        out_call = _OutCall(self, token, user, failed, now + TOKEN_S, on_pressed)
        self._of_token[token] = out_call
        self.asked += 1
        parameters = [f"token={token}", f"words={'.'.join(words)}"]
        parameters += [f"keys={keys}"] if keys else []
        parameters += [f"then={then}"] if then else []
        request = self._refer(voicemail.flow, user, ";".join(parameters))
        self._board.stack.send_request(request, voicemail.flow, out_call, now)

    def expects(self, request: Request, flow: Flow) -> bool:
        """Whether an INVITE is the media server's with a token of ours. Asked of every INVITE."""
        return bool(self._of_token) and self._find(request, flow) is not None

    def attempt_of(self, request: Request, flow: Flow, now: float) -> Attempt | None:
        """The line's call to itself, once."""
        out_call = self._find(request, flow)
        line = self._board.books.lines.get(out_call.user) if out_call is not None else None
        if out_call is None or line is None:
            return None
        del self._of_token[out_call.token]
        caller = LineCaller(line, self._board.books.account_of(line))
        nobody = Dialled(Unrecognised(DialProblem.EMPTY))
        return Attempt(
            caller,
            CallerId("", "", False),
            out_call.user,
            nobody,
            line,
            is_ours=True,
            failed=out_call.failed,
            on_pressed=out_call.on_pressed,
        )

    def give_up(self, out_call: _OutCall, now: float) -> None:
        """The media server will not call."""
        if self._of_token.pop(out_call.token, None) is not None:
            self.failures += 1
            out_call.failed(now)

    def on_second(self, now: float) -> None:
        for out_call in [each for each in self._of_token.values() if now >= each.until]:
            self.give_up(out_call, now)

    def _find(self, request: Request, flow: Flow) -> _OutCall | None:
        if not self._board.voicemail.is_from(flow):
            return None
        try:
            uri = request.from_.parsed_uri
        except SipParseError:
            return None
        user = uri.unescaped_user if isinstance(uri, SipUri) else ""
        return (
            self._of_token.get(user.removeprefix(CALLER_PREFIX)) if user.startswith(CALLER_PREFIX) else None
        )

    def _refer(self, flow: Flow, user: str, parameters: str) -> Request:
        board = self._board
        at = host_port(flow.remote_host, flow.remote_port)
        us = board.contact_of(flow)
        headers = Headers()
        headers.add("max-forwards", "70")
        headers.add("from", f"<sip:{board.domain}>;tag={board.tokens.tag()}")
        headers.add("to", f"<sip:call@{at}>")
        headers.add("call-id", board.tokens.call_id())
        headers.add("cseq", "1 REFER")
        headers.add("contact", us)
        headers.add("refer-to", us.replace("<sip:", f"<sip:{escape_user(user)}@", 1))
        headers.add("refer-sub", "false")
        return Request("REFER", f"sip:call@{at};{parameters}", headers)
