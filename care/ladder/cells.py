"""Text in the cells of a terminal: wide characters take two, combining ones none (Unicode annex 11)."""

import unicodedata
from typing import Final

from provisioning.printable import escape_control

ELLIPSIS: Final = "…"
_WIDE: Final = frozenset("WF")
_COVERED: Final = "\0"  # the second cell of a wide character
_COMBINING: Final = frozenset({"Mn", "Me"})


def cell_width(text: str) -> int:
    """How many cells a text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def clipped(text: str, cells: int) -> str:
    """Without control characters, and no wider than so many cells."""
    shown = escape_control(text)
    if cell_width(shown) <= cells:
        return shown
    kept, room = [], cells - 1
    for character in shown:
        room -= _width(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + ELLIPSIS if cells > 0 else ""


class Canvas:
    """One line of a drawing: texts are put at cells, and what is put later covers what was there."""

    __slots__ = ("_cells",)

    def __init__(self, width: int) -> None:
        self._cells = [" "] * width

    def put(self, at: int, text: str) -> None:
        """Clipped to the line; a text that begins left of it begins with it."""
        at = max(0, at)
        for character in clipped(text, len(self._cells) - at):
            width = _width(character)
            if width == 0:
                if at:
                    self._cells[at - 1] += character
                continue
            for cell in range(at, at + width):
                self._clear(cell)
            self._cells[at] = character
            if width == 2:
                self._cells[at + 1] = _COVERED
            at += width

    def _clear(self, at: int) -> None:
        """Half a wide character is a blank."""
        if self._cells[at].startswith(_COVERED):
            self._cells[at - 1] = " "
        if at + 1 < len(self._cells) and self._cells[at + 1].startswith(_COVERED):
            self._cells[at + 1] = " "
        self._cells[at] = " "

    def text(self) -> str:
        return "".join(self._cells).replace(_COVERED, "").rstrip()


def _width(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in _COMBINING:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
