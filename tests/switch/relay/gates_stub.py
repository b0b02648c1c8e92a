"""The browsers' process as a house of tests has it: gates to give, and everything that it was told."""

from typing import TypeVar

from media.browser.messages import Aim, Close, Connect, FromSwitch, Gate, Granted, Hello, Lost, Take
from switch.relay.browser_gates import BrowserGates
from tests.switch.house import House

FINGERPRINT = ("sha-256", ":".join(["CD"] * 32))
Kind = TypeVar("Kind", Aim, Close, Connect, Take)


class GatesStub:
    """`of(kind)` are all messages of a kind so far."""

    def __init__(self, house: House) -> None:
        self.house = house
        relay = house.exchange.relay
        assert relay is not None and relay.gates is not None
        self.gates: BrowserGates = relay.gates
        self.said: list[FromSwitch] = []

    def arrive(self, epoch: str = "browsers-1", count: int = 8) -> None:
        now = self.house.clock.now
        self.gates.hear(Hello(epoch, FINGERPRINT), now)
        granted = (
            Gate(
                number,
                f"uf{number}",
                f"pw{number}",
                (("192.0.2.1", 30_000 + number),),
                "127.0.0.1",
                40_000 + 2 * number,
            )
            for number in range(1, count + 1)
        )
        self.gates.hear(Granted(tuple(granted)), now)

    def lose(self, gate: int, reason: str = "gone") -> None:
        self.gates.hear(Lost(gate, reason), self.house.clock.now)

    def of(self, kind: type[Kind]) -> list[Kind]:
        fresh, self.gates.outgoing = self.gates.outgoing, []
        self.said += fresh
        return [each for each in self.said if isinstance(each, kind)]
