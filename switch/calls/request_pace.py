"""How much a peer may ask inside one dialog: requests by a token bucket, and wrong logins by their number.

Without it one phone could keep the exchange busy with re-INVITEs and INFOs, each of which goes out again on the other
side. A BYE is never counted. It is made when the first one comes, or when one comes from elsewhere.
"""

from typing import Final

# Digits as INFO come ten a second from a machine that dials for somebody; twenty leaves room for the rest.
REQUESTS_PER_S: Final = 20.0
# A number sent at once, or what waited while the network was away.
BURST: Final = 60.0
# What a refused peer is told to wait: by then the bucket has all that a second brings.
RETRY_AFTER_S: Final = 2
# A phone needs one; after these the door's bans hold in the dialog, too.
WRONG_LOGINS_MAX: Final = 10


class RequestPace:
    """One leg's."""

    __slots__ = ("_at", "_left", "wrong_logins")

    def __init__(self, now: float) -> None:
        self._left = BURST
        self._at = now
        self.wrong_logins = 0

    def take(self, now: float) -> bool:
        """Whether one more may come now."""
        self._left = min(BURST, self._left + (now - self._at) * REQUESTS_PER_S)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
