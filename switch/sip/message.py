"""Requests and responses (RFC 3261 7), the response to a request (8.2.6), and a message as bytes.

Fields are parsed when first asked for and kept. Whoever changes a field through `headers` after it was read
calls `forget()`. Bodies are bytes and nobody here looks into them. Left out: reading bytes (parser.py) and
what the door refuses (validate.py).
"""

from __future__ import annotations

from typing import Final

from switch.sip.errors import SipParseError, malformed
from switch.sip.fields import CSeq, Via, parse_cseq, parse_max_forwards, parse_via
from switch.sip.headers import Headers
from switch.sip.uri import NameAddr, Uri, parse_name_addr, parse_uri

SIP_VERSION: Final = "SIP/2.0"

# RFC 3261 21 and the registry of SIP response codes
REASON_PHRASES: Final = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    417: "Unknown Resource-Priority",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    424: "Bad Location Information",
    425: "Bad Alert Message",
    428: "Use Identity Header",
    429: "Provide Referrer Identity",
    430: "Flow Failed",
    433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded",
    469: "Bad Info Package",
    470: "Consent Needed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    555: "Push Notification Service Not Supported",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}

_CLASS_PHRASES: Final = {
    1: "Progress",
    2: "OK",
    3: "Redirection",
    4: "Request Failure",
    5: "Server Failure",
    6: "Failure",
}

# 8.2.6.2; Timestamp only goes into a 100 (8.2.6.1), Record-Route into what can make a dialog (12.1.1).
_COPIED: Final = frozenset({"via", "from", "to", "call-id", "cseq"})
_COPIED_TO_TRYING: Final = _COPIED | {"timestamp"}
_COPIED_TO_DIALOG: Final = _COPIED | {"record-route"}


class Message:
    """What requests and responses share. A property raises SipParseError if its field is missing or malformed.
    A message that parse_message returned has at most one From, To, Call-ID, CSeq and Max-Forwards, and a
    sound top Via if it has any. validate.py says whether the rest is sound too.
    """

    __slots__ = ("_call_id", "_contacts", "_cseq", "_from", "_to", "_top_via", "body", "headers", "quirks")

    def __init__(self, headers: Headers, body: bytes = b"") -> None:
        self.headers = headers
        self.body = body
        # Bits of quirks.py: what the parser and the door let through.
        self.quirks = 0
        self._call_id: str | None = None
        self._cseq: CSeq | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None
        self._top_via: Via | None = None
        self._contacts: list[NameAddr] | None = None

    def forget(self) -> None:
        """Drop what was parsed: to be called after a change through `headers` of a field read before."""
        self._call_id = self._cseq = self._from = self._to = self._top_via = self._contacts = None

    @property
    def call_id(self) -> str:
        if self._call_id is None:
            value = self.headers.get("call-id")
            if not value:
                raise SipParseError(400, "Missing Call-ID")
            if " " in value or "\t" in value:
                raise malformed("Call-ID", value)
            self._call_id = value
        return self._call_id

    @property
    def cseq(self) -> CSeq:
        if self._cseq is None:
            value = self.headers.get("cseq")
            if not value:
                raise SipParseError(400, "Missing CSeq")
            self._cseq = parse_cseq(value)
        return self._cseq

    @property
    def from_(self) -> NameAddr:
        if self._from is None:
            value = self.headers.get("from")
            if not value:
                raise SipParseError(400, "Missing From")
            self._from = parse_name_addr(value)
        return self._from

    @property
    def to(self) -> NameAddr:
        if self._to is None:
            value = self.headers.get("to")
            if not value:
                raise SipParseError(400, "Missing To")
            self._to = parse_name_addr(value)
        return self._to

    @property
    def from_tag(self) -> str | None:
        return self.from_.tag

    @property
    def to_tag(self) -> str | None:
        return self.to.tag

    @property
    def top_via(self) -> Via:
        if self._top_via is None:
            value = self.headers.first_value("via")
            if not value:
                raise SipParseError(400, "Missing Via")
            self._top_via = parse_via(value)
        return self._top_via

    @property
    def contacts(self) -> list[NameAddr]:
        """Every Contact in order; none for "Contact: *" (see has_wildcard_contact)."""
        if self._contacts is None:
            values = self.headers.values("contact")
            self._contacts = [] if values == ["*"] else [parse_name_addr(value) for value in values]
        return self._contacts

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact."""
        contacts = self.contacts
        return contacts[0] if contacts else None

    @property
    def has_wildcard_contact(self) -> bool:
        """10.2.2: "Contact: *", alone, in a REGISTER that removes every binding."""
        return self.headers.get("contact") == "*" and self.headers.count("contact") == 1

    @property
    def max_forwards(self) -> int | None:
        value = self.headers.get("max-forwards")
        return None if value is None else parse_max_forwards(value)


class Request(Message):
    """`uri` is the Request-URI as received. `version` is only ever another one in what a peer sent."""

    __slots__ = ("_request_uri", "method", "uri", "version")

    def __init__(
        self, method: str, uri: str, headers: Headers, body: bytes = b"", *, version: str = SIP_VERSION
    ) -> None:
        self.method = method
        self.uri = uri
        self.version = version
        self._request_uri: Uri | None = None
        super().__init__(headers, body)

    def forget(self) -> None:
        super().forget()
        self._request_uri = None

    @property
    def request_uri(self) -> Uri:
        if self._request_uri is None:
            self._request_uri = parse_uri(self.uri)
        return self._request_uri

    @property
    def start_line(self) -> str:
        return f"{self.method} {self.uri} {SIP_VERSION}"

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri}>"


class Response(Message):
    """`reason` is the peer's phrase, for people only: the status decides."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        self.status = status
        self.reason = reason
        super().__init__(headers, body)

    @property
    def is_provisional(self) -> bool:
        return self.status < 200

    @property
    def is_final(self) -> bool:
        return self.status >= 200

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def start_line(self) -> str:
        return f"{SIP_VERSION} {self.status} {self.reason}"

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"


