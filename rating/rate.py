"""A rate: one price, for the numbers that begin with a prefix, for a time; and when two of them contradict.

How a charge is made of a rate: charge.py. Besides a prefix a rate may be for a group of destinations
(destinations.py), or be the access charge of 084, 087, 09 and 118 (unbundled.py).
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from rating.money import MICROS_PER_POUND, Micros, VatMode
from rating.prefix import PREFIX_CHARS_MAX
from rating.special_terms import SpecialTerms

ON_NET = "on-net"  # the prefix of the row that prices calls between lines of this exchange
TEXT = "sms:"  # before a prefix: the row prices texts there, by its connect fee
ATTEMPT = "attempt:"  # before a prefix: what each call there costs by its connect fee, answered or not
# Before the prefix of a number that the account owns: what calls to it cost the account. "in:mobile:+44808" are those
# from mobiles, "in:+44808" those that no row for their origin prices.
INCOMING = "in:"
ORIGINS = ("mobile", "landline", "payphone", "international", "unknown")
GROUP = "group:"  # before a name: the row prices every prefix of that group of destinations
ACCESS = "access"  # the row is the access charge of 084, 087, 09 and 118, or with ":" and a prefix of a part of them

# A slip of the decimal point, not a price. A foreign deck in a small currency was seen with 2,339 a minute.
PRICE_MICROS_MAX = 10_000 * MICROS_PER_POUND

INTERVAL_S_MAX = 3_600  # one second to one minute is sold; an hour leaves room for "first hour" offers

RATES_PER_PREFIX_MAX = 200  # sixteen years of monthly changes; a look-up tries them one after the other

DESTINATION_CHARS_MAX = 80  # one line of a bill

# E.164 with the plus, or a UK short code (1xx to 118xxx). A spreadsheet that ate the plus ("441632") and a
# national number ("01632") are neither: such a row would match no call, and nobody would notice.
_NUMBERS = rf"\+[1-9][0-9]{{0,{PREFIX_CHARS_MAX - 2}}}"
_SHORT_CODE = "1[0-9]{2,5}"
GROUP_CHARS_MAX = 40
_GROUP_NAME = rf"[a-z0-9_-]{{1,{GROUP_CHARS_MAX}}}"
_PREFIX = re.compile(
    rf"(?:{TEXT})?(?:{_NUMBERS}|{re.escape(ON_NET)})|(?:{ATTEMPT})?{_SHORT_CODE}|{ATTEMPT}{_NUMBERS}"
    rf"|{INCOMING}(?:(?:{'|'.join(ORIGINS)}):)?{_NUMBERS}"
    rf"|{GROUP}{_GROUP_NAME}|{ACCESS}(?::(?:{_NUMBERS}|{_SHORT_CODE}))?"
)
_NUMBER_PREFIX = re.compile(rf"{_NUMBERS}|{_SHORT_CODE}")
_GROUP = re.compile(_GROUP_NAME)
PREFIX_EXPECTED = (
    f"+ and 1 to {PREFIX_CHARS_MAX - 1} digits, a short code of 3 to 6 digits from 100 on, or {ON_NET}; "
    f"for texts {TEXT} before the first or the last; for attempts {ATTEMPT} before the first or the second; for calls "
    f"that come in {INCOMING} before the first, or {INCOMING}ORIGIN: with one of {', '.join(ORIGINS)}; "
    f"{GROUP} and the name of a group; {ACCESS}"
)
NUMBER_PREFIX_EXPECTED = f"+ and 1 to {PREFIX_CHARS_MAX - 1} digits, or a short code of 3 to 6 digits from 100 on"
GROUP_EXPECTED = f"a name of 1 to {GROUP_CHARS_MAX} small letters, digits, - and _"
PER_TEXT_EXPECTED = "0: a text or an attempt has no minutes, its price is the connect fee"

# Never priced, whatever a file says. 999 is not here because no prefix of the form above begins it.
EMERGENCY_NUMBERS = frozenset({"112", "18000"})


class Rate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One price: who it is for, what it costs, when it holds. An invalid Rate cannot exist (ValueError).

    `valid_from_ms` is included, `valid_until_ms` is not; None is open-ended. `vat` is its tariff's; None is
    a price read back from a record, by which a call can still be charged but none can begin. `group` is the group of
    destinations that the number called belongs to, "" if none: what bundles and bills go by. `per_minute_micros` is
    outside all time bands; of an unbundled price it is both parts of a minute, without VAT rounded down: what it is
    charged by is in `special`.
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
    group: str = ""
    special: SpecialTerms | None = None

    def __post_init__(self) -> None:
        if not is_rate_prefix(self.prefix):
            raise ValueError(f"prefix {self.prefix!r}: expected {PREFIX_EXPECTED}")
        if not 0 <= self.connect_fee_micros <= PRICE_MICROS_MAX:
            raise ValueError(f"connect fee {self.connect_fee_micros}: expected 0 to {PRICE_MICROS_MAX}")
        if not 0 <= self.per_minute_micros <= PRICE_MICROS_MAX:
            raise ValueError(f"price per minute {self.per_minute_micros}: expected 0 to {PRICE_MICROS_MAX}")
        if is_of_events(self.prefix) and self.per_minute_micros:
            raise ValueError(
                f"price per minute {self.per_minute_micros} of {self.prefix}: expected {PER_TEXT_EXPECTED}"
            )
        if not (1 <= self.initial_s <= INTERVAL_S_MAX and 1 <= self.next_s <= INTERVAL_S_MAX):
            raise ValueError(f"intervals {self.initial_s}/{self.next_s}: expected 1 to {INTERVAL_S_MAX}")
        if self.valid_until_ms is not None and self.valid_until_ms <= self.valid_from_ms:
            raise ValueError(f"valid until {self.valid_until_ms}: expected later than {self.valid_from_ms}")
        if self.special is not None:
            _check_special(self, self.special)

    @property
    def is_for_texts(self) -> bool:
        return self.prefix.startswith(TEXT)

    @property
    def is_for_calls(self) -> bool:
        """Calls that an account makes."""
        return not self.prefix.startswith((TEXT, ATTEMPT, INCOMING))

    @property
    def is_free(self) -> bool:
        """Nothing can be owed, so a call at this rate needs no reservation and no balance (080, 116)."""
        return (
            self.per_minute_micros == 0
            and self.connect_fee_micros == 0
            and (self.special is None or _costs_nothing(self.special))
        )

    @property
    def depends_on_time(self) -> bool:
        """What a call costs depends on when it begins."""
        return self.special is not None and self.special.banded is not None

    def connect_fee_at(self, at_ms: int) -> Micros:
        """The connect fee of a call that begins at this instant; of an unbundled price the service charge of a call."""
        banded = None if self.special is None else self.special.banded
        return self.connect_fee_micros if banded is None else banded.connect_fee[banded.bands.band_at(at_ms)]

    def with_connect_fee(self, connect_fee_micros: Micros) -> "Rate":
        """The same with another connect fee, whenever the call begins. A cap below what its first interval costs then
        is as high as that: a bundle's own fee may be above the cap of the row."""
        special, cap = self.special, None
        if special is not None and (banded := special.banded) is not None:
            fees = (connect_fee_micros,) * len(banded.connect_fee)
            banded = msgspec.structs.replace(banded, connect_fee=fees)
            special = msgspec.structs.replace(special, banded=banded)
        if special is not None and special.cap is not None:
            cap, special = special.cap, msgspec.structs.replace(special, cap=None)
        rate = msgspec.structs.replace(self, connect_fee_micros=connect_fee_micros, special=special)
        if special is None or cap is None:
            return rate
        special = msgspec.structs.replace(special, cap=max(cap, least_cap_micros(rate, special)))
        return msgspec.structs.replace(rate, special=special)

    @property
    def dearest_per_minute_micros(self) -> Micros:
        """What a minute costs in the dearest time band."""
        banded = None if self.special is None else self.special.banded
        return self.per_minute_micros if banded is None else max(banded.per_minute)

    def is_valid_at(self, at_ms: int) -> bool:
        return self.valid_from_ms <= at_ms and (self.valid_until_ms is None or at_ms < self.valid_until_ms)


