"""How a bank lays out its statements: conf/statements/NAME.toml, one file for each layout.

A column is named by its heading, or by its number from 1 where the file has no headings. Money in stands in a column of
its own (`paid_in`), or in one with a sign (`amount`).
"""

import re
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from switch.conf_files import ConfProblems, open_conf_file
from switch.conf_reader import is_name, note_unknown_tables, read_struct
from switch.conf_values import Expected, Reads

FOLDER: Final = "statements"
COLUMN_CHARS_MAX: Final = 100
TEXT_COLUMNS_MAX: Final = 10
DATE_FORMAT_CHARS_MAX: Final = 20
_DATE_FORMAT: Final = re.compile(r"(%[dmyYbB]|[-/. ,])+")
ENCODINGS: Final = ("utf-8", "cp1252", "utf-16")


def read_column(value: object) -> str:
    if not isinstance(value, str) or len(value) > COLUMN_CHARS_MAX or not value.isprintable():
        raise Expected('the heading of a column, like "Paid in", or its number from 1 in quotes')
    return value


def read_columns(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > TEXT_COLUMNS_MAX:
        raise Expected(f"a list of at most {TEXT_COLUMNS_MAX} columns")
    return tuple(read_column(each) for each in value)


def read_date_format(value: object) -> str:
    if not isinstance(value, str) or len(value) > DATE_FORMAT_CHARS_MAX or not _DATE_FORMAT.fullmatch(value):
        raise Expected('how dates are written, of %d %m %Y %y %b %B and - / . , like "%d/%m/%Y"')
    return value


def read_delimiter(value: object) -> str:
    if value not in (",", ";", "\t", "|"):
        raise Expected('one of "," ";" "|" and a tab')
    return str(value)


def read_encoding(value: object) -> str:
    if value not in ENCODINGS:
        raise Expected(f"one of {', '.join(ENCODINGS)}")
    return str(value)


def read_switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise Expected("true or false")
    return value


Column = Annotated[str, Reads(read_column)]


class StatementMapping(Struct, frozen=True):
    """[statement]. `skip_lines` stand before the headings. Texts are what the payer wrote and whatever names him."""

    delimiter: Annotated[str, Reads(read_delimiter)] = ","
    encoding: Annotated[str, Reads(read_encoding)] = "utf-8"
    skip_lines: Annotated[int, Meta(ge=0, le=100)] = 0
    has_headings: Annotated[bool, Reads(read_switch)] = True
    date: Column = ""
    date_format: Annotated[str, Reads(read_date_format)] = "%d/%m/%Y"
    amount: Column = ""
    paid_in: Column = ""
    payer: Column = ""
    texts: Annotated[tuple[str, ...], Reads(read_columns)] = ()


def load_mapping(conf_dir: Path, name: str) -> StatementMapping:
    """Raises ConfProblems."""
    file_name = f"{FOLDER}/{name}.toml"
    if not is_name(name):
        file_name = f"{FOLDER}/NAME.toml"
    file = open_conf_file(conf_dir, file_name)
    mapping = StatementMapping()
    if not file.problems:
        note_unknown_tables(file, ("statement",))
        mapping = read_struct(file, StatementMapping, file.table.get("statement", {}), ("statement",))
        if not mapping.date:
            file.note(("statement",), found="no date", expected="the column of the day")
        if bool(mapping.amount) == bool(mapping.paid_in):
            file.note(("statement",), found="both or neither", expected="either amount or paid_in")
        if not mapping.texts and not mapping.payer:
            file.note(("statement",), found="no texts", expected="the columns that hold what the payer wrote")
    if file.problems:
        raise ConfProblems(file.in_order())
    return mapping
