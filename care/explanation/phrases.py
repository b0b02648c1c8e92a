"""Numbers, times and money as people in the UK write them, and text of others made harmless for a sentence. Pure."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import Final

from provisioning.printable import shorten
from provisioning.settings import WITHHELD
from rating.money import MICROS_PER_POUND, Micros, format_pounds

LONDON: Final = zoneinfo.ZoneInfo("Europe/London")
UK: Final = "+44"
WITHHELD_NUMBER: Final = "a withheld number"
# A name, a number or a few words of somebody's answer: more than this buries the sentence round it.
SAID_CHARS_MAX: Final = 80
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What datetime can show; a record with another time was broken somewhere, and is said to be so.
_MS_MAX: Final = 253_370_764_800_000  # the beginning of the year 9999


def number_words(number: str) -> str:
    """ "020 7946 0123", "01632 960001", "07700 900123"; what is no UK number stands as it is, made harmless."""
    if number == WITHHELD:
        return WITHHELD_NUMBER
    digits = number.removeprefix(UK)
    if digits == number or not (digits.isascii() and digits.isdigit()) or len(digits) not in (9, 10):
        return said(number)
    national = f"0{digits}"
    if national.startswith("02"):
        groups: tuple[int, ...] = (3, 4, 4)
    elif national.startswith(("03", "08", "09", "011")) or (national[1] == "1" and national[3] == "1"):
        groups = (4, 3, 4)
    else:
        groups = (5, 6)
    return _grouped(national, groups)


def _grouped(digits: str, groups: tuple[int, ...]) -> str:
    found, at = [], 0
    for size in groups:
        found.append(digits[at : at + size])
        at += size
    found.append(digits[at:])
    return " ".join(part for part in found if part)


def clock_words(at_ms: int) -> str:
    """In London: "10:15:09 on Sunday 22 November 2026 (GMT)"."""
    moment = _moment(at_ms)
    if moment is None:
        return "a time that cannot be right"
    return f"{moment:%H:%M:%S} on {moment:%A} {moment.day} {moment:%B %Y} ({moment.tzname()})"


def time_words(at_ms: int, *, beside_ms: int) -> str:
    """A time beside one that was said already: "09:14:02", or with its day where that is another."""
    moment, other = _moment(at_ms), _moment(beside_ms)
    if moment is None:
        return "a time that cannot be right"
    if other is not None and moment.date() == other.date():
        return f"{moment:%H:%M:%S}"
    return f"{moment:%H:%M:%S} on {moment.day} {moment:%B}"


def _moment(at_ms: int) -> datetime | None:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(LONDON) if 0 <= at_ms < _MS_MAX else None


def duration_words(seconds: float) -> str:
    """ "less than a second", "9 seconds", "2 minutes 5 seconds", "1 hour 3 minutes"."""
    whole = int(max(0.0, seconds))
    if whole == 0:
        return "less than a second"
    if whole < 60:
        return counted(whole, "second")
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return counted(minutes, "minute") + (f" {counted(rest, 'second')}" if rest else "")
    hours, minutes = divmod(minutes, 60)
    return counted(hours, "hour") + (f" {counted(minutes, 'minute')}" if minutes else "")


def counted(number: int, noun: str) -> str:
    """ "1 second", "2 seconds"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def money_words(micros: Micros) -> str:
    """ "£1.20"; below a pound "12p", "1.6p"."""
    if micros <= 0 or micros >= MICROS_PER_POUND:
        return format_pounds(micros)
    pence, rest = divmod(micros, MICROS_PER_POUND // 100)
    decimals = f"{rest:04d}".rstrip("0")
    return f"{pence}.{decimals}p" if decimals else f"{pence}p"


def joined(parts: list[str], last: str = "and") -> str:
    """ "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def sentence(words: str) -> str:
    """With a capital letter and a full stop."""
    words = words.strip()
    if not words:
        return ""
    return capital(words) + ("" if words[-1] in ".?!" else ".")


def capital(words: str) -> str:
    """With a capital letter, but for the name of the command."""
    return words if words.startswith("offhook ") else words[:1].upper() + words[1:]


def said(text: str) -> str:
    """Somebody else's text inside a sentence: on one line, no control character, not too long."""
    return shorten(plain(text), SAID_CHARS_MAX)


def plain(text: str) -> str:
    """Without anything that does not print. Whoever shows it still escapes it for his page."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)
