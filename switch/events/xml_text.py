"""XML that we write and XML that we pass on unread. Nothing here parses: a parser is what hostile XML is made for."""

import re
from typing import Final

# What XML 1.0 2.2 does not allow, lone surrogates (octets of a peer that were no UTF-8) among it.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Entities and document types are what documents attack parsers with; PIDF has no use for either (RFC 3863 4.2).
_DECLARATION: Final = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", re.IGNORECASE)
_XML_DECLARATION: Final = re.compile(rb"<\?xml[^>]*+>", re.IGNORECASE)
_ENCODING: Final = re.compile(rb"encoding\s*=\s*[\"']([A-Za-z0-9._\-]++)[\"']", re.IGNORECASE)
_ENCODINGS: Final = frozenset({b"utf-8", b"us-ascii"})


def escaped(text: str) -> str:
    """For the content of an element or an attribute in double quotes."""
    text = _NOT_XML.sub("\ufffd", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def is_plain_document(content: bytes) -> bool:
    """Whether a document may be handed to other people's phones: UTF-8, beginning as XML begins, and without what
    makes parsers expand entities or fetch files. Another encoding could hide that from a look at the octets."""
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or b"\0" in content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    declaration = _XML_DECLARATION.search(content)
    if declaration is not None:
        encoding = _ENCODING.search(declaration.group())
        if encoding is not None and encoding.group(1).lower() not in _ENCODINGS:
            return False
    return _DECLARATION.search(content) is None
