"""What staff type about customers, checked before it comes near the books: a line, a page, a name."""

from typing import Final

from provisioning.problems import InvalidValue

LINE_CHARS_MAX: Final = 200  # a name, a number, an address
WORDS_CHARS_MAX: Final = 4_000  # a page of what somebody said


def one_line(what: str, text: str) -> str:
    """Raises InvalidValue."""
    if not text.isprintable() or len(text) > LINE_CHARS_MAX:
        raise InvalidValue(what, text, f"at most {LINE_CHARS_MAX} printable characters")
    return text


def written(text: str) -> str:
    """Several lines may be typed on a page; nothing else that does not print. Raises InvalidValue."""
    lines = text.replace("\r\n", "\n").split("\n")
    if len(text) > WORDS_CHARS_MAX or not all(line.isprintable() for line in lines):
        raise InvalidValue("words", text, f"at most {WORDS_CHARS_MAX} printable characters")
    return "\n".join(lines)


def said(text: str) -> str:
    """The same of what may not be left out."""
    if not text.strip():
        raise InvalidValue("words", text, "what was said or done")
    return written(text)


def checked_staff(name: str) -> str:
    """Raises InvalidValue for what is no name."""
    if not name.strip():
        raise InvalidValue("staff", name, "a name")
    return one_line("staff", name.strip())
