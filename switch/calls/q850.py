"""SIP status to Q.850 cause and back, as tables (RFC 3398 7.2.4.1 and 8.2.6.1, Q.1912.5 where the RFC is silent).

The cause goes on the CDR and into `Reason: Q.850;cause=n` (RFC 3326, RFC 6432). A cause that a peer sent in its own
Reason header is believed before the table.
"""

from collections.abc import Iterable
from typing import Final

NORMAL_CLEARING: Final = 16
NO_ANSWER: Final = 19
INTERWORKING: Final = 127
RECOVERY_ON_TIMER_EXPIRY: Final = 102
CAUSE_MAX: Final = 127
# A Reason field has one value a protocol, and there are three of those; the rest of a longer one is noise.
REASONS_READ_MAX: Final = 8
COMPLETED_ELSEWHERE: Final = 'SIP;cause=200;text="Call completed elsewhere"'

CAUSE_OF_STATUS: Final = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22,
    413: 127, 414: 127, 415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 433: 24, 480: 18, 481: 41,
    482: 25, 483: 25, 484: 28, 485: 1, 486: 17, 487: 16, 488: 65, 491: 41, 493: 41,
    500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127,
    600: 17, 603: 21, 604: 1, 606: 65,
}  # fmt: skip


# RFC 3398 7.2.4.1: what a gateway's cause means in SIP. Read where a peer's status says less than its Reason does.
STATUS_OF_CAUSE: Final = {
    1: 404, 2: 404, 3: 404, 17: 486, 18: 408, 19: 480, 20: 480, 21: 403, 22: 410, 23: 410, 26: 404, 27: 502,
    28: 484, 29: 501, 31: 480, 34: 503, 38: 503, 41: 503, 42: 503, 47: 503, 55: 403, 57: 403, 58: 503,
    65: 488, 70: 488, 79: 501, 87: 403, 88: 503, 102: 504, 111: 500, 127: 500,
}  # fmt: skip


def status_of_cause(cause: int) -> int:
    """The SIP status that stands for a Q.850 cause. One without a row means what its class means (Q.850 2.2.4)."""
    status = STATUS_OF_CAUSE.get(cause)
    if status is not None:
        return status
    return 480 if cause < 32 else 503 if cause < 48 else 500


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
        cause = _cause_in(value, "q.850", 1, CAUSE_MAX)
        if cause is not None:
            return cause
    return None


def passed_reason(values: Iterable[str]) -> str:
    """A peer's Reason as it crosses to the other leg: one value a protocol (RFC 3326 2), rewritten, "" without any.

    Its text stays here, but for the one that phones are known to read: it keeps an answered call off their list of
    missed ones.
    """
    values = list(values)[:REASONS_READ_MAX]
    passed = []
    status = next((c for value in values if (c := _cause_in(value, "sip", 200, 699)) is not None), None)
    if status is not None:
        passed.append(COMPLETED_ELSEWHERE if status == 200 else f"SIP;cause={status}")
    cause = read_reason(values)
    if cause is not None:
        passed.append(format_reason(cause))
    return ", ".join(passed)


def _cause_in(value: str, protocol: str, least: int, most: int) -> int | None:
    found, *params = value.split(";")
    if found.strip(" \t").lower() != protocol:
        return None
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
            if least <= cause <= most:
                return cause
    return None
