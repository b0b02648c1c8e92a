"""Which invoice a line of a bank statement pays. Pure: a line and the invoices go in, a decision comes out.

A number that the payer has quoted decides, however he wrote it: "inv 123", "Invoice INV-000123", "INV0 00123". Digits
without their letters decide only together with the amount or the payer's name. Amount and name alone decide nothing:
they are suggestions for a person.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

SUGGESTIONS_MAX: Final = 5
DIGITS_MIN: Final = 3  # fewer stand in every address
NAME_CHARS_MIN: Final = 4  # of a word that tells one payer from another

_NUMBER: Final = re.compile(r"(.*?)([0-9]+)")
_DIGITS: Final = re.compile(r"[0-9]+")
_GAP: Final = r"[\s\-_./#:]*"
_WORD: Final = re.compile(r"[A-Z0-9]+")
# What half of all companies are called, and no payer is told by.
_COMMON: Final = frozenset({"LIMITED", "COMPANY", "GROUP", "SERVICES", "TRADING", "PARTNERS", "THE"})


class Candidate(msgspec.Struct, frozen=True):
    """An invoice. `open_micros` 0: it is paid. `names` are the customer's and the account's."""

    number: str
    account_id: int
    open_micros: int
    names: tuple[str, ...]


class Decision(msgspec.Struct, frozen=True):
    """Either the account and the invoice, or suggestions (maybe none), the likeliest first."""

    account_id: int | None = None
    number: str = ""
    suggested: tuple[str, ...] = ()


class Invoices:
    """All that a payment may be for, to be looked up by what payers write."""

    __slots__ = ("_all", "_by_digits", "_by_number", "_quotes")

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._all = tuple(candidates)
        self._by_number: dict[tuple[str, str], Candidate] = {}
        self._by_digits: dict[str, list[Candidate]] = {}
        for each in self._all:
            prefix, digits = _parts(each.number)
            self._by_number[prefix, digits] = each
            self._by_digits.setdefault(digits, []).append(each)
        prefixes = {prefix for prefix, _ in self._by_number if prefix}
        self._quotes = [
            (prefix, re.compile(rf"(?<![A-Z]){_GAP.join(prefix)}{_GAP}([0-9][0-9\s]*)"))
            for prefix in sorted(prefixes, key=len, reverse=True)
        ]

    def decide(self, *, amount_micros: int, payer: str, text: str) -> Decision:
        said = f"{payer} {text}".upper()
        words = {word for word in _WORD.findall(said) if len(word) >= NAME_CHARS_MIN} - _COMMON
        quoted = self._quoted(said)
        if not quoted:
            quoted = [
                each
                for each in self._by_bare_digits(said)
                if each.open_micros == amount_micros or _is_named(each, words)
            ]
        if len({each.account_id for each in quoted}) == 1:
            return Decision(quoted[0].account_id, quoted[0].number)
        likely = quoted or self._suggestions(said, amount_micros, words)
        return Decision(suggested=tuple(dict.fromkeys(each.number for each in likely))[:SUGGESTIONS_MAX])

    def _quoted(self, said: str) -> list[Candidate]:
        """Those whose letters and digits stand there, in the order in which they do."""
        found = []
        for prefix, pattern in self._quotes:
            for match in pattern.finditer(said):
                joined = ""
                for group in match.group(
                    1
                ).split():  # "000 123 07700 900123": the number may end at each space
                    joined += group
                    known = self._by_number.get((prefix, joined.lstrip("0")))
                    if known is not None and known not in found:
                        found.append(known)
        return found

    def _by_bare_digits(self, said: str) -> list[Candidate]:
        runs = [run for run in _DIGITS.findall(said) if len(run) >= DIGITS_MIN]
        return [each for run in runs for each in self._by_digits.get(run.lstrip("0"), [])]

    def _suggestions(self, said: str, amount_micros: int, words: set[str]) -> list[Candidate]:
        """By digits; then by amount and name; then by amount; then by name."""
        ranked = [(0, each) for each in self._by_bare_digits(said)]
        for each in self._all:
            is_sum, is_named = each.open_micros == amount_micros, _is_named(each, words)
            if each.open_micros and (is_sum or is_named):
                ranked.append((1 if is_sum and is_named else 2 if is_sum else 3, each))
        return [each for _, each in sorted(ranked, key=lambda pair: pair[0])]


def _parts(number: str) -> tuple[str, str]:
    """ "INV-000123" is ("INV", "123")."""
    match = _NUMBER.fullmatch(number.upper())
    if match is None:
        return number.upper(), ""
    return re.sub("[^A-Z0-9]", "", match.group(1)), match.group(2).lstrip("0")


def _is_named(candidate: Candidate, words: set[str]) -> bool:
    """More than half of the words that tell a name from others."""
    for name in candidate.names:
        own = {word for word in _WORD.findall(name.upper()) if len(word) >= NAME_CHARS_MIN} - _COMMON
        if own and 2 * len(own & words) > len(own):
            return True
    return False
