"""Text as PostgreSQL and msgpack can hold it. Both refuse lone surrogates, PostgreSQL also refuses NUL.

SIP text is decoded with surrogateescape, so any byte a peer sends can stand in a header as a lone surrogate.
Such characters become visible escapes - the byte 0xFF reads \\xff, NUL reads \\x00 - and everything else
stays as it is. A record must pass here before it is encoded for the journal.
"""

_ESCAPED_BYTES = range(0xDC80, 0xDD00)  # PEP 383: an undecodable byte b is the surrogate 0xDC00 + b


def storable(text: str) -> str:
    if text.isascii() and "\0" not in text:  # nearly always, and twenty texts a call are asked
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(map(_storable_character, text))
    return text.replace("\0", "\\x00")


def _storable_character(character: str) -> str:
    code = ord(character)
    if code in _ESCAPED_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return f"\\u{code:04x}"
    return character if code else "\\x00"
