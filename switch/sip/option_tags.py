"""Option tags (RFC 3261 19.2, 20.32): which extensions are here, and which a request wants that are not.

One table. What is in `SUPPORTED` may be required of us and is named in our INVITEs, their answers and OPTIONS; what
is in `UNDERSTOOD` besides may only be required. `OF_REGISTER` is what a REGISTER may require instead: it speaks to the
registrar, which has no calls (and names `outbound` in the answer to a phone that it does that for, nowhere else). A
tag belongs here when the whole of its RFC works, not before: a peer that finds a tag in Supported relies on it. Left
out on purpose, so that they are refused 420: `precondition`, `replaces` and `norefersub` (until something can be
replaced or referred), `eventlist`, `sec-agree`, and every other tag about the two ends' media that a box between them
cannot promise.
"""

from typing import Final

from switch.sip.headers import Headers
from switch.sip.message import Request

RELIABLE_PROVISIONALS: Final = "100rel"  # RFC 3262
SESSION_TIMER: Final = "timer"  # RFC 4028
PATH: Final = "path"  # RFC 3327
OUTBOUND: Final = "outbound"  # RFC 5626
GRUU: Final = "gruu"  # RFC 5627

SUPPORTED: Final[tuple[str, ...]] = (RELIABLE_PROVISIONALS, SESSION_TIMER)
# `privacy` (RFC 3323 4.2) is only ever required of those on the way, never supported by an end. What it asks for is
# done for every call (identity.py).
UNDERSTOOD: Final[frozenset[str]] = frozenset({*SUPPORTED, "privacy"})
OF_REGISTER: Final[frozenset[str]] = frozenset({PATH, OUTBOUND, GRUU})

SUPPORTED_VALUE: Final = ", ".join(SUPPORTED)
_WITHOUT_RELIABLE_PROVISIONALS: Final = ", ".join(tag for tag in SUPPORTED if tag != RELIABLE_PROVISIONALS)


def supported_value(*, reliable_provisionals: bool) -> str:
    """The Supported field of an INVITE of ours."""
    return SUPPORTED_VALUE if reliable_provisionals else _WITHOUT_RELIABLE_PROVISIONALS


def lacking(request: Request) -> list[str]:
    """The tags that a request requires and that are not here, as written (8.2.2.3)."""
    headers = request.headers
    if "require" not in headers and "proxy-require" not in headers:
        return []
    wanted = (*headers.tokens("require"), *headers.tokens("proxy-require"))
    here = OF_REGISTER if request.method == "REGISTER" else UNDERSTOOD
    return [tag for tag in wanted if tag.lower() not in here]


def names(headers: Headers, field: str, tag: str) -> bool:
    """Whether Supported, Require or the like has this tag. Tags are compared without regard to case (7.3.1)."""
    return field in headers and any(found.lower() == tag for found in headers.tokens(field))
