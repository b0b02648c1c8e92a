"""Somebody at the voicemail server's address: a phone of the house that answers OPTIONS and takes what it is sent."""

import msgspec

from provisioning.model import Divert, DivertCondition, DivertKind
from switch.conf_values import Address
from switch.conf_voicemail import Voicemail
from switch.config import Conf
from switch.sip.flow import Flow
from switch.sip.message import Request, make_response
from switch.sip.stack import ServerTransaction
from tests.switch.house import ANSWER, House, Phone, make_conf

VOICEMAIL_AT = ("192.0.2.70", 5070)
ALL, BUSY, NO_REPLY, UNREACHABLE, DECLINED = DivertCondition
PROBED_S = 1.2  # from the start until the switch knows that it is there


def voicemail_conf(conf: Conf | None = None, **settings: object) -> Conf:
    voicemail = Voicemail(sip=Address(*VOICEMAIL_AT), **settings)
    return msgspec.structs.replace(conf or make_conf(), voicemail=voicemail)


def to_voicemail(*conditions: DivertCondition, ring_s: int = 15) -> tuple[Divert, ...]:
    return tuple(
        Divert(condition, DivertKind.VOICEMAIL, ring_s=ring_s if condition is NO_REPLY else 0)
        for condition in conditions
    )


class StandIn(Phone):
    """Answers INVITEs at once, like a phone that does not ring."""

    def __init__(self, house: House, **settings: object) -> None:
        super().__init__(house, "voicemail", VOICEMAIL_AT, **settings)
        self.ring_status = 0
        self.answer_after_s = 0.05
        self.life = "Offhook-Voicemail (1)"
        self._forgotten: set[str] = set()
        house.run(PROBED_S)

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        if request.call_id in self._forgotten:
            self.requests.append(request)
            transaction.respond(make_response(request, 481), now)
        elif request.method == "OPTIONS" and request.to_tag is None:
            self.requests.append(request)
            response = make_response(request, 200, to_tag=self.tokens.tag())
            response.headers.add("server", self.life)
            transaction.respond(response, now)
        else:
            super().on_request(transaction, request, flow, now)

    def die(self) -> None:
        """And another one is there at once, which knows of no call."""
        self.life += "1"
        self._forgotten |= {dialog.call_id for dialog in self.dialogs}

    def go_away(self) -> None:
        """Nothing reaches it any more, and its time stands still."""
        self.house.link.detach(VOICEMAIL_AT)

    def come_back(self) -> None:
        self.house.link.attach(self.stack, self.timers, VOICEMAIL_AT)

    def announces(self, status: int, *, after_s: float = 3.0) -> None:
        """From now on: early media, then this."""
        self.ring_status, self.ring_body = 183, ANSWER
        self.answer, self.answer_after_s = status, after_s

    @property
    def asked(self) -> list[str]:
        """The Request-URIs of its INVITEs, without the host."""
        suffix = f"@{VOICEMAIL_AT[0]}:{VOICEMAIL_AT[1]}"
        invites = [invite for invite in self.requests_of("INVITE") if invite.to_tag is None]
        return [invite.uri.removeprefix("sip:").replace(suffix, "") for invite in invites]
