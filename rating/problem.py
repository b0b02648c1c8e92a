"""A text that does not say what was expected of it: what was found, shortened and escaped, and what was
expected.

Prices, dates, prefixes and amounts typed by people all fail in this one shape, so that a file's reader can
add the line and the column, and a command can print it as it is.
"""

FOUND_CHARS_MAX = 40  # enough to recognise the value in a message of one line; the rest is noise


class TextProblem(ValueError):  # noqa: N818 - somebody's slip, shown to them; nothing broke
    """`found` is the text as it came, `expected` says in plain English what would have been right."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {shorten_found(found)}, expected {expected}")
        self.found = found
        self.expected = expected


def shorten_found(text: str) -> str:
    """The text in quotes, cut to FOUND_CHARS_MAX characters, everything outside printable ASCII escaped."""
    if len(text) <= FOUND_CHARS_MAX:
        return ascii(text)
    return f"{text[:FOUND_CHARS_MAX]!a}... ({len(text)} characters)"