def _costs_nothing(special: SpecialTerms) -> bool:
    banded, service = special.banded, special.service
    return (
        special.minimum == 0
        and (banded is None or not (any(banded.per_minute) or any(banded.connect_fee)))
        and (service is None or not (service.access_per_minute or service.per_call or service.per_minute))
    )


def _check_special(rate: Rate, special: SpecialTerms) -> None:
    """Raises ValueError for terms that contradict each other, or by which no call could ever begin."""
    if not 0 <= special.included_s <= INTERVAL_S_MAX:
        raise ValueError(f"included seconds {special.included_s}: expected 0 to {INTERVAL_S_MAX}")
    banded = special.banded
    if banded is not None and not (
        len(banded.per_minute) == len(banded.connect_fee) == len(banded.bands.names) + 1
        and all(0 <= price <= PRICE_MICROS_MAX for price in (*banded.per_minute, *banded.connect_fee))
    ):
        raise ValueError(f"prices of time bands: expected one of each band, from 0 to {PRICE_MICROS_MAX}")
    if not 0 <= special.minimum <= PRICE_MICROS_MAX:
        raise ValueError(f"minimum charge {special.minimum}: expected 0 to {PRICE_MICROS_MAX}")
    if special.cap is not None and special.cap < (least := least_cap_micros(rate, special)):
        raise ValueError(f"cap {special.cap}: expected at least {least}")


def least_cap_micros(rate: Rate, special: SpecialTerms) -> Micros:
    """The smallest cap that leaves a call possible: its connect fee and minimum, and its first interval if it ends."""
    fees = (rate.connect_fee_micros,) if special.banded is None else special.banded.connect_fee
    least = max(*fees, special.minimum)
    if special.ends_at_cap:
        first_s = max(0, rate.initial_s - special.included_s)
        least = max(least, max(fees) - (-first_s * rate.dearest_per_minute_micros // 60))
    return least


def is_rate_prefix(text: str) -> bool:
    return _PREFIX.fullmatch(text) is not None and text.removeprefix(ATTEMPT) not in EMERGENCY_NUMBERS


def is_of_events(prefix: str) -> bool:
    """Whether the row prices what has no duration."""
    return prefix.startswith((TEXT, ATTEMPT))


def is_number_prefix(text: str) -> bool:
    """Whether numbers can begin with it: E.164 or a short code, and no emergency number."""
    return _NUMBER_PREFIX.fullmatch(text) is not None and text not in EMERGENCY_NUMBERS


def is_group_name(text: str) -> bool:
    return _GROUP.fullmatch(text) is not None


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
