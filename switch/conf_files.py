"""The files in conf/ as text: read with limits, parsed as TOML, and every key's line known.

A problem is a file, a line, a key, what was found and what was expected; `ConfProblems` carries all of
them at once. `conf_fingerprint` is the cheap look that tells whether anything has changed since the last
load. What the values mean is config.py's business.
"""

import stat
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec import Struct

from switch.conf_lines import KeyLines

# A configuration of a thousand trunks is a quarter of this; more is not something people wrote.
TOML_BYTES_MAX = 1024 * 1024
# The largest price decks sold have some 200,000 rows of about 60 bytes; this is five times that.
TARIFF_BYTES_MAX = 64 * 1024 * 1024
DO_NOT_ORIGINATE_FILE = "do-not-originate.txt"  # switch/conf_cli.py reads it
# Enough to recognise a value in a message, short enough for one line of a terminal.
SHOWN_CHARS_MAX = 60

KeyPath = tuple[str, ...]
Fingerprint = tuple[tuple[str, int, int, int, int], ...]


class ConfProblem(Struct, frozen=True):
    """One thing wrong in one place. `line` is 0 where the file as a whole is meant; `key` is dotted."""

    file: str
    line: int
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f" {self.key}:" if self.key else ""
        return f"{place}:{key} found {self.found}, expected {self.expected}"


