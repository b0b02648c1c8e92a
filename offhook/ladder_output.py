"""A ladder on stdout: coloured in a terminal, plain text in a pipe."""

import shutil
import sys
from typing import Final

from care.ladder import Ladder
from care.ladder.text import WIDTH_MAX, Tone, toned
from offhook.output import print_line

_STYLES: Final = {
    Tone.PLAIN: "",
    Tone.HEAD: "bold",
    Tone.MUTED: "dim",
    Tone.REPEAT: "yellow",
    Tone.ERROR: "bold red",
    Tone.EVENT: "cyan",
}


def print_ladder(ladder: Ladder) -> None:
    """As wide as the terminal; 120 columns in a pipe."""
    width = shutil.get_terminal_size((120, 24)).columns
    lines = toned(ladder, min(width, WIDTH_MAX))
    if not sys.stdout.isatty():
        for line in lines:
            print_line(line.text)
        return
    from rich.console import Console  # noqa: PLC0415 - a pipe needs none of it
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)
    for line in lines:
        console.print(Text(line.text, style=_STYLES[line.tone]))
