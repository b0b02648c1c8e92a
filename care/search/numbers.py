"""Numbers as staff type them: whole in any way of writing, their first or last digits, short codes, lines' names."""

import enum
import re
from typing import Final

import msgspec

from billing.invoices.wording import shown_number
from provisioning.numbers import SEPARATORS, UK, parse_number
from provisioning.printable import escape_control
from provisioning.problems import InvalidValue, NumberProblem
from provisioning.settings import WITHHELD

TEXT_CHARS_MAX: Final = 128  # as long as a number can be on a record (switch/calls/cdr.py)
# Fewer are part of so many numbers that the answer says nothing.
PART_DIGITS_MIN: Final = 3
PART_EXPECTED: Final = f"at least {PART_DIGITS_MIN} digits before or after the dots"

_DOTS: Final = re.compile(r"\.{2,}|\u2026")
_DROP_SEPARATORS: Final = str.maketrans("", "", SEPARATORS)
_DIGITS: Final = re.compile(r"\+?[0-9]{1,20}")


class NumberForm(enum.Enum):
    WHOLE = "whole"  # `text` is E.164
    FIRST = "first"  # E.164 as far as it goes
    LAST = "last"
    WORD = "word"  # a short code, a line's name: as it stands
    WITHHELD = "withheld"


class NumberAsked(msgspec.Struct, frozen=True):
    form: NumberForm
    text: str

    @property
    def words(self) -> str:
        match self.form:
            case NumberForm.WHOLE:
                return shown_number(self.text)
            case NumberForm.FIRST:
                return f"a number that begins {self.text}"
            case NumberForm.LAST:
                return f"a number that ends {self.text}"
            case NumberForm.WITHHELD:
                return "a withheld number"
            case NumberForm.WORD:
                return escape_control(self.text)


def read_number(text: str, *, what: str) -> NumberAsked:
    """Raises InvalidValue for what cannot be on a record, and for too few digits of a part."""
    typed = text.strip()
    if not typed.isprintable() or len(typed) > TEXT_CHARS_MAX:
        raise InvalidValue(what, text, f"at most {TEXT_CHARS_MAX} printable characters")
    if typed.lower() == WITHHELD:
        return NumberAsked(NumberForm.WITHHELD, "")
    first, last = _first_digits(typed), _last_digits(typed)
    if first is not None or last is not None:
        return _part(first, last, text, what)
    try:
        return NumberAsked(NumberForm.WHOLE, parse_number(typed))
    except NumberProblem:
        return NumberAsked(NumberForm.WORD, typed)


def _last_digits(typed: str) -> str | None:
    """ "...0123", "*0123"; not "*55*0123#", which is a code that somebody dialled."""
    if match := _DOTS.match(typed):
        return typed[match.end() :]
    if typed.startswith("*") and _DIGITS.fullmatch(_bare(typed[1:])):
        return typed[1:]
    return None


def _first_digits(typed: str) -> str | None:
    """ "0207946...", "0207946*"."""
    for match in _DOTS.finditer(typed):
        if match.start() and match.end() == len(typed):
            return typed[: match.start()]
    if typed.endswith("*") and _DIGITS.fullmatch(_bare(typed[:-1])):
        return typed[:-1]
    return None


def _part(first: str | None, last: str | None, text: str, what: str) -> NumberAsked:
    digits = _bare(first if first is not None else last or "")
    if not _DIGITS.fullmatch(digits) or len(digits.removeprefix("+")) < PART_DIGITS_MIN:
        raise InvalidValue(what, text, PART_EXPECTED)
    if first is None:
        return NumberAsked(NumberForm.LAST, digits.removeprefix("+"))
    return NumberAsked(NumberForm.FIRST, _international(digits))


def _bare(text: str) -> str:
    return text.replace("(0)", "", 1).translate(_DROP_SEPARATORS) if text else ""


def _international(digits: str) -> str:
    if digits.startswith("+"):
        return digits
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    if digits.startswith("0"):
        return f"+{UK}{digits[1:]}"
    return f"+{digits}" if digits.startswith(UK) else digits  # the rest are short codes: 118...
