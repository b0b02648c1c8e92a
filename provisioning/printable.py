"""Other people's text made safe to show: no control character reaches a terminal or a log.

A SIP user agent or a display name can hold anything; an escape sequence in it must not move the operator's
cursor.
"""

import unicodedata

# Control, format (bidirectional overrides), surrogate, private use, unassigned; line and paragraph
# separators.
HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
SHORT_TEXT_MAX = 60


def escape_control(text: str) -> str:
    r"""The text with everything that does not print shown as \xNN or \uNNNN. A backslash stays as it is."""
    if text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def shorten(text: str, length_max: int = SHORT_TEXT_MAX) -> str:
    """For error texts: escaped, and cut so that a huge value cannot fill the screen."""
    shown = escape_control(text[: length_max + 1])
    return shown if len(text) <= length_max else shown[:length_max] + "..."


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, kept by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) not in HIDDEN_CATEGORIES:
        return character
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
