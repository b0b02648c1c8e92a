"""How long to wait before a part that ended is started again. Pure: it is told how long the part ran."""

FIRST_DELAY_S = 0.2
# A part that dies at once is tried six times a minute: back soon after its trouble is over, too rare to fill a log.
DELAY_MAX_S = 10.0
# After a minute of service a crash counts as the first one again.
STEADY_AFTER_S = 60.0


class BackOff:
    """Doubles from FIRST_DELAY_S to DELAY_MAX_S while a part keeps dying young."""

    __slots__ = ("_next_s", "failures")

    def __init__(self) -> None:
        self._next_s = FIRST_DELAY_S
        self.failures = 0

    def delay_after(self, ran_s: float) -> float:
        """Seconds to wait now. `failures` is how often in a row the part has died young."""
        if ran_s >= STEADY_AFTER_S:
            self._next_s = FIRST_DELAY_S
            self.failures = 0
        self.failures += 1
        delay = self._next_s
        self._next_s = min(delay * 2, DELAY_MAX_S)
        return delay
