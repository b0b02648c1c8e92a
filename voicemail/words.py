"""What the switch asks to be said: words in one URI parameter, joined by dots.

A word is a prompt's name, `number-<digits>` (a telephone number, digit by digit), `at-<utc ms>` (day and time),
`count-<n>` (0 to 999), or a prompt of an account, `own.<account id>.<name>`, whose dots belong to it. What is none of
these is skipped and counted where it would be said, as a prompt is whose name nobody knows: the rest of a sentence is
better than none.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

# The longest confirmation is a dozen; this is two minutes of them.
WORDS_MAX: Final = 60
# No Request-URI of the switch's has more (switch/sip/framing.py: 4 kB are far beyond any in the field).
CHARS_MAX: Final = 2000
OWN: Final = "own"
# Said in the log instead of a word that cannot be read.
UNREADABLE: Final = "unreadable-word"

_PROMPT: Final = re.compile(r"[a-z0-9-]{1,64}").fullmatch
_ACCOUNT: Final = re.compile(r"[0-9]{1,19}").fullmatch
_NUMBER: Final = re.compile(r"number-(\+?[0-9]{1,20})").fullmatch
# Up to the year 5138.
_MOMENT: Final = re.compile(r"at-([0-9]{1,14})").fullmatch
_COUNT: Final = re.compile(r"count-([0-9]{1,3})").fullmatch


class WordKind(enum.Enum):
    PROMPT = "prompt"
    OWN = "own"  # value is "<account id>.<name>"
    NUMBER = "number"  # digits, perhaps with a plus before them
    MOMENT = "moment"  # UTC milliseconds
    COUNT = "count"


class Word(NamedTuple):
    kind: WordKind
    value: str


Words = tuple[Word, ...]


def read_words(text: str) -> Words:
    """() for none, and for more than anybody would listen to."""
    if not text or len(text) > CHARS_MAX:
        return ()
    words = tuple(_read(iter(text.split("."))))
    return words if len(words) <= WORDS_MAX else ()


def _read(parts: Iterator[str]) -> Iterator[Word]:
    for part in parts:
        if part != OWN:
            yield _word(part)
            continue
        account, name = next(parts, ""), next(parts, "")
        if _ACCOUNT(account) and _PROMPT(name):
            yield Word(WordKind.OWN, f"{account}.{name}")
        else:
            yield Word(WordKind.PROMPT, UNREADABLE)


def _word(part: str) -> Word:
    for kind, matches in (
        (WordKind.NUMBER, _NUMBER),
        (WordKind.MOMENT, _MOMENT),
        (WordKind.COUNT, _COUNT),
    ):
        found = matches(part)
        if found is not None:
            return Word(kind, found[1])
    return Word(WordKind.PROMPT, part if _PROMPT(part) else UNREADABLE)
