"""Somebody without a stack who speaks to the exchange of a House in single messages, from wherever he likes."""

from switch.conf_security import Security
from switch.sip.digest import answer_challenge
from switch.sip.flow import UDP, Flow
from switch.sip.message import Response
from switch.sip.parser import parse_message
from tests.switch.house import DOMAIN, EXCHANGE, REALM, House

GUESSER = ("198.51.100.7", 5060)
CNONCE = "c0ffee"


def flow_from(address: tuple[str, int], transport: str = UDP, connection: str = "") -> Flow:
    return Flow(transport, *address, *EXCHANGE, connection)


class Stranger:
    """Whoever sends from this address. `now` stands still unless told."""

    def __init__(self, house: House, address: tuple[str, int] = GUESSER, *, transport: str = UDP) -> None:
        self.house = house
        self.flow = flow_from(address, transport, "" if transport == UDP else "c1")
        self.count = 0
        self.last_sent = b""
        self.last_answer = b""

    def send(self, data: bytes) -> list[Response]:
        """What comes back to this address for it, at once."""
        exchange = self.house.exchange
        exchange.outgoing.clear()
        self.last_sent = data
        exchange.receive(data, self.flow, self.house.clock.now)
        answers = [sent for flow, sent in exchange.outgoing if flow.remote_host == self.flow.remote_host]
        exchange.outgoing.clear()
        self.last_answer = answers[0] if answers else b""
        return [message for sent in answers if isinstance(message := parse_message(sent), Response)]

    def ask(
        self,
        method: str,
        user: str = "alice",
        *,
        uri: str = "",
        to: str = "",
        fields: str = "",
        agent: str = "x",
    ) -> Response | None:
        """The one answer to a request of this user, or None."""
        answers = self.send(self.request(method, user, uri=uri, to=to, fields=fields, agent=agent))
        assert len(answers) <= 1
        return answers[0] if answers else None

    def request(
        self, method: str, user: str, *, uri: str = "", to: str = "", fields: str = "", agent: str = "x"
    ) -> bytes:
        self.count += 1
        host, port = self.flow.remote_host, self.flow.remote_port
        sent_by = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        to = to or f"<sip:{user}@{DOMAIN}>"
        return (
            f"{method} {uri or f'sip:{DOMAIN}'} SIP/2.0\r\n"
            f"Via: SIP/2.0/{self.flow.transport} {sent_by};rport;branch=z9hG4bK{host}{port}-{self.count}\r\n"
            f"From: <sip:{user}@{DOMAIN}>;tag=f{self.count}\r\nTo: {to}\r\n"
            f"Call-ID: {host}-{port}-{self.count}\r\nCSeq: {self.count} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{user}@{sent_by}>\r\nUser-Agent: {agent}\r\n{fields}Content-Length: 0\r\n\r\n"
        ).encode("utf-8", "surrogateescape")

    def credentials(
        self, challenge: Response, method: str, *, user: str, password: str, uri: str = "", nc: int = 1
    ) -> str:
        """The header line that answers a 401 or 407."""
        is_proxy = challenge.status == 407
        answer = answer_challenge(
            challenge.headers.get_all("proxy-authenticate" if is_proxy else "www-authenticate"),
            method=method,
            uri=uri or f"sip:{DOMAIN}",
            username=user,
            password=password,
            cnonce=CNONCE,
            nc=nc,
            realm=REALM,
        )
        assert answer is not None
        return f"{'Proxy-Authorization' if is_proxy else 'Authorization'}: {answer}\r\n"

    def log_in(
        self, user: str = "alice", password: str = "wrong", method: str = "REGISTER", *, login: str = ""
    ) -> int:
        """Fetch a challenge and answer it, under the name `login` if given: the last status, 0 for no answer."""
        challenge = self.ask(method, user)
        if challenge is None:
            return 0
        line = self.credentials(challenge, method, user=login or user, password=password)
        answer = self.ask(method, user, fields=line)
        return 0 if answer is None else answer.status


def strict(**changes: object) -> Security:
    return Security(**{"login_failures_max": 5, "login_failures_per_line_max": 1000, **changes})
