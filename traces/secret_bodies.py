"""What is never noted, not even in memory: texts, DTMF digits, and the keys that somebody pressed for a voice of ours.

A text is a private letter, and keys are PINs. Everything else that must not be stored is taken out before that
(redaction.py).
"""

import re
from typing import Final

# RFC 3428, RFC 6086; keys in a REFER are our media server's (switch/calls/pressed.py).
METHODS: Final = frozenset({"MESSAGE", "INFO", "REFER"})
REQUESTS: Final = (b"MESSAGE ", b"INFO ", b"REFER ")

# Also with letters of it escaped: whoever writes it otherwise than our media server is understood just the same.
_PRESSED: Final = b"".join(b"(?:%c|%%%02x)" % (letter, letter) for letter in b"pressed")
_pressed: Final = re.compile(rb"(sip:" + _PRESSED + rb")(?:\.|%2e)[^@>;\s]*", re.IGNORECASE)
_of_secret: Final = re.compile(rb"\r\ncseq[ \t]*:[ \t]*[0-9]+[ \t]+(?:MESSAGE|INFO)[ \t]*\r\n", re.IGNORECASE)
_END: Final = b"\r\n\r\n"


def without_secrets(data: bytes) -> bytes:
    """A MESSAGE, INFO or REFER without what it says. The body is cut off; its Content-Length tells how long it was."""
    start = data.lstrip(b"\r\n")  # a keep-alive may stand before a message (RFC 3261 7.5)
    if start.startswith(b"REFER "):
        return _pressed.sub(rb"\1.", data)
    end = data.find(_END, len(data) - len(start))
    return data if end < 0 else data[: end + len(_END)]


def without_answered_secrets(data: bytes) -> bytes:
    """A response with a body: cut off where it answers a MESSAGE or an INFO."""
    end = data.find(_END)
    if end < 0 or _of_secret.search(data, 0, end + 2) is None:
        return data
    return data[: end + len(_END)]
