"""A rate: one price, for the numbers that begin with a prefix, for a time; and when two of them contradict.

How a charge is made of a rate: charge.py. Not here yet: time bands, caps and minimum charges, destination
groups, the access and service charge of 084, 087, 09 and 118.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from rating.money import MICROS_PER_POUND, Micros, VatMode
from rating.prefix import PREFIX_CHARS_MAX

ON_NET = "on-net"  # the prefix of the row that prices calls between lines of this exchange
TEXT = "sms:"  # before a prefix: the row prices texts there, by its connect fee

# A slip of the decimal point, not a price. A foreign deck in a small currency was seen with 2,339 a minute.
PRICE_MICROS_MAX = 10_000 * MICROS_PER_POUND

INTERVAL_S_MAX = 3_600  # one second to one minute is sold; an hour leaves room for "first hour" offers

RATES_PER_PREFIX_MAX = 200  # sixteen years of monthly changes; a look-up tries them one after the other

DESTINATION_CHARS_MAX = 80  # one line of a bill

# E.164 with the plus, or a UK short code (1xx to 118xxx). A spreadsheet that ate the plus ("441632") and a
# national number ("01632") are neither: such a row would match no call, and nobody would notice.
_PREFIX = re.compile(
    rf"(?:{TEXT})?(?:\+[1-9][0-9]{{0,{PREFIX_CHARS_MAX - 2}}}|{re.escape(ON_NET)})|1[0-9]{{2,5}}"
)
PREFIX_EXPECTED = (
    f"+ and 1 to {PREFIX_CHARS_MAX - 1} digits, a short code of 3 to 6 digits from 100 on, or {ON_NET}; "
    f"for texts {TEXT} before the first or the last"
)
PER_TEXT_EXPECTED = "0: a text has no minutes, its price is the connect fee"

# Never priced, whatever a file says. 999 is not here because no prefix of the form above begins it.
EMERGENCY_NUMBERS = frozenset({"112", "18000"})


class Rate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One price: who it is for, what it costs, when it holds. An invalid Rate cannot exist (ValueError).

    `valid_from_ms` is included, `valid_until_ms` is not; None is open-ended. `vat` is its tariff's; None is
    a price read back from a record, by which a call can still be charged but none can begin.
    """

    prefix: str
    destination: str
    connect_fee_micros: Micros
    per_minute_micros: Micros
    initial_s: int
    next_s: int
    valid_from_ms: int
    valid_until_ms: int | None
    vat: VatMode | None = None

    def __post_init__(self) -> None:
        if not is_rate_prefix(self.prefix):
            raise ValueError(f"prefix {self.prefix!r}: expected {PREFIX_EXPECTED}")
        if not 0 <= self.connect_fee_micros <= PRICE_MICROS_MAX:
            raise ValueError(f"connect fee {self.connect_fee_micros}: expected 0 to {PRICE_MICROS_MAX}")
        if not 0 <= self.per_minute_micros <= PRICE_MICROS_MAX:
            raise ValueError(f"price per minute {self.per_minute_micros}: expected 0 to {PRICE_MICROS_MAX}")
        if self.is_for_texts and self.per_minute_micros:
            raise ValueError(f"price per minute {self.per_minute_micros} of a text: expected {PER_TEXT_EXPECTED}")
        if not (1 <= self.initial_s <= INTERVAL_S_MAX and 1 <= self.next_s <= INTERVAL_S_MAX):
            raise ValueError(f"intervals {self.initial_s}/{self.next_s}: expected 1 to {INTERVAL_S_MAX}")
        if self.valid_until_ms is not None and self.valid_until_ms <= self.valid_from_ms:
            raise ValueError(f"valid until {self.valid_until_ms}: expected later than {self.valid_from_ms}")

    @property
    def is_for_texts(self) -> bool:
        return self.prefix.startswith(TEXT)

    @property
    def is_free(self) -> bool:
        """Nothing can be owed, so a call at this rate needs no reservation and no balance (080, 116)."""
        return self.per_minute_micros == 0 and self.connect_fee_micros == 0

    @property
    def group(self) -> str:
        """What bundles and discounts are sold for: the destinations of one name."""
        return self.destination

    @property
    def depends_on_time(self) -> bool:
        """Whether it matters when the first second is."""
        return False

    def is_valid_at(self, at_ms: int) -> bool:
        return self.valid_from_ms <= at_ms and (self.valid_until_ms is None or at_ms < self.valid_until_ms)


def is_rate_prefix(text: str) -> bool:
    return _PREFIX.fullmatch(text) is not None and text not in EMERGENCY_NUMBERS


def overlapping_rates(rates: Sequence[Rate]) -> Iterator[tuple[int, int]]:
    """Pairs of indices (earlier, later) of rates of one prefix that both hold at some instant.

    Each later rate is named once, with the rate that holds longest among those that began before it.
    """
    longest: dict[str, int] = {}
    for index in sorted(range(len(rates)), key=lambda index: rates[index].valid_from_ms):
        rate = rates[index]
        before = longest.get(rate.prefix)
        if before is None:
            longest[rate.prefix] = index
            continue
        end_ms = rates[before].valid_until_ms
        if end_ms is None or end_ms > rate.valid_from_ms:
            yield before, index
        if end_ms is not None and (rate.valid_until_ms is None or rate.valid_until_ms > end_ms):
            longest[rate.prefix] = index
