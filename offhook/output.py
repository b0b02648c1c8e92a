"""What a command prints: tables and facts for people, or JSON.

A terminal gets a table drawn by rich; a pipe gets plain aligned text that grep and awk read. Other people's
text is escaped in both, and never taken for rich's markup. In JSON it is as it is stored, what does not print
as \\uNNNN.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import msgspec

from offhook.exit_codes import CommandError
from provisioning.printable import escape_control

RIGHT_ALIGNED = ">"
COLUMN_GAP = "  "


class Column(msgspec.Struct, frozen=True):
    """A heading; numbers and money are aligned to the right."""

    title: str
    is_right: bool = False


def columns(*titles: str) -> list[Column]:
    """From titles; one that starts with ">" is aligned to the right."""
    return [
        Column(title=title.removeprefix(RIGHT_ALIGNED), is_right=title.startswith(RIGHT_ALIGNED))
        for title in titles
    ]


def print_json(value: Any) -> None:
    """Indented; keys as the structs name them. Money stays integer micros, times stay milliseconds."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    # JSON itself escapes only what is below a space; U+009B moves a cursor, too.
    print_line("\n".join(_json_escaped(line) for line in text.split("\n")))


def _json_escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else json.dumps(character)[1:-1] for character in line
    )


def print_table(heads: Sequence[Column], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """`empty` is said when there is no row."""
    shown = [[escape_control(cell) for cell in row] for row in rows]
    if not shown:
        print_line(empty)
    elif sys.stdout.isatty():
        _print_rich(heads, shown)
    else:
        for line in plain_lines(heads, shown):
            print_line(line)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Names and values, one a line, the values aligned."""
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        print_line(f"{name.ljust(width)}{COLUMN_GAP}{escape_control(value)}".rstrip())


def print_line(text: str) -> None:
    """One line to stdout, whatever encoding the terminal has."""
    _write(sys.stdout, text)


def print_error(text: str) -> None:
    """To stderr; each line of a longer text keeps its own."""
    for line in text.split("\n"):
        _write(sys.stderr, escape_control(line))


def flush_output() -> None:
    """Raises CommandError when what was printed cannot be written: without this it would be said only after the end."""
    if sys.stdout is None:  # closed by whoever called us
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()  # whoever reads us has enough
    except OSError as problem:
        _drop_output()
        raise CommandError(f"the output cannot be written: {problem.strerror or problem}") from None


def _drop_output() -> None:
    """What is still buffered would be tried again, and complained of, when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    encoding = stream.encoding or "ascii"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise CommandError(f"the output cannot be written: {problem.strerror or problem}") from None


def plain_lines(heads: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned columns, two spaces apart.

    An empty cell is a dash, so that a column can be picked by its number.
    """
    cells = [[head.title.upper() for head in heads], *[[cell or "-" for cell in row] for row in rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(heads))]
    return [
        COLUMN_GAP.join(
            cell.rjust(width) if head.is_right else cell.ljust(width)
            for head, cell, width in zip(heads, row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]


def _print_rich(heads: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    # A pipe, and JSON, need none of these, and a command costs what it imports.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(Text(head.title), justify="right" if head.is_right else "left", overflow="fold")
    for row in rows:
        table.add_row(*[Text(cell) for cell in row])
    Console(file=sys.stdout, highlight=False, markup=False, emoji=False).print(table)
