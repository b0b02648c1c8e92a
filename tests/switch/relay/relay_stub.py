"""The relay as a house of tests has it: ports to give, and everything that it was told, by endpoint."""

from collections.abc import Sequence

from media.course import pack_course
from media.relay.messages import (
    Aim,
    Attach,
    Bridge,
    Close,
    Figures,
    FromSwitch,
    Granted,
    Heard,
    Hello,
    Open,
    Release,
    Silent,
    Watch,
)
from switch.relay.relay import Relay
from tests.switch.house import House

HOST = "192.0.2.1"
HOST_IPV6 = "2001:db8::1"
# Two seconds of speech, as the relay counts them.
COURSE = pack_course(
    [(100, 50, 0, 400, False), (100, 47, 3, 400, False)],
    length_ms=2_000, first_ms=20, last_ms=1_990, gap_ms=21, gap_at_ms=2_000,
)  # fmt: skip
PORTS = tuple(range(20_000, 20_200, 2))


class RelayStub:
    """`take` reads what was said since; then `opened`, `aims`, `bridges`, `closed` say where things stand."""

    def __init__(self, house: House) -> None:
        self.house = house
        assert house.exchange.relay is not None
        self.relay: Relay = house.exchange.relay
        self.said: list[FromSwitch] = []

    def arrive(self, epoch: str = "relay-1", ports: Sequence[int] = PORTS) -> None:
        now = self.house.clock.now
        self.relay.hear(Hello(epoch), now)
        self.relay.hear(Granted(HOST, tuple(ports)), now)
        self.relay.hear(Granted(HOST_IPV6, tuple(ports)), now)

    def take(self) -> list[FromSwitch]:
        fresh, self.relay.outgoing = self.relay.outgoing, []
        self.said += fresh
        return fresh

    @property
    def opened(self) -> dict[int, Open]:
        self.take()
        return {each.endpoint: each for each in self.said if isinstance(each, Open)}

    @property
    def aims(self) -> dict[int, Aim]:
        """The newest of each endpoint."""
        self.take()
        return {each.endpoint: each for each in self.said if isinstance(each, Aim)}

    @property
    def bridges(self) -> list[tuple[int, int]]:
        self.take()
        return [(each.a, each.b) for each in self.said if isinstance(each, Bridge)]

    @property
    def watches(self) -> list[Watch]:
        self.take()
        return [each for each in self.said if isinstance(each, Watch)]

    @property
    def closed(self) -> list[int]:
        self.take()
        return [each.endpoint for each in self.said if isinstance(each, Close)]

    @property
    def greetings(self) -> list[Attach | Release]:
        self.take()
        return [each for each in self.said if isinstance(each, Attach | Release)]

    def fall_silent(self, endpoint: int, for_s: float) -> None:
        self.relay.hear(Silent(endpoint, for_s), self.house.clock.now)

    def is_heard_again(self, endpoint: int) -> None:
        self.relay.hear(Heard(endpoint), self.house.clock.now)

    def count(self, endpoint: int, *, packets: int, is_closed: bool = True) -> None:
        """The last figures of an endpoint, or those that were asked for."""
        figures = Figures(
            endpoint, "PCMA", packets, packets * 172, 3, 2, 1, 400, 900, 21_000, 0, 441, packets, packets * 172, 30.0,
            0.1, "192.0.2.10", 4000, {"stranger": 2}, is_closed=is_closed, course=COURSE,
        )  # fmt: skip
        self.relay.hear(figures, self.house.clock.now)
