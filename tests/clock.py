"""A clock moved by hand: tests of the core take no sleep and no wall clock, `now` begins at 0.0."""


class HandClock:
    """`clock.now` is the time in seconds; it never goes back."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0.0

    def advance(self, seconds: float) -> float:
        """Move forward; returns the new time."""
        assert seconds >= 0
        self.now += seconds
        return self.now

    def move_to(self, now: float) -> float:
        """Move to a time that is not in the past."""
        assert now >= self.now
        self.now = now
        return now
