"""A ladder for the terminal: times at the left, a column for each who took part, an arrow for each message.

It is told apart without colour: a repeat has a broken arrow, an error a cross, a pause a line of its own. Colour is
added by whoever prints to a terminal (offhook/ladder_output.py), by the tone of a line.
"""

from enum import Enum
from textwrap import wrap
from typing import Final

import msgspec

from care.ladder.cells import Canvas, cell_width, clipped
from care.ladder.ladder import folded
from care.ladder.model import Ladder, Participant, Role, Rung
from provisioning.printable import escape_control

WIDTH_MIN: Final = 80
WIDTH_MAX: Final = 200
# Between two columns: room for "183 Session Progress".
PITCH_MIN: Final = 18
TIME_CELLS: Final = 10  # "  3599.999"
LEFT: Final = TIME_CELLS + 7  # half a name stands left of the first column
RIGHT: Final = 10


class Tone(Enum):
    PLAIN = "plain"
    HEAD = "head"
    MUTED = "muted"
    REPEAT = "repeat"
    ERROR = "error"
    EVENT = "event"


class TextLine(msgspec.Struct, frozen=True):
    """A line without any control character."""

    text: str
    tone: Tone


def draw(ladder: Ladder, width: int) -> list[str]:
    """Plain lines, none wider than `width` cells, which is held between 80 and 200."""
    return [line.text for line in toned(ladder, width)]


def toned(ladder: Ladder, width: int) -> list[TextLine]:
    """The same lines, each with what it is."""
    width = max(WIDTH_MIN, min(width, WIDTH_MAX))
    drawing = _Drawing(folded(ladder, (width - LEFT - RIGHT) // PITCH_MIN + 1), width)
    lines = [
        TextLine(clipped(line, width), Tone.EVENT) for note in ladder.notes for line in wrap(note, width)
    ]
    lines += drawing.head()
    for rung in drawing.ladder.rungs:
        lines += drawing.rung(rung)
    return [*lines, *drawing.legend()]


class _Drawing:
    def __init__(self, ladder: Ladder, width: int) -> None:
        self.ladder = ladder
        self.width = width
        last = max(1, len(ladder.participants) - 1)
        self.pitch = (width - LEFT - RIGHT) // last
        self.lanes = [LEFT + column * self.pitch for column in range(len(ladder.participants))]

    def head(self) -> list[TextLine]:
        """Who they are, one under another: role, name, number, address."""
        rows = [
            [_role(one) for one in self.ladder.participants],
            [one.name for one in self.ladder.participants],
            [one.number for one in self.ladder.participants],
            [one.address for one in self.ladder.participants],
        ]
        lines = []
        for row in rows:
            if any(row):
                canvas = Canvas(self.width)
                for lane, words in zip(self.lanes, row, strict=True):
                    self._centre(canvas, lane, words)
                lines.append(TextLine(canvas.text(), Tone.HEAD))
        return lines

    def legend(self) -> list[TextLine]:
        """Names and addresses that were too long for their column, in full."""
        return [
            TextLine(clipped(f"{one.name}: {one.address}", self.width), Tone.MUTED)
            for one in self.ladder.participants
            if max(cell_width(escape_control(one.name)), len(one.address)) > self._name_cells()
        ]

    def rung(self, rung: Rung) -> list[TextLine]:
        lines = []
        if rung.is_late:
            canvas = self._lanes("┊")
            canvas.put(1, f"+{seconds_words(rung.since_us)}".rjust(TIME_CELLS - 1))
            lines.append(TextLine(canvas.text(), Tone.MUTED))
        canvas = self._lanes("│")
        canvas.put(0, f"{rung.offset_us // 1_000_000:6}.{rung.offset_us // 1000 % 1000:03}")
        tone = tone_of(rung)
        if rung.source == rung.target:
            self._put_beside(canvas, rung)
        else:
            self._put_arrow(canvas, rung)
        lines.append(TextLine(canvas.text(), tone))
        if rung.repeat == 0:
            lines += [self._fact(rung, fact) for fact in rung.facts]
        return lines

    def _lanes(self, mark: str) -> Canvas:
        canvas = Canvas(self.width)
        for lane in self.lanes:
            canvas.put(lane, mark)
        return canvas

    def _put_beside(self, canvas: Canvas, rung: Rung) -> None:
        """An event: its words stand on the side of its column where there is more room."""
        lane = self.lanes[rung.source]
        words = f"{'✗ ' if rung.is_error else ''}{rung.label}"
        canvas.put(lane, "◆")
        if rung.source < len(self.lanes) - 1:
            canvas.put(lane + 2, words)
        else:
            shown = clipped(words, lane - LEFT - 3)
            canvas.put(lane - 1 - cell_width(shown), shown)

    def _put_arrow(self, canvas: Canvas, rung: Rung) -> None:
        left, right = sorted((self.lanes[rung.source], self.lanes[rung.target]))
        shaft = "┈" if rung.is_event else "╌" if rung.repeat else "─"
        canvas.put(left + 1, shaft * (right - left - 1))
        if rung.target > rung.source:
            canvas.put(right - 1, "▶")
        else:
            canvas.put(left + 1, "◀")
        words = clipped(f" {label_of(self.ladder, rung)} ", right - left - 5)
        canvas.put((left + right + 1 - cell_width(words)) // 2, words)

    def _fact(self, rung: Rung, fact: str) -> TextLine:
        canvas = self._lanes("│")
        left = min(self.lanes[rung.source], self.lanes[rung.target])
        canvas.put(left + 3, f" {fact} ")
        return TextLine(canvas.text(), Tone.MUTED)

    def _name_cells(self) -> int:
        return self.pitch - 2

    def _centre(self, canvas: Canvas, lane: int, words: str) -> None:
        """Over its column, moved in where it would leave the page."""
        shown = clipped(words, self._name_cells())
        width = cell_width(shown)
        canvas.put(min(max(0, lane - width // 2), self.width - width), shown)


def label_of(ladder: Ladder, rung: Rung) -> str:
    """What stands on the arrow: the message, what is special about it, and its leg where a column has several."""
    marks = "↻ " if rung.repeat else "✗ " if rung.is_error or rung.is_unreadable else ""
    repeat = f" x{rung.repeat + 1}" if rung.repeat else ""
    leg = f" [leg {rung.leg}]" if len(ladder.column_legs(rung)) > 1 else ""
    return f"{marks}{rung.label}{repeat}{leg}"


def tone_of(rung: Rung) -> Tone:
    """The one thing that matters most about a rung."""
    if rung.is_error or rung.is_unreadable:
        return Tone.ERROR
    if rung.repeat:
        return Tone.REPEAT
    if rung.is_event:
        return Tone.EVENT
    return Tone.MUTED if rung.is_muted else Tone.PLAIN


def seconds_words(time_us: int) -> str:
    """ "0.412 s", "4.2 s", "31 s", "14 min 59 s"."""
    if time_us < 1_000_000:
        return f"0.{time_us // 1000:03} s"
    seconds, rest = divmod(time_us // 100_000, 10)
    if seconds < 10:
        return f"{seconds}.{rest} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _role(one: Participant) -> str:
    return "" if one.role in {Role.EXCHANGE, Role.OTHER} else one.role.value
