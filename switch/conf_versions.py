"""What of a configuration's files goes to the books: whole texts, but for price lists of a size.

The journal takes frames of 16 MiB, and the books keep every version for ever. A tariff up to a hundred thousand rows or
so is kept there whole. A deck is kept whole only while it is small: `offhook deck apply` keeps each version as a file
in conf/decks/versions, and a deck's own file has its past prices in it.
"""

from typing import Final

BIG_CONTENT_CHARS: Final = 256 * 1024  # goes to the journal in a record of its own

_CHARS_MAX: Final = {"deck": 256 * 1024}
_OTHERS_CHARS_MAX: Final = 8 * 1024 * 1024  # half a frame of the journal, so with other scripts' letters, too


def content_for_books(kind: str, content: str) -> str:
    """The text, or what stands for it."""
    if len(content) <= _CHARS_MAX.get(kind, _OTHERS_CHARS_MAX):
        return content
    return f"# {len(content)} characters, not kept in the books\n"
