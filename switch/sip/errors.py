"""The peer's fault: a message or a field that breaks the grammar of RFC 3261 section 25.

A SipParseError knows the SIP status that answers it (8.2.6, 21.4.1) and, when enough of the request could be
read to answer at all, that request. It is caught once, at the door. Our own misuse is never one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from switch.sip.message import Request

# Long enough to recognise a value in a log line, short enough that a 64 kB header cannot flood the log.
SHOWN_CHARS_MAX: Final = 80


def shown(value: str) -> str:
    """The value shortened and escaped, safe to put in one line of a log."""
    text = value if len(value) <= SHOWN_CHARS_MAX else value[:SHOWN_CHARS_MAX] + "..."
    return ascii(text)


class SipParseError(Exception):
    """A message that is not SIP as RFC 3261 writes it.

    `reason` is our own fixed wording and may go out as a reason phrase; `str(error)` adds the offending
    value, escaped, for the log. `request` is the part of the request that an answer needs, or None when no
    answer is possible (responses, ACK, an unreadable Via): then the message is dropped and counted.
    """

    def __init__(
        self, status: int, reason: str, request: Request | None = None, *, found: str | None = None
    ) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.request = request
        self.found = found

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.status} {self.reason}"
        return f"{self.status} {self.reason}: found {shown(self.found)}"


def malformed(what: str, found: str) -> SipParseError:
    """The usual case: 400, naming the production that did not match."""
    return SipParseError(400, f"Malformed {what}", found=found)
