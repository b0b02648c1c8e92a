"""What a plan's walk may ask about one call and this exchange: the facts of switch/journey/plan_walk.py."""

from random import Random

from switch.calls.identity import CallerId
from switch.calls.switchboard import Switchboard
from switch.journey.time_sets import TimeSets


class CallFacts:
    """Of one call. What is left to chance is drawn from the Call-ID and a key of ours: nobody can foresee it, and who
    asks about a call that was made sees it again. Without one ("") it is any."""

    __slots__ = (
        "_board",
        "_call_id",
        "_now",
        "_random",
        "account_id",
        "called",
        "caller",
        "is_withheld",
        "time_sets",
        "utc_ms",
    )

    def __init__(
        self,
        board: Switchboard,
        account_id: int,
        caller_id: CallerId,
        called: str,
        now: float,
        call_id: str,
    ) -> None:
        self._board = board
        self._call_id = call_id
        self._now = now
        self._random: Random | None = None
        self.account_id: int = account_id
        # A list of callers is no way to find out who withholds the number.
        self.caller: str = (
            "" if caller_id.is_withheld else caller_id.presentation_number or caller_id.network_number
        )
        self.is_withheld: bool = caller_id.is_withheld
        self.called: str = called
        self.time_sets: TimeSets = board.conf.time_sets
        self.utc_ms: int = board.clock.ms(now)

    def random(self) -> float:
        drawn = self._random
        if drawn is None:
            board, call_id = self._board, self._call_id
            seed = board.sign(f"split/{call_id}/{self.called}") if call_id else board.tokens.tag()
            drawn = self._random = Random(seed)  # noqa: S311 - the seed is as good as its key
        return drawn.random()

    def has_line(self, user: str) -> bool:
        line = self._board.books.lines.get(user)
        return line is not None and line.account_id == self.account_id

    def is_busy(self, user: str) -> bool:
        return self._board.of_line[user] > 0

    def is_registered(self, user: str) -> bool:
        line = self._board.books.lines.get(user)
        if line is None:
            return False
        return bool(line.addresses) or bool(self._board.bindings.contacts_for(user, self._now))

    def rested_since(self, user: str) -> int:
        return self._board.turns.rested_since(user)

    def next_turn(self, name: str) -> int:
        return self._board.turns.next(self.account_id, name)
