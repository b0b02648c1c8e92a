"""Somebody at the books' end of an exchange without sockets: hears what customers change, and answers as told."""

import msgspec

from provisioning.books.messages import ChangeAsked, ChangeDone, ChangeResult
from tests.switch.house import House


class BooksStandIn:
    """`result` None: it says nothing. `asked` are all changes in their order."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.result: ChangeResult | None = ChangeResult.DONE
        self.asked: list[ChangeAsked] = []

    def run(self, seconds: float) -> None:
        """Time passes, and every tenth of a second it looks what there is."""
        end = self.house.clock.now + seconds
        while self.house.clock.now < end:
            self.house.run(min(0.1, end - self.house.clock.now))
            self._serve()

    def answer(self, number: int, result: ChangeResult = ChangeResult.DONE) -> None:
        done = ChangeDone(self.asked[number].id, result, "as told")
        self.house.exchange.services.hear(done, self.house.clock.now)

    @property
    def changes(self) -> list[object]:
        return [msgspec.structs.astuple(asked.change) for asked in self.asked]

    def _serve(self) -> None:
        services = self.house.exchange.services
        fresh = services.asked.copy()
        services.asked.clear()
        for asked in fresh:
            self.asked.append(asked)
            if self.result is not None:
                self.answer(len(self.asked) - 1, self.result)