def reason_phrase(status: int) -> str:
    """The phrase of the registry, or that of the class for a status nobody registered."""
    return REASON_PHRASES.get(status) or _CLASS_PHRASES[status // 100]


def make_response(
    request: Request, status: int, reason: str | None = None, *, to_tag: str | None = None
) -> Response:
    """8.2.6: Via, From, To, Call-ID and CSeq as they came; Timestamp in a 100, Record-Route in 101 to 299.

    `to_tag` is added when the request's To has none. Works for what a broken request left readable, too.
    """
    if status == 100:
        copied = _COPIED_TO_TRYING
    elif status < 300:
        copied = _COPIED_TO_DIALOG
    else:
        copied = _COPIED
    headers = request.headers.select(copied)
    if to_tag is not None and "to" in request.headers and not _has_to_tag(request):
        headers.extend_value("to", f";tag={to_tag}")
    return Response(status, reason or reason_phrase(status), headers)


def _has_to_tag(request: Request) -> bool:
    try:
        return request.to_tag is not None
    except SipParseError:
        # A To that cannot be read gets no second tag, lest the answer be odder than the question.
        return True


def format_message(message: Request | Response) -> bytes:
    """The message on the wire. Content-Length is written from the body, whatever the headers say.

    Raises ValueError when the start line holds a line end: that is our mistake, and sent it would be a second
    header field or a second message, written by whoever supplied the text. (Headers refuse them on entry.)
    """
    start = message.start_line
    if "\r" in start or "\n" in start:
        raise ValueError(f"a line end in the start line {start!r}")
    fields = message.headers.to_text(content_length=len(message.body))
    head = f"{start}\r\n{fields}\r\n\r\n"
    return head.encode("utf-8", "surrogateescape") + message.body
