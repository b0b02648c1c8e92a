"""Calls per second of one trunk: a token bucket that holds one second's worth. Pure."""

from switch.token_bucket import TokenBucket


class CallRate(TokenBucket):
    """`per_second_max` INVITEs a second, as many at once after a pause.

    Emergency calls and second tries go in any case (`take_anyway`).
    """

    __slots__ = ("excess",)

    def __init__(self, per_second_max: int, now: float) -> None:
        super().__init__(per_second_max, per_second_max, now)
        self.excess = 0  # calls that took another way for it

    def has_room(self, now: float) -> bool:
        return self.left(now) >= 1.0
