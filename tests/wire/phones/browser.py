"""A phone in a browser, as far as SIP goes: somebody else's WebSocket (the `websockets` library).

Its Via and Contact name a host that does not exist, so it can be reached by its connection only. It has no sound.
"""

import queue
import ssl
import threading
from collections.abc import Callable
from random import Random

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from switch.sip.digest import answer_challenge
from switch.sip.headers import Headers
from switch.sip.message import Request, Response, format_message, make_response
from switch.sip.parser import parse_message

TIMEOUT_S = 10.0
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)


class Browser:
    """One user's page with one connection."""

    def __init__(
        self, url: str, user: str, password: str, *, domain: str, tls: ssl.SSLContext | None, origin: str
    ) -> None:
        self.user = user
        self.domain = domain
        self._password = password
        self._random = Random()
        self._host = f"{self._token()}.invalid"
        self._connection = connect(
            url, ssl=tls, subprotocols=[Subprotocol("sip")], origin=Origin(origin), proxy=None
        )
        self.way = "WSS" if tls is not None else "WS"
        self.contact = f"<sip:{self.user}@{self._host};transport=ws>"
        self._inbox: queue.Queue[Request | Response] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        self._connection.close()
        self._reader.join()

    def register(self) -> Response:
        """The final answer to a REGISTER with the password."""
        return self._ask("REGISTER", f"sip:{self.domain}", f"<sip:{self.user}@{self.domain}>")

    def invite(self, dialled: str) -> Response:
        """The final answer to an INVITE; a 200 is acknowledged."""
        uri = f"sip:{dialled}@{self.domain}"
        answer = self._ask("INVITE", uri, f"<{uri}>", body=SDP)
        if answer.is_success:
            self._send(self.in_dialog("ACK", answer))
        return answer

    def answer_call(self) -> Request:
        """Waits for an INVITE, rings and answers."""
        invite = self.expect(lambda message: isinstance(message, Request) and message.method == "INVITE")
        assert isinstance(invite, Request)
        tag = self._token()
        for status in (180, 200):
            response = make_response(invite, status, to_tag=tag)
            response.headers.add("contact", self.contact)
            if status == 200:
                response.headers.add("content-type", "application/sdp")
                response.body = SDP
            self._send(response)
        self.expect(lambda message: isinstance(message, Request) and message.method == "ACK")
        return invite

    def hang_up(self, answer: Response) -> None:
        """BYE in the dialog that an INVITE of ours began."""
        self._send(self.in_dialog("BYE", answer))
        self.expect(lambda message: isinstance(message, Response) and message.cseq.method == "BYE")

    def expect_bye(self) -> None:
        bye = self.expect(lambda message: isinstance(message, Request) and message.method == "BYE")
        assert isinstance(bye, Request)
        self._send(make_response(bye, 200))

    def expect(self, accepts: Callable[[Request | Response], bool]) -> Request | Response:
        """The next message that is accepted; others are passed over."""
        while True:
            message = self._inbox.get(timeout=TIMEOUT_S)
            if accepts(message):
                return message

    def in_dialog(self, method: str, answer: Response) -> Request:
        contact = answer.contact
        assert contact is not None
        number = answer.cseq.number + (method != "ACK")
        headers = self._headers(method, answer.headers.get("to") or "", number, answer.call_id)
        headers.set("from", answer.headers.get("from") or "")
        return Request(method, contact.uri, headers)

    def _ask(self, method: str, uri: str, to: str, body: bytes = b"") -> Response:
        headers = self._headers(method, to, 1, self._token())
        headers.add("contact", f"{self.contact};expires=300" if method == "REGISTER" else self.contact)
        if body:
            headers.add("content-type", "application/sdp")
        request = Request(method, uri, headers, body)
        answer = self._final_answer(request)
        if answer.status not in (401, 407):
            return answer
        is_proxy = answer.status == 407
        if method == "INVITE":
            ack = Request("ACK", uri, headers.copy())
            ack.headers.set("cseq", "1 ACK")
            ack.headers.set("to", answer.headers.get("to") or "")
            ack.headers.remove("content-type")
            self._send(ack)
        credentials = answer_challenge(
            answer.headers.get_all("proxy-authenticate" if is_proxy else "www-authenticate"),
            method=method, uri=uri, username=self.user, password=self._password, cnonce=self._token(),
        )  # fmt: skip
        assert credentials is not None
        request.headers.set("cseq", f"2 {method}")
        request.headers.set("via", self._via())
        request.headers.add("proxy-authorization" if is_proxy else "authorization", credentials)
        request.forget()
        return self._final_answer(request)

    def _final_answer(self, request: Request) -> Response:
        self._send(request)
        found = self.expect(
            lambda message: (
                isinstance(message, Response) and message.cseq == request.cseq and message.status >= 200
            )
        )
        assert isinstance(found, Response)
        return found

    def _headers(self, method: str, to: str, number: int, call_id: str) -> Headers:
        return Headers.from_lines(
            [
                f"Via: {self._via()}",
                "Max-Forwards: 70",
                f"From: <sip:{self.user}@{self.domain}>;tag={self._token()}",
                f"To: {to}",
                f"Call-ID: {call_id}",
                f"CSeq: {number} {method}",
            ]
        )

    def _via(self) -> str:
        return f"SIP/2.0/{self.way} {self._host};branch=z9hG4bK{self._token()}"

    def _token(self) -> str:
        return f"{self._random.getrandbits(64):016x}"

    def _send(self, message: Request | Response) -> None:
        self._connection.send(format_message(message).decode())

    def _read(self) -> None:
        try:
            for message in self._connection:
                data = message.encode() if isinstance(message, str) else message
                if data.strip():
                    self._inbox.put(parse_message(data))
        except ConnectionClosed:
            pass
