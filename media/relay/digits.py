"""Keys that a peer presses, seen in telephone-event packets that pass through (RFC 4733 2.3): each said once."""

from __future__ import annotations

from typing import Final

DIGITS: Final = "0123456789*#ABCD"
EVENT_BYTES: Final = 4
END_BIT: Final = 0x80
DURATION_MAX: Final = 0xFFFF


class PressedKey:
    """A key that was let go. Duration in milliseconds."""

    __slots__ = ("digit", "duration_ms")

    def __init__(self, digit: str, duration_ms: int) -> None:
        self.digit = digit
        self.duration_ms = duration_ms


class KeyReader:
    """Reads one peer's events. A key is said at its end, at the beginning of the next one, or when it falls silent."""

    __slots__ = (
        "_carried",
        "_clock_rate",
        "_duration",
        "_event",
        "_is_down",
        "_last_at",
        "_ssrc",
        "_timestamp",
    )

    def __init__(self) -> None:
        self._event = -1
        self._timestamp = -1
        self._ssrc = -1
        self._duration = 0
        self._carried = 0
        self._clock_rate = 8000
        self._is_down = False
        self._last_at = 0.0

    @property
    def is_down(self) -> bool:
        return self._is_down

    def received(
        self, payload: bytes, timestamp: int, ssrc: int, clock_rate: int, now: float
    ) -> list[PressedKey]:
        """The payload of one event packet. What is not exactly one event is no key: SRTP's ciphertext is longer."""
        if len(payload) != EVENT_BYTES or payload[0] >= len(DIGITS):
            return []
        event, duration = payload[0], (payload[2] << 8) | payload[3]
        pressed: list[PressedKey] = []
        if (timestamp, ssrc) != (self._timestamp, self._ssrc):
            carried = 0
            if self._goes_on(event, timestamp, ssrc):
                carried = self._carried + DURATION_MAX
            else:
                if (timestamp - self._timestamp) & 0xFFFFFFFF >= 0x80000000 and ssrc == self._ssrc:
                    return []  # a late packet of a key that is over
                pressed += self.end()
            self._event, self._timestamp, self._ssrc = event, timestamp, ssrc
            self._carried, self._duration = carried, 0
            self._clock_rate = clock_rate
            self._is_down = True
        self._last_at = now
        self._duration = max(self._duration, duration)
        if payload[1] & END_BIT:
            pressed += self.end()
        return pressed

    def quiet(self, now: float, *, for_s: float) -> list[PressedKey]:
        """The key whose end was lost."""
        return self.end() if self._is_down and now - self._last_at >= for_s else []

    def end(self) -> list[PressedKey]:
        if not self._is_down:
            return []
        self._is_down = False
        units = self._carried + self._duration
        return [PressedKey(DIGITS[self._event], units * 1000 // self._clock_rate)]

    def _goes_on(self, event: int, timestamp: int, ssrc: int) -> bool:
        """RFC 4733 2.5.1.3: a key held longer than a duration can say goes on in a segment of its own."""
        follows = (self._timestamp + DURATION_MAX) & 0xFFFFFFFF
        return self._is_down and event == self._event and ssrc == self._ssrc and timestamp == follows
