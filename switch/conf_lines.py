"""Where each key of a TOML text stands: its line, for problems that an operator can find.

tomllib (TOML 1.0) gives values but no places, so `KeyLines` walks the text once more. It may assume
valid TOML because tomllib has read it first. Keys inside an inline table have no line of their own here;
they stand in their parent's.
"""

import tomllib

_BARE_KEY_ENDS = frozenset("=.] \t\n\r")


class KeyLines:
    """Walks valid TOML once and notes the line where each table and each key begins. Values are skipped."""

    __slots__ = ("_at", "_line", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def find(self) -> dict[tuple[str, ...], int]:
        """Path of a key -> its line, counted from 1."""
        lines: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        while self._skip_to_key():
            line = self._line
            if self._text[self._at] == "[":
                self._at += 2 if self._text.startswith("[[", self._at) else 1
                table = self._key()
                for end in range(1, len(table) + 1):
                    lines.setdefault(table[:end], line)
                self._skip_line()
            else:
                path = table + self._key()
                self._skip_value()
                for end in range(len(table) + 1, len(path) + 1):
                    lines.setdefault(path[:end], line)
        return lines

    def _skip_to_key(self) -> bool:
        """To the next thing that is neither blank nor a comment. False at the end."""
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == "#":
                self._skip_line()
            elif char in " \t\r\n":
                self._step()
            else:
                return True
        return False

    def _key(self) -> tuple[str, ...]:
        """One dotted key, up to and including its "=" or "]"."""
        parts: list[str] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            if char in "\"'":
                start = self._at
                self._skip_string()
                parts.append(_unquoted(self._text[start : self._at]))
            elif char in "=]":
                self._at += 1
                break
            elif char in _BARE_KEY_ENDS:
                self._step()
            else:
                start = self._at
                while self._at < len(self._text) and self._text[self._at] not in _BARE_KEY_ENDS:
                    self._at += 1
                parts.append(self._text[start : self._at])
        return tuple(parts)

    def _skip_value(self) -> None:
        """To the end of the line on which the value's last bracket closes."""
        depth = 0
        while self._at < len(self._text):
            char = self._text[self._at]
            if char in "\"'":
                self._skip_string()
            elif char == "#":
                self._skip_line()
            elif char == "\n" and depth == 0:
                return
            else:
                depth += (char in "[{") - (char in "]}")
                self._step()

    def _skip_string(self) -> None:
        quote = self._text[self._at]
        closing = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        self._at += len(closing)
        while self._at < len(self._text) and not self._text.startswith(closing, self._at):
            if quote == '"' and self._text[self._at] == "\\":
                self._step()
            self._step()
        self._at += len(closing)
        # A multi-line string may end in one or two quotes of its own before the closing three.
        while len(closing) == 3 and self._text.startswith(quote, self._at):
            self._at += 1

    def _skip_line(self) -> None:
        """To the newline, not over it."""
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end

    def _step(self) -> None:
        if self._at < len(self._text) and self._text[self._at] == "\n":
            self._line += 1
        self._at += 1


def _unquoted(quoted: str) -> str:
    """A quoted key's text; tomllib knows the escapes."""
    try:
        return next(iter(tomllib.loads(f"{quoted} = 0")))
    except tomllib.TOMLDecodeError:
        return quoted[1:-1]
