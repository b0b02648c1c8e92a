"""How fast a peer may send requests inside one dialog: a token bucket, made when the first one comes.

Without it one phone could keep the exchange busy with re-INVITEs and INFOs, each of which goes out again on the other
side. A BYE is never counted.
"""

from typing import Final

# Digits as INFO come ten a second from a machine that dials for somebody; twenty leaves room for the rest.
REQUESTS_PER_S: Final = 20.0
# A number sent at once, or what waited while the network was away.
BURST: Final = 60.0
# What a refused peer is told to wait: by then the bucket has all that a second brings.
RETRY_AFTER_S: Final = 2


class RequestPace:
    """One leg's."""

    __slots__ = ("_at", "_left")

    def __init__(self, now: float) -> None:
        self._left = BURST
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more may come now."""
        self._left = min(BURST, self._left + (now - self._at) * REQUESTS_PER_S)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
