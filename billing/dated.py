"""Figures that change by date: the VAT rate, interest, limits. Each has a day from which it holds, and nothing forgets.

In billing.toml a dated figure is an array of tables, one for each day on which it changed:

    [[vat]]
    from = 2011-01-04
    percent = 20
"""

import datetime
from collections.abc import Iterable
from typing import Generic, TypeVar

from msgspec import Struct

from switch.conf_files import ConfFile, KeyPath, shown
from switch.conf_reader import as_table, read_struct

T = TypeVar("T")
S = TypeVar("S", bound=Struct)

FROM = "from"
# A figure that changed twice a year for fifty years.
ENTRIES_MAX = 100


class NothingYet(LookupError):  # noqa: N818 - the file's fault, not an error of ours
    """Asked for a day that lies before the first entry."""


class Dated(Generic[T]):
    """What holds from which day on. Days are unique; `entries` are in their order."""

    __slots__ = ("entries", "name")

    def __init__(self, name: str, entries: Iterable[tuple[datetime.date, T]]) -> None:
        self.name = name
        self.entries = tuple(sorted(entries, key=lambda entry: entry[0]))
        days = [day for day, _ in self.entries]
        assert len(set(days)) == len(days), "two values from one day: the reader of the file refuses them"

    def at(self, day: datetime.date) -> T:
        """What holds on the day. Raises NothingYet before the first entry, and where there is none at all."""
        for since, value in reversed(self.entries):
            if since <= day:
                return value
        raise NothingYet(f"billing.toml has no [[{self.name}]] that holds on {day.isoformat()}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dated) and (self.name, self.entries) == (other.name, other.entries)

    def __hash__(self) -> int:
        return hash((self.name, self.entries))

    def __repr__(self) -> str:
        return f"Dated({self.name!r}, {list(self.entries)!r})"


def read_dated(file: ConfFile, struct: type[S], path: KeyPath) -> Dated[S]:
    """The array of tables at `path`, each a `from` and the fields of the struct. Problems are noted in the file.

    An entry without a usable `from`, or with one that was there before, is noted and left out.
    """
    name = ".".join(path)
    entries: dict[datetime.date, S] = {}
    for table in _tables(file, path):
        rest = {key: value for key, value in table.items() if key != FROM}
        value = read_struct(file, struct, rest, path)
        since = table.get(FROM)
        # A datetime is a date to isinstance, and it would not compare with one.
        if not isinstance(since, datetime.date) or isinstance(since, datetime.datetime):
            found = "no from" if since is None else shown(since)
            file.note((*path, FROM), found=found, expected="a date without quotes, like from = 2011-01-04")
        elif since in entries:
            file.note((*path, FROM), found=f"{since.isoformat()} twice", expected="each date once")
        else:
            entries[since] = value
    return Dated(name, entries.items())


def _tables(file: ConfFile, path: KeyPath) -> list[dict[str, object]]:
    found: object = file.table
    for key in path:
        found = as_table(file, found, path).get(key, [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        file.note(path, found=shown(found), expected=f"tables, each below a line [[{'.'.join(path)}]]")
        return []
    if len(found) > ENTRIES_MAX:
        file.note(path, found=f"{len(found)} entries", expected=f"at most {ENTRIES_MAX}")
        return []
    return found
