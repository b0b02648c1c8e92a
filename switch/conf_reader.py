"""Fills a struct from a TOML table, key by key, and goes on after a problem so that one run finds them all.

The struct is the schema: a field is a key, its type gives the range, its default is the default. A wrong
value or an unknown key is noted in the file with its line; the default stands in for it so that the rest
can still be checked.
"""

import enum
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo

from switch.conf_files import ConfFile, KeyPath, nearest, shown
from switch.conf_values import Expected, Reads

V = TypeVar("V")
S = TypeVar("S", bound=Struct)

# A name goes into CDRs, metric labels and log lines, and is typed in routes.
NAME_CHARS_MAX = 40

_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_UNITS = {"_s": " of seconds", "_ms": " of milliseconds"}


def read_struct(file: ConfFile, struct: type[S], table: object, path: KeyPath, **given: object) -> S:
    """One table as a struct whose every field has a default. `given` fields are no keys of the file."""
    fields = {field.name: field for field in msgspec.structs.fields(struct) if field.name not in given}
    values = dict(given)
    for name, value in as_table(file, table, path).items():
        field = fields.get(name)
        if field is None:
            note_unknown_key(file, (*path, name), list(fields))
            continue
        try:
            values[name] = read_field(field, value)
        except Expected as problem:
            file.note((*path, name), found=problem.found or shown(value), expected=problem.expected)
    return struct(**values)


def read_entries(
    file: ConfFile,
    table: object,
    path: KeyPath,
    read_key: Callable[[str], str],
    read_value: Callable[[object], V],
) -> dict[str, V]:
    """A table whose keys are data (prefixes, numbers). Wrong entries are noted and left out."""
    entries: dict[str, V] = {}
    for key, value in as_table(file, table, path).items():
        try:
            name = read_key(key)
        except Expected as problem:
            file.note((*path, key), found=shown(key), expected=problem.expected)
            continue
        try:
            entries[name] = read_value(value)
        except Expected as problem:
            file.note((*path, key), found=problem.found or shown(value), expected=problem.expected)
    return entries


def read_named_tables(file: ConfFile, table: object, path: KeyPath) -> dict[str, dict[str, Any]]:
    """[trunk.NAME], [tariffs.NAME]: the tables by name. Names that cannot be used are noted and left out."""
    tables: dict[str, dict[str, Any]] = {}
    for name, inner in as_table(file, table, path).items():
        if is_name(name):
            tables[name] = as_table(file, inner, (*path, name))
        else:
            expected = f"a name of 1 to {NAME_CHARS_MAX} small letters, digits, - and _"
            file.note((*path, name), found=shown(name), expected=expected)
    return tables


def is_name(name: str) -> bool:
    """Whether a trunk or tariff may be called so."""
    return 0 < len(name) <= NAME_CHARS_MAX and _NAME_CHARS.issuperset(name)


def as_table(file: ConfFile, value: object, path: KeyPath) -> dict[str, Any]:
    """The table, or an empty one and a problem noted."""
    if isinstance(value, dict):
        return value
    file.note(path, found=shown(value), expected="a table, in lines below its name in square brackets")
    return {}


def note_unknown_tables(file: ConfFile, known: Sequence[str]) -> None:
    """Everything at the top of the file that it should not have."""
    for name in file.table:
        if name not in known:
            note_unknown_key(file, (name,), known)


def note_unknown_key(file: ConfFile, path: KeyPath, known: Sequence[str]) -> None:
    """A key that nobody reads is refused: a mistyped limit would otherwise be no limit."""
    close = nearest(path[-1], known)
    expected = f"perhaps {close}" if close else f"one of {', '.join(known)}" if known else "no key here"
    file.note(path, found="an unknown key", expected=expected)


def read_field(field: FieldInfo, value: object) -> object:
    """A value as the field's type. Raises `Expected`."""
    for mark in get_args(field.type)[1:]:
        if isinstance(mark, Reads):
            return mark.read(value)
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        raise Expected(_describe(field)) from None


def _describe(field: FieldInfo) -> str:
    """What a field without a reader of its own takes, in words: one of an Enum, or a number with a range."""
    kind, meta = field.type, Meta()
    if get_origin(kind) is Annotated:
        kind, meta = get_args(kind)[:2]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(f'"{member.value}"' for member in kind)
    assert kind is int, f"{field.name} needs a reader that says what is expected"
    unit = _UNITS.get(field.name[field.name.rfind("_") :], "")
    return f"a whole number{unit} from {meta.ge} to {meta.le}"
