"""The UK's number ranges as tables: prefix of the national significant number -> class, lengths, territory.

From Ofcom's National Telephone Numbering Plan and the shapes that libphonenumber 9.0 knows; the longest
prefix wins. Prices are not here: they go by prefix in the tariffs. Routing never asks a library whether
a number "is valid", because several drama ranges then are not. The Crown dependencies share +44 but are
not the UK for tariffs.
"""

import enum
from typing import Final

from msgspec import Struct

from rating.prefix import PrefixTable


class NumberClass(enum.Enum):
    """The rating and barring class of a range."""

    GEOGRAPHIC = "geographic"
    UK_WIDE = "uk_wide"  # 03: charged like geographic
    CORPORATE = "corporate"  # 055
    VOIP = "voip"  # 056, location independent
    PERSONAL = "personal"  # 070: not mobile, and dearer
    MOBILE = "mobile"
    PAGING = "paging"
    FREEPHONE = "freephone"
    NETWORK = "network"  # 082
    UNBUNDLED = "unbundled"  # 084 and 087: access charge and service charge
    PREMIUM = "premium"  # 09
    SOCIAL = "social"  # 116xxx: free
    DIRECTORY = "directory"  # 118xxx
    PUBLIC_SERVICE = "public_service"  # 101, 105, 111, 119, 159
    OPERATOR = "operator"
    INTERNATIONAL = "international"
    NOT_IN_USE = "not_in_use"


UK: Final = "UK"
JERSEY: Final = "Jersey"
GUERNSEY: Final = "Guernsey"
ISLE_OF_MAN: Final = "Isle of Man"


class NumberRange(Struct, frozen=True):
    """`lengths` are the digits that a number of this range may have, without the 0 or +44."""

    number_class: NumberClass
    lengths: tuple[int, ...]
    territory: str


class ShortCode(Struct, frozen=True):
    """A code of `length` digits in all, dialled without a 0."""

    number_class: NumberClass
    length: int


_RANGES: tuple[tuple[str, NumberClass, tuple[int, ...], str], ...] = (
    # Parts of 41 four-digit codes still have 9 digits, and 016977 too: 9 is never refused for 01 ...
    ("1", NumberClass.GEOGRAPHIC, (9, 10), UK),
    ("10", NumberClass.NOT_IN_USE, (), UK),  # no area code begins so since 010 was the prefix for abroad
    # ... but where the area code has three digits the local number has seven, always.
    ("11", NumberClass.GEOGRAPHIC, (10,), UK),
    ("121", NumberClass.GEOGRAPHIC, (10,), UK),
    ("131", NumberClass.GEOGRAPHIC, (10,), UK),
    ("141", NumberClass.GEOGRAPHIC, (10,), UK),
    ("151", NumberClass.GEOGRAPHIC, (10,), UK),
    ("161", NumberClass.GEOGRAPHIC, (10,), UK),
    ("191", NumberClass.GEOGRAPHIC, (10,), UK),
    ("1481", NumberClass.GEOGRAPHIC, (10,), GUERNSEY),
    ("1534", NumberClass.GEOGRAPHIC, (10,), JERSEY),
    ("1624", NumberClass.GEOGRAPHIC, (10,), ISLE_OF_MAN),
    ("2", NumberClass.GEOGRAPHIC, (10,), UK),
    ("3", NumberClass.UK_WIDE, (10,), UK),
    ("4", NumberClass.NOT_IN_USE, (), UK),
    ("5", NumberClass.NOT_IN_USE, (), UK),  # 0500 freephone ended in 2017
    ("55", NumberClass.CORPORATE, (10,), UK),
    ("56", NumberClass.VOIP, (10,), UK),
    ("6", NumberClass.NOT_IN_USE, (), UK),
    ("7", NumberClass.MOBILE, (10,), UK),
    ("70", NumberClass.PERSONAL, (10,), UK),
    ("76", NumberClass.PAGING, (10,), UK),
    ("7509", NumberClass.MOBILE, (10,), JERSEY),
    ("77003", NumberClass.MOBILE, (10,), JERSEY),
    ("77007", NumberClass.MOBILE, (10,), JERSEY),
    ("77008", NumberClass.MOBILE, (10,), JERSEY),
    ("7797", NumberClass.MOBILE, (10,), JERSEY),
    ("7829", NumberClass.MOBILE, (10,), JERSEY),
    ("7937", NumberClass.MOBILE, (10,), JERSEY),
    ("7781", NumberClass.MOBILE, (10,), GUERNSEY),
    ("7839", NumberClass.MOBILE, (10,), GUERNSEY),
    ("79111", NumberClass.MOBILE, (10,), GUERNSEY),
    ("79117", NumberClass.MOBILE, (10,), GUERNSEY),
    ("74576", NumberClass.MOBILE, (10,), ISLE_OF_MAN),
    ("7524", NumberClass.MOBILE, (10,), ISLE_OF_MAN),
    ("7624", NumberClass.MOBILE, (10,), ISLE_OF_MAN),
    ("7924", NumberClass.MOBILE, (10,), ISLE_OF_MAN),
    ("8", NumberClass.NOT_IN_USE, (), UK),
    ("800", NumberClass.FREEPHONE, (9, 10), UK),
    ("8001111", NumberClass.FREEPHONE, (7, 9, 10), UK),  # Childline: 0800 1111 is the whole number
    ("808", NumberClass.FREEPHONE, (10,), UK),
    ("82", NumberClass.NETWORK, (10,), UK),
    ("84", NumberClass.UNBUNDLED, (10,), UK),
    ("845464", NumberClass.UNBUNDLED, (7, 10), UK),  # 0845 46 4x
    ("87", NumberClass.UNBUNDLED, (10,), UK),
    ("9", NumberClass.NOT_IN_USE, (), UK),
    ("90", NumberClass.PREMIUM, (10,), UK),
    ("91", NumberClass.PREMIUM, (10,), UK),
    ("98", NumberClass.PREMIUM, (10,), UK),
)

