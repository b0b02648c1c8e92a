"""One message as it is sent and kept: `m/<user>/<id>` in the journal, for the line that it waits for.

What it says is in here and nowhere else: not in a log, a record or a view. Strings are as the recipient sees them;
times are UTC milliseconds. New fields go to the end, with a default.
"""

from email.utils import formatdate
from typing import Final

import msgspec

from switch.calls.passing import Body, Fields, put_body
from switch.calls.switchboard import USER_AGENT
from switch.sip.headers import Headers
from switch.sip.message import Request

TEXT_KEY: Final = "m/"


class Text(msgspec.Struct, array_like=True):
    """`sender` is the line's user or the trunk's name, `from_` and `to` are name-addrs for the recipient, `number` is
    what was written to, "" for a line's name. The Call-ID is the same each time it is tried."""

    id: str
    user: str
    sender: str
    from_: str
    to: str
    number: str
    call_id: str
    max_forwards: int
    sent_ms: int
    expires_ms: int
    fields: list[tuple[str, str]]
    body_fields: list[tuple[str, str]]
    content: bytes

    @property
    def key(self) -> str:
        return f"{TEXT_KEY}{self.user}/{self.id}"


encode_text: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Text)


def decode_text(data: bytes) -> Text | None:
    """None for what cannot be read: a message is not worth a start that fails."""
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError:
        return None


def request_of(text: Text, uri: str, route: Fields, tag: str, *, is_late: bool) -> Request:
    """The MESSAGE to one phone. One that was kept says when it was sent (RFC 3428 6, RFC 3261 20.17)."""
    headers = Headers()
    for name, value in route:
        headers.add(name, value)
    headers.add("max-forwards", str(text.max_forwards))
    headers.add("from", f"{text.from_};tag={tag}")
    headers.add("to", text.to)
    headers.add("call-id", text.call_id)
    headers.add("cseq", "1 MESSAGE")
    if is_late:
        headers.add("date", formatdate(text.sent_ms // 1000, usegmt=True))
    headers.add("user-agent", USER_AGENT)
    for name, value in text.fields:
        headers.add(name, value)
    request = Request("MESSAGE", uri, headers)
    put_body(request, Body(text.content, tuple(text.body_fields)))
    return request
