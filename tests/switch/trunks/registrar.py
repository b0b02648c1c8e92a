"""A carrier's registrar on the link: takes REGISTER as told, and is a phone of the house for calls."""

from random import Random

from switch.sip.digest import OFFER_MD5, DigestAuthority, Ha1s, Outcome
from switch.sip.digest_values import MD5, ha1
from switch.sip.flow import Flow
from switch.sip.message import Request, make_response
from switch.sip.stack import ServerTransaction
from tests.switch.house import House, Phone

REALM = "carrier.example"


class Registrar(Phone):
    """`answers` are statuses to be given first, one a REGISTER; then a challenge and 200, or `refusal`."""

    def __init__(
        self, house: House, host: str, *, password: str = "secret", granted_s: int | None = None
    ) -> None:
        super().__init__(house, "carrier", (host, 5060))
        self.answers: list[tuple[int, list[tuple[str, str]]]] = []
        self.challenges = True
        self.granted_s = granted_s
        self.fields_of_200: list[tuple[str, str]] = []
        self.refusal = 0
        self.asked_at: list[float] = []
        self._account = Ha1s(ha1("offhook42", REALM, password, MD5), "", OFFER_MD5)
        self._digest = DigestAuthority(REALM, Random(3).randbytes(32), nonce_lifetime_s=300)

    @property
    def registers(self) -> list[Request]:
        return self.requests_of("REGISTER")

    @property
    def contact_user(self) -> str:
        """The user of the Contact that we registered last."""
        return self.registers[-1].contacts[0].uri.removeprefix("sip:").partition("@")[0]

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        if request.method != "REGISTER":
            super().on_request(transaction, request, flow, now)
            return
        self.requests.append(request)
        self.asked_at.append(now)
        status, fields = self._judge(request, now)
        response = make_response(request, status, to_tag=self.tokens.tag())
        for name, value in fields:
            response.headers.add(name, value)
        transaction.respond(response, now)

    def _judge(self, request: Request, now: float) -> tuple[int, list[tuple[str, str]]]:
        if self.answers:
            return self.answers.pop(0)
        if self.challenges:
            values = request.headers.get_all("authorization")
            verdict = (
                self._digest.verify(request, values, now, lambda user: self._account) if values else None
            )
            if verdict is None or verdict.outcome is not Outcome.OK:
                challenge = self._digest.challenges(now, OFFER_MD5)
                return 401, [("www-authenticate", value) for value in challenge]
        if self.refusal:
            return self.refusal, []
        asked = request.headers.get("expires") or "0"
        granted = asked if asked == "0" or self.granted_s is None else str(self.granted_s)
        contact = f"<{request.contacts[0].uri}>;expires={granted}"
        return 200, [("contact", contact), *self.fields_of_200]