class ConfProblems(Exception):  # noqa: N818 - a list of problems, not one error
    """The configuration cannot be used. `problems` has everything that was found, file by file."""

    def __init__(self, problems: list[ConfProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ConfFile:
    """One TOML file: its name as the operator knows it, its text, its table, and the problems found in it."""

    __slots__ = ("_lines", "name", "problems", "table", "text", "warnings")

    def __init__(self, name: str, text: str, table: dict[str, Any]) -> None:
        self.name = name
        self.text = text
        self.table = table
        self.problems: list[ConfProblem] = []
        self.warnings: list[ConfProblem] = []
        self._lines: dict[KeyPath, int] | None = None

    def line_of(self, path: KeyPath) -> int:
        """The line of a key, or of the nearest table around it; 0 when there is none."""
        if self._lines is None:
            self._lines = KeyLines(self.text).find()
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return 0

    def note(self, path: KeyPath, *, found: str, expected: str) -> None:
        """Remember a problem at a key of this file."""
        self.problems.append(ConfProblem(self.name, self.line_of(path), dotted(path), found, expected))

    def in_order(self) -> list[ConfProblem]:
        """The problems as they follow each other in the file."""
        return sorted(self.problems, key=lambda problem: problem.line)

    def warn(self, path: KeyPath, *, found: str, expected: str) -> None:
        """Remember something that is legal but unwise."""
        self.warnings.append(ConfProblem(self.name, self.line_of(path), dotted(path), found, expected))


def open_conf_file(folder: Path, name: str) -> ConfFile:
    """Read and parse one file that must be there. Unreadable, its table is empty and the problem noted."""
    file = ConfFile(name, "", {})
    try:
        return _parse(name, read_text(folder / name, bytes_max=TOML_BYTES_MAX), is_secret=False)
    except FileNotFoundError:
        file.note((), found="no such file", expected=f"the file {name} in {folder}")
    except UnreadableFile as unreadable:
        file.note((), found=unreadable.found, expected=unreadable.expected)
    return file


def open_optional_file(folder: Path, name: str) -> ConfFile:
    """The same of a file that may be missing: one from before a release that knows it."""
    return open_conf_file(folder, name) if (folder / name).exists() else ConfFile(name, "", {})


def open_secrets_file(folder: Path, name: str) -> ConfFile:
    """Read and parse a file of passwords, which may be missing but never readable to others."""
    file = ConfFile(name, "", {})
    try:
        mode = stat.S_IMODE((folder / name).stat().st_mode)
        if mode & 0o177:
            file.note((), found=f"the mode {mode:04o}", expected=f"the mode 0600 (chmod 600 {folder / name})")
        return _parse(
            name, read_text(folder / name, bytes_max=TOML_BYTES_MAX), is_secret=True, problems=file.problems
        )
    except FileNotFoundError:
        pass
    except UnreadableFile as unreadable:
        file.note((), found=unreadable.found, expected=unreadable.expected)
    except OSError as error:
        file.note((), found=error.strerror or "an error", expected="a file that this user may read")
    return file


def _parse(name: str, text: str, *, is_secret: bool, problems: Sequence[ConfProblem] = ()) -> ConfFile:
    file = ConfFile(name, text, {})
    file.problems.extend(problems)
    try:
        file.table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        file.problems.append(_syntax_problem(name, text, error, is_secret=is_secret))
    except RecursionError:
        file.note((), found="tables or lists nested too deeply", expected="TOML")
    return file


class UnreadableFile(Exception):  # noqa: N818 - it is the file's fault, not an error of ours
    """A file is there but is not text that can be used."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found = found
        self.expected = expected


def read_text(path: Path, *, bytes_max: int) -> str:
    """The file's text. FileNotFoundError where it is missing, UnreadableFile for everything else."""
    try:
        with path.open("rb") as stream:
            data = stream.read(bytes_max + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableFile(
            error.strerror or "an unreadable file", "a file that this user may read"
        ) from None
    if len(data) > bytes_max:
        raise UnreadableFile(f"more than {bytes_max} bytes", f"at most {bytes_max} bytes")
    try:
        # Editors on Windows begin a file with a byte order mark; it says nothing in UTF-8.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(f"the byte 0x{data[error.start]:02x} in line {line}", "text in UTF-8") from None


def conf_fingerprint(folder: Path) -> Fingerprint:
    """Name, time, size, inode and mode of every file that `load_conf` reads. Equal means unchanged."""
    marks = []
    for path in (
        *sorted(folder.glob("*.toml")),
        *sorted(folder.glob(DO_NOT_ORIGINATE_FILE)),
        *sorted(folder.glob("*.csv")),
        *sorted(folder.glob("tariffs/*.csv")),
        *sorted(folder.glob("decks/*.toml")),
        *sorted(folder.glob("decks/*.csv")),
    ):
        try:
            status = path.stat()
        except OSError:
            continue  # gone between the listing and the look: its absence is the change
        marks.append(
            (str(path.relative_to(folder)), status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode)
        )
    return tuple(marks)


def shown(value: object) -> str:
    """A value as the operator wrote it, near enough: escaped and shortened."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, dict):
        text = "a table"
    elif isinstance(value, str):
        text = ascii(value) if not value.isprintable() else f'"{value}"'
    elif isinstance(value, list):
        text = "[" + ", ".join(shown(item) for item in value[:SHOWN_CHARS_MAX]) + "]"
    else:
        text = str(value)
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 3] + "..."


def nearest(name: str, names: Sequence[str]) -> str:
    """The name that was probably meant, or ""."""
    close = get_close_matches(name[:SHOWN_CHARS_MAX], names, n=1, cutoff=0.6)
    return close[0] if close else ""


def dotted(path: KeyPath) -> str:
    """A key as TOML writes it: parts that are not bare are quoted."""
    return ".".join(part if _is_bare(part) else f'"{part}"' for part in path)


def _is_bare(part: str) -> bool:
    return part.isascii() and part.replace("-", "a").replace("_", "a").isalnum()


def _syntax_problem(name: str, text: str, error: tomllib.TOMLDecodeError, *, is_secret: bool) -> ConfProblem:
    """tomllib says the place only in words: "Invalid value (at line 3, column 7)"."""
    words, _, place = str(error).rpartition(" (at ")
    number = place.removeprefix("line ").partition(",")[0]
    line = int(number) if number.isascii() and number.isdigit() else text.count("\n") + 1
    lines = text.split("\n")
    source = lines[line - 1].strip() if line <= len(lines) else ""
    # A line that may hold a password is not repeated in logs.
    is_hidden = is_secret or "dsn" in source or "password" in source
    found = "a line that is not TOML" if is_hidden or not source else shown(source)
    return ConfProblem(name, line, "", found, f"TOML ({words or error})")
