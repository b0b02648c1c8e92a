"""What a browser sent, within limits: the query, a form, where it came from.

Unknown fields are refused, each field comes once, and nothing is longer than somebody would type.
"""

import asyncio
import re
from collections.abc import Set
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.requests import ClientDisconnect

# A page of words for a note on a fault is a third of this.
BODY_BYTES_MAX: Final = 32 * 1024
BODY_WITHIN_S: Final = 10.0
QUERY_BYTES_MAX: Final = 4096
FIELDS_MAX: Final = 40
VALUE_CHARS_MAX: Final = 300
TEXT_CHARS_MAX: Final = 8000
# Where a login leads to: a path of ours, and no address of somebody else's.
_OWN_PATH: Final = re.compile(r"/(?![/\\])[A-Za-z0-9_.~/?=&%+:@,;-]{0,1000}")


class BadRequest(Exception):  # noqa: N818 - a no with its reason; nothing broke
    """What was sent cannot be meant. `words` say so, without it."""

    def __init__(self, words: str, *, status: int = 400) -> None:
        super().__init__(words)
        self.words = words
        self.status = status


def read_query(request: Request, known: Set[str]) -> dict[str, str]:
    """The query's fields, "" for those that were not sent. Raises BadRequest."""
    raw: bytes = request.scope.get("query_string", b"")
    if len(raw) > QUERY_BYTES_MAX:
        raise BadRequest("The address is too long.", status=414)
    return _fields(raw, known, long_ones=frozenset())


async def read_form(
    request: Request, known: Set[str], *, long_ones: Set[str] = frozenset()
) -> dict[str, str]:
    """A form's fields, "" for those that were not sent; `long_ones` may be pages of text. Raises BadRequest."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip(" ").lower()
    if kind != "application/x-www-form-urlencoded":
        raise BadRequest("This is not what a form of the portal sends.", status=415)
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            body = await _body_of(request)
    except TimeoutError:
        raise BadRequest("The form took too long to arrive.", status=408) from None
    except ClientDisconnect:
        raise BadRequest("The browser has gone.") from None
    return _fields(body, known, long_ones=long_ones)


async def _body_of(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise BadRequest("The form is too long.", status=413)
    return bytes(body)


def _fields(raw: bytes, known: Set[str], *, long_ones: Set[str]) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX
        )
    except ValueError:  # UnicodeDecodeError is one
        raise BadRequest("The fields cannot be read.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise BadRequest("There is a field in it that this page does not know.")
        if name in found:
            raise BadRequest("A field comes twice.")
        if len(value) > (TEXT_CHARS_MAX if name in long_ones else VALUE_CHARS_MAX):
            raise BadRequest("A field is too long.", status=413)
        # PostgreSQL has no place for it, and nobody types it.
        if "\0" in value:
            raise BadRequest("A field has a character in it that nobody types.")
        found[name] = value.replace("\r\n", "\n").strip()
    return {name: found.get(name, "") for name in known}


def read_own_path(text: str) -> str:
    """A path of ours, else "/"."""
    return text if _OWN_PATH.fullmatch(text) else "/"


def forwarded_for(headers: list[str]) -> str:
    """The address that our proxy has seen: the last one of the last X-Forwarded-For."""
    return headers[-1].rpartition(",")[2].strip(" \t") if headers else ""
