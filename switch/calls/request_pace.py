"""How much a peer may ask inside one dialog: requests by a token bucket, and wrong logins by their number.

Without it one phone could keep the exchange busy with re-INVITEs and INFOs, each of which goes out again on the other
side. A BYE is never counted. It is made when the first one comes, or when one comes from elsewhere.
"""

from typing import Final

from switch.token_bucket import TokenBucket

# Digits as INFO come ten a second from a machine that dials for somebody; twenty leaves room for the rest.
REQUESTS_PER_S: Final = 20.0
# A number sent at once, or what waited while the network was away.
BURST: Final = 60.0
# What a refused peer is told to wait: by then the bucket has all that a second brings.
RETRY_AFTER_S: Final = 2
# A phone needs one; after these the door's bans hold in the dialog, too.
WRONG_LOGINS_MAX: Final = 10


class RequestPace(TokenBucket):
    """One leg's."""

    __slots__ = ("wrong_logins",)

    def __init__(self, now: float) -> None:
        super().__init__(REQUESTS_PER_S, BURST, now)
        self.wrong_logins = 0
