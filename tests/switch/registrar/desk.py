"""A registrar to ask, with its bindings; and what it answers in short."""

from hashlib import blake2b

import msgspec

from switch.registrar.bindings import Bindings, RegistrarLimits
from switch.registrar.gruu import Gruus
from switch.registrar.pings import PingLimits, PingSchedule
from switch.registrar.registrar import RegisterResult, Registrar
from switch.sip.flow import Flow
from switch.sip.message import Request
from tests.switch.registrar.phones import PHONE

DOMAIN = "exchange.example.org"


def sign(text: str) -> str:
    """As the exchange's own, with another key."""
    return blake2b(text.encode(), key=b"key of a test", digest_size=6).hexdigest()


class Desk:
    """A registrar, its bindings, and short ways to ask. Without jitter, unless a test is about it."""

    def __init__(self, limits: RegistrarLimits | None = None, *, jitter_percent: int = 0) -> None:
        limits = msgspec.structs.replace(limits or RegistrarLimits(), expires_jitter_percent=jitter_percent)
        self.bindings = Bindings(limits)
        self.pings = PingSchedule(PingLimits(), lambda: 0.0)
        self.registrar = Registrar(self.bindings, limits, self.pings, Gruus(DOMAIN, sign))

    def ask(
        self, request: Request, *, user: str = "alice", flow: Flow = PHONE, now: float = 0.0
    ) -> RegisterResult:
        return self.registrar.register(request, user, flow, now)

    def contacts(self, user: str = "alice", now: float = 0.0) -> list[str]:
        return [each.contact for each in self.bindings.of(user, now)]


def listed(result: RegisterResult) -> list[str]:
    assert result.status == 200
    assert all(name == "Contact" for name, _ in result.headers)
    return [value for _, value in result.headers]
