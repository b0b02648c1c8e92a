"""SIP status to Q.850 cause and back, as tables (RFC 3398 7.2.4.1 and 8.2.6.1, Q.1912.5 where the RFC is silent).

The cause goes on the CDR and into `Reason: Q.850;cause=n` (RFC 3326, RFC 6432). A cause that a peer sent in its own
Reason header is believed before the table.
"""

from collections.abc import Iterable
from typing import Final

NORMAL_CLEARING: Final = 16
NO_ANSWER: Final = 19
CREDIT_EXHAUSTED: Final = 16
INTERWORKING: Final = 127
RECOVERY_ON_TIMER_EXPIRY: Final = 102
CAUSE_MAX: Final = 127

CAUSE_OF_STATUS: Final = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22,
    413: 127, 414: 127, 415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 433: 24, 480: 18, 481: 41,
    482: 25, 483: 25, 484: 28, 485: 1, 486: 17, 487: 16, 488: 65, 491: 41, 493: 41,
    500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127,
    600: 17, 603: 21, 604: 1, 606: 65,
}  # fmt: skip


def cause_of_status(status: int) -> int:
    """The Q.850 cause that stands for a SIP final status; 16 for success, 127 where no row fits."""
    if status < 300:
        return NORMAL_CLEARING
    return CAUSE_OF_STATUS.get(status, INTERWORKING)


def format_reason(cause: int, text: str = "") -> str:
    """A Reason header value: `Q.850;cause=16;text="..."`. The text is ours, never a peer's."""
    return f'Q.850;cause={cause};text="{text}"' if text else f"Q.850;cause={cause}"


def read_reason(values: Iterable[str]) -> int | None:
    """The Q.850 cause of the first Reason value that has a usable one, else None (RFC 3326 2)."""
    for value in values:
        protocol, *params = value.split(";")
        if protocol.strip(" \t").lower() != "q.850":
            continue
        for param in params:
            name, _, digits = param.partition("=")
            digits = digits.strip(" \t")
            if (
                name.strip(" \t").lower() == "cause"
                and digits.isascii()
                and digits.isdigit()
                and len(digits) <= 3
            ):
                cause = int(digits)
                if 1 <= cause <= CAUSE_MAX:
                    return cause
    return None
