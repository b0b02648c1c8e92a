"""Whether an INVITE's body could be an offer at all: asked of each call, in a microsecond, before anything rings.

What the two ends of a call say to each other is theirs, and a codec that nobody knows is refused by the phone that does
not know it. But a body that is no session description (RFC 3264 5) would make every phone ring or fail in its own way.
"""

from typing import Final

SDP_TYPE: Final = "application/sdp"


def is_broken_offer(content_type: str | None, body: bytes) -> bool:
    """A body that says it is SDP and is not. No body is a late offer; another type passes unread."""
    if not body or content_type is None or is_session_description(body):
        return False
    return content_type.partition(";")[0].strip(" \t").lower() == SDP_TYPE


def is_session_description(body: bytes) -> bool:
    """`v=0` and, somewhere, who made it or what it is about, and a medium or a connection. No more is looked at."""
    return (
        body.startswith((b"v=0\r\n", b"v=0\n"))
        and (b"\no=" in body or b"\ns=" in body)
        and (b"\nm=" in body or b"\nc=" in body)
    )
