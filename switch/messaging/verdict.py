"""What became of a message: taken, refused for good, or to be tried again later."""

import enum
from typing import Final

from switch.calls.passing import passed_response
from switch.sip.message import Request, Response, make_response

# Answers that say something of the moment and nothing of the message; all other refusals are for good.
_OF_THE_MOMENT: Final = frozenset({408, 430, 480, 486, 487, 491})
# 5xx that will be the same tomorrow: not implemented, version, too large.
_LASTING: Final = frozenset({501, 505, 513})


class Verdict(enum.Enum):
    TAKEN = "delivered"
    REFUSED = "refused"
    LATER = "later"


def verdict_of(status: int) -> Verdict:
    """Of a phone's final answer."""
    if 200 <= status < 300:
        return Verdict.TAKEN
    is_of_the_moment = status in _OF_THE_MOMENT or (500 <= status < 600 and status not in _LASTING)
    return Verdict.LATER if is_of_the_moment else Verdict.REFUSED


def answer_for_sender(request: Request, response: Response) -> Response:
    """A redirection is not ours to pass on, and a 503 would say that this exchange is down."""
    if response.status < 400:
        return make_response(request, 480)
    if response.status == 503:
        return make_response(request, 500)
    return passed_response(request, response)


def rank(status: int) -> int:
    """RFC 3261 16.7 step 6: a 6xx first, then the lowest class."""
    return 0 if status >= 600 else status // 100
