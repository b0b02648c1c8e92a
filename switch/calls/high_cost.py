"""High-cost destinations: the operator's list, made ready so that a call pays next to nothing for being asked.

An entry is what a bar may name (bars.py): a class, a country or the beginning of numbers. A call to one of them needs
the account to have asked for it (`opted_in` of its settings, the same words). A call to an ordinary UK number pays one
look at its class for it, another one look-up of the longest prefix.
"""

from collections.abc import Iterable
from typing import Final

from provisioning.model import Account
from rating.prefix import PrefixTable
from switch.calls.bars import ALL, COUNTRY, SATELLITE, SATELLITES, barring_class, matches
from switch.calls.countries import country_of
from switch.calls.number_plan import E164, NumberClass, Short

UK: Final = "+44"


class HighCost:
    """The list. `find` gives the entry that names a destination."""

    __slots__ = ("_abroad", "_classes", "_countries", "_ordinary", "_uk", "entries")

    def __init__(self, entries: Iterable[str]) -> None:
        self.entries = tuple(entries)
        self._classes = frozenset(
            entry for entry in self.entries if entry[0].isalpha() and not _is_spelt(entry)
        )
        self._countries = {
            entry[len(COUNTRY) :].upper(): entry for entry in self.entries if entry.startswith(COUNTRY)
        }
        prefixes = {entry.removesuffix("*"): entry for entry in self.entries if not entry[0].isalpha()}
        if SATELLITE in self.entries:
            prefixes.update(dict.fromkeys(SATELLITES, SATELLITE))
        self._uk = PrefixTable(
            {prefix: entry for prefix, entry in prefixes.items() if prefix.startswith(UK) or prefix[0] != "+"}
        )
        self._abroad = PrefixTable(
            {prefix: entry for prefix, entry in prefixes.items() if not prefix.startswith(UK)}
        )
        # What nearly every call is to: no look-up at all, unless the list names something among them.
        has_uk = bool(
            len(self._uk) or {"GB", "JE", "GG", "IM"} & set(self._countries) or self._classes - {"premium"}
        )
        self._ordinary = () if has_uk else (NumberClass.MOBILE, NumberClass.GEOGRAPHIC, NumberClass.UK_WIDE)

    def find(self, destination: E164 | Short) -> str:
        """The entry, "" for an ordinary destination."""
        if destination.number_class is NumberClass.INTERNATIONAL:
            return self._abroad.longest(destination.number) or self._class_or_country(destination)
        if destination.number_class in self._ordinary:
            return ""
        return self._uk.longest(destination.number) or self._class_or_country(destination)

    def _class_or_country(self, destination: E164 | Short) -> str:
        if self._countries and (entry := self._countries.get(country_of(destination.number))) is not None:
            return entry
        if not self._classes:
            return ""
        if ALL in self._classes:
            return ALL
        kind = barring_class(destination)
        return kind if kind in self._classes else ""


def has_opted_in(account: Account, destination: E164 | Short) -> bool:
    """Whether the account has asked for this destination."""
    return any(matches(what, destination) for what in account.settings.opted_in)


def _is_spelt(entry: str) -> bool:
    """Whether it is a country or a set of prefixes in words."""
    return entry == SATELLITE or entry.startswith(COUNTRY)