_SHORT_CODES: tuple[tuple[str, NumberClass, int], ...] = (
    ("100", NumberClass.OPERATOR, 3),
    ("101", NumberClass.PUBLIC_SERVICE, 3),
    ("105", NumberClass.PUBLIC_SERVICE, 3),
    ("111", NumberClass.PUBLIC_SERVICE, 3),
    ("116", NumberClass.SOCIAL, 6),
    ("118", NumberClass.DIRECTORY, 6),
    ("119", NumberClass.PUBLIC_SERVICE, 3),
    ("123", NumberClass.OPERATOR, 3),
    ("155", NumberClass.OPERATOR, 3),
    ("159", NumberClass.PUBLIC_SERVICE, 3),
    ("195", NumberClass.DIRECTORY, 3),
    ("17070", NumberClass.OPERATOR, 5),
)

# Codes that the exchange itself answers. 5 is ring back when free.
SERVICE_NUMBERS: Final = frozenset({"1471", "1475", "1571", "14258", "5"})

# Carrier access codes of the days of indirect access: four digits before a number with its 0 (1280 was BT's).
INDIRECT_ACCESS_STARTS: Final[tuple[str, ...]] = ("12", "13", "16", "18")
INDIRECT_ACCESS_DIGITS: Final = 4

# Always emergency, whatever the operator configures. 18000 is the emergency text relay.
EMERGENCY_NUMBERS: Final = frozenset({"999", "112", "18000"})


def uk_ranges(changes: dict[str, NumberClass] | None = None) -> PrefixTable[NumberRange]:
    """The table, with the operator's changes (prefix without 0 or +44 -> class) laid over it.

    A changed range keeps the lengths and the territory of the range that it lies in.
    """
    ranges = {prefix: NumberRange(kind, lengths, territory) for prefix, kind, lengths, territory in _RANGES}
    built_in = PrefixTable(ranges)
    for prefix, number_class in (changes or {}).items():
        around = built_in.longest(prefix)
        lengths = around.lengths if around is not None and around.lengths else (10,)
        ranges[prefix] = NumberRange(number_class, lengths, around.territory if around is not None else UK)
    return PrefixTable(ranges)


def uk_short_codes() -> PrefixTable[ShortCode]:
    """The national short codes, by prefix."""
    return PrefixTable({prefix: ShortCode(kind, length) for prefix, kind, length in _SHORT_CODES})
