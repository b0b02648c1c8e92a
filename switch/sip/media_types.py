"""Media types in Content-Type and Accept (RFC 3261 20.1, 20.15): what a body is, and what a peer can read.

Parameters, q values included, are passed over: whoever has one form of a document can offer no other.
"""

from typing import Final

from switch.sip.grammar import WSP, is_token
from switch.sip.message import Request

ANY: Final = "*/*"


def media_type(text: str) -> str:
    """type/subtype in lower case without parameters, or "" for what is none."""
    kind, slash, subtype = text.partition(";")[0].strip(WSP).partition("/")
    kind, subtype = kind.strip(WSP), subtype.strip(WSP)
    return f"{kind}/{subtype}".lower() if slash and is_token(kind) and is_token(subtype) else ""


def content_type(request: Request) -> str:
    """What the body is said to be; "" when nothing readable is said."""
    value = request.headers.get("content-type")
    return "" if value is None else media_type(value)


def accepts(request: Request, wanted: str) -> bool:
    """Whether the sender takes that media type. Without an Accept field it takes the default (RFC 6665 4.2.1.2)."""
    if "accept" not in request.headers:
        return True
    family = f"{wanted.partition('/')[0]}/*"
    return not {media_type(value) for value in request.headers.values("accept")}.isdisjoint(
        (wanted, family, ANY)
    )
