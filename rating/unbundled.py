"""The unbundled tariff of 084, 087, 09 and 118: access charge plus service charge (Ofcom, in force since 1 July 2015).

The access charge is the tariff's own, pence per minute. The service charge is set by the number's provider, the same
from every network, and published with VAT: a code (SC001 ...) for each number range, a price for each code, both dated.
Three files, one for all tariffs:

    service-charges.csv        sc_code,ppm_inc,ppc_inc,ppc_covers_s,eff_from[,vat_percent]
    service-numbers.csv        prefix,sc_code,eff_from[,destination]
    service-charge-limits.csv  prefix,ppm_max_inc,ppc_max_inc,first_s,first_max_inc,eff_from

Prices are pence with VAT: `ppm_inc` a minute, `ppc_inc` a call, which covers its first `ppc_covers_s` seconds. So there
are pence per minute only, per call only, both from the start, per call covering the first 60 seconds and then per
minute, and none. A tariff without VAT charges exactly 100 / (100 + vat_percent) of it: 7p with 20 % is 35/6 p, and not
a rounded 5.833p; the call's whole service charge is rounded once, down.

The limits are the law's, by range and date: a number whose charge is above one is a problem of the file that says so.
"""

import math
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from rating.calendar import day_in_london, parse_start_ms
from rating.csv_table import CsvProblem, CsvTable
from rating.destinations import parse_number_prefix
from rating.money import Micros, VatMode
from rating.prefix import PrefixTable
from rating.problem import TextProblem
from rating.rate import DESTINATION_CHARS_MAX, INTERVAL_S_MAX, Rate
from rating.special_terms import ServiceCharge, SpecialTerms

# What an access charge stands for, unless it names a part of it.
RANGES: Final = ("+4484", "+4487", "+449", "118")

SERVICE_CHARGES: Final = "service-charges.csv"
SERVICE_NUMBERS: Final = "service-numbers.csv"
SERVICE_CHARGE_LIMITS: Final = "service-charge-limits.csv"

MICROS_PER_PENNY: Final = 10_000
DEFAULT_VAT_PERMILLE: Final = 200

_PENCE = re.compile(r"([0-9]{1,5})(?:\.([0-9]{1,4}))?")
_PENCE_EXPECTED: Final = "pence from 0 to 99999, at most 4 decimals, such as 7 or 5.8333"
_CODE = re.compile(r"[A-Za-z0-9_-]{1,16}")
_SECONDS = re.compile(r"[0-9]{1,4}")
_PERCENT = re.compile(r"([0-9]{1,2})(?:\.([0-9]))?")


class CodePrice(NamedTuple):
    """What a service charge code costs from a day on, with VAT, in micros. `vat_permille` is the VAT in it."""

    from_ms: int
    per_minute: Micros
    per_call: Micros
    covers_s: int
    vat_permille: int


class NumberCode(NamedTuple):
    """The code of the numbers of a prefix from a day on. `destination` is their name on bills, "" if it has none."""

    from_ms: int
    code: str
    destination: str
    prefix: str


class Limit(NamedTuple):
    """The most that the law allows from a day on, with VAT; None is no limit of this kind."""

    from_ms: int
    per_minute: Micros | None
    per_call: Micros | None
    first_s: int
    first: Micros | None


class FileProblem(msgspec.Struct, frozen=True):
    """A problem and the file that it is in."""

    file: str
    problem: CsvProblem


class ServiceCharges:
    """What the numbers of 084, 087, 09 and 118 cost beside the access charge. Immutable."""

    __slots__ = ("_codes", "_numbers")

    def __init__(self, codes: dict[str, list[CodePrice]], numbers: dict[str, list[NumberCode]]) -> None:
        self._codes = {code: sorted(prices, reverse=True) for code, prices in codes.items()}
        self._numbers = PrefixTable(
            {prefix: sorted(dated, reverse=True) for prefix, dated in numbers.items()}
        )

    def find(self, number: str, at_ms: int) -> tuple[NumberCode, CodePrice] | None:
        """The code of the longest prefix that has one at that instant, and its price."""
        for dated in self._numbers.matching(number):
            named = next((each for each in dated if each.from_ms <= at_ms), None)
            if named is None:
                continue
            price = next((each for each in self._codes[named.code] if each.from_ms <= at_ms), None)
            if price is not None:
                return named, price
        return None

    def complete(self, access: Rate, number: str, at_ms: int) -> Rate | None:
        """The whole price of a call at this access charge. None: its service charge is not known."""
        found = self.find(number, at_ms)
        if found is None:
            return None
        named, price = found
        numerator, divisor = 1, 1
        if access.vat is VatMode.EX_VAT:
            common = math.gcd(1000, 1000 + price.vat_permille)
            numerator, divisor = 1000 // common, (1000 + price.vat_permille) // common
        service = ServiceCharge(
            code=named.code,
            access_per_minute=access.per_minute_micros,
            per_call=price.per_call,
            per_minute=price.per_minute,
            covers_s=price.covers_s,
            numerator=numerator,
            divisor=divisor,
        )
        return Rate(
            prefix=named.prefix,
            destination=named.destination or access.destination,
            connect_fee_micros=price.per_call * numerator // divisor,
            per_minute_micros=access.per_minute_micros + price.per_minute * numerator // divisor,
            initial_s=access.initial_s,
            next_s=access.next_s,
            valid_from_ms=access.valid_from_ms,
            valid_until_ms=access.valid_until_ms,
            vat=access.vat,
            group=access.group,
            special=SpecialTerms(service=service),
        )


NO_SERVICE_CHARGES: Final = ServiceCharges({}, {})


def range_of(prefix: str) -> str:
    """The range that a prefix lies in, "" if in none."""
    return next((each for each in RANGES if prefix.startswith(each)), "")


def read_service_charges(charges: str, numbers: str, limits: str) -> tuple[ServiceCharges, list[FileProblem]]:
    """The three files' texts ("" is a file that is not there), and all that is wrong in them.

    With a problem nothing has a charge; without any file it is NO_SERVICE_CHARGES, to which no access charge is added.
    """
    if not (charges or numbers or limits):
        return NO_SERVICE_CHARGES, []
    codes, charge_problems = _read_codes(charges) if charges else ({}, [])
    named, lines, number_problems = _read_numbers(numbers, codes) if numbers else ({}, {}, [])
    law, limit_problems = _read_limits(limits) if limits else ({}, [])
    if not (charge_problems or number_problems or limit_problems):
        number_problems = list(_beyond_the_law(named, lines, codes, law))
    problems = [
        FileProblem(file, problem)
        for file, found in (
            (SERVICE_CHARGES, charge_problems),
            (SERVICE_NUMBERS, number_problems),
            (SERVICE_CHARGE_LIMITS, limit_problems),
        )
        for problem in found
    ]
    return (ServiceCharges({}, {}) if problems else ServiceCharges(codes, named)), problems


def _read_codes(text: str) -> tuple[dict[str, list[CodePrice]], list[CsvProblem]]:
    table = CsvTable(
        ("sc_code", "ppm_inc", "ppc_inc", "ppc_covers_s", "eff_from"),
        ("vat_percent",),
        what="service charges",
    )
    codes: dict[str, list[CodePrice]] = {}
    for row in table.rows(text):
        code = row.read("sc_code", _parse_code, fallback="")
        price = CodePrice(
            from_ms=row.read("eff_from", parse_start_ms, fallback=0),
            per_minute=row.read_optional("ppm_inc", _parse_pence, blank=0),
            per_call=row.read_optional("ppc_inc", _parse_pence, blank=0),
            covers_s=row.read_optional("ppc_covers_s", _parse_seconds, blank=0),
            vat_permille=row.read_optional("vat_percent", _parse_percent, blank=DEFAULT_VAT_PERMILLE),
        )
        if any(other.from_ms == price.from_ms for other in codes.get(code, ())):
            row.add("eff_from", f"one price of {code} from a day on")
        table.problems += row.problems
        codes.setdefault(code, []).append(price)
    return codes, table.in_order()


def _read_numbers(
    text: str, codes: dict[str, list[CodePrice]]
) -> tuple[dict[str, list[NumberCode]], dict[tuple[str, int], int], list[CsvProblem]]:
    table = CsvTable(("prefix", "sc_code", "eff_from"), ("destination",), what="prefixes")
    numbers: dict[str, list[NumberCode]] = {}
    lines: dict[tuple[str, int], int] = {}
    for row in table.rows(text):
        prefix = row.read("prefix", _parse_range_prefix, fallback="")
        code = row.read("sc_code", _parse_code, fallback="")
        from_ms = row.read("eff_from", parse_start_ms, fallback=0)
        destination = row.read_optional("destination", _parse_name, blank="")
        if not row.problems and code not in codes:
            row.add("sc_code", f"a code of {SERVICE_CHARGES}")
        if not row.problems and (prefix, from_ms) in lines:
            row.add(
                "eff_from", f"one code of {prefix} from a day on; line {lines[prefix, from_ms]} has another"
            )
        table.problems += row.problems
        lines[prefix, from_ms] = row.line
        numbers.setdefault(prefix, []).append(NumberCode(from_ms, code, destination, prefix))
    return numbers, lines, table.in_order()


def _read_limits(text: str) -> tuple[dict[str, list[Limit]], list[CsvProblem]]:
    table = CsvTable(
        ("prefix", "ppm_max_inc", "ppc_max_inc", "first_s", "first_max_inc", "eff_from"), what="limits"
    )
    limits: dict[str, list[Limit]] = {}
    for row in table.rows(text):
        prefix = row.read("prefix", _parse_range_prefix, fallback="")
        limit = Limit(
            from_ms=row.read("eff_from", parse_start_ms, fallback=0),
            per_minute=row.read_optional("ppm_max_inc", _parse_pence, blank=None),
            per_call=row.read_optional("ppc_max_inc", _parse_pence, blank=None),
            first_s=row.read_optional("first_s", _parse_seconds, blank=0),
            first=row.read_optional("first_max_inc", _parse_pence, blank=None),
        )
        if (limit.first is None) != (limit.first_s == 0):
            row.add("first_s", "the seconds that first_max_inc is for, and neither without the other")
        table.problems += row.problems
        limits.setdefault(prefix, []).append(limit)
    return limits, table.in_order()


def _beyond_the_law(
    numbers: dict[str, list[NumberCode]],
    lines: dict[tuple[str, int], int],
    codes: dict[str, list[CodePrice]],
    limits: dict[str, list[Limit]],
) -> Iterator[CsvProblem]:
    """Every number range that would be charged more than the law allows at some time."""
    by_prefix = PrefixTable(limits)
    for prefix, dated in numbers.items():
        law = by_prefix.longest(prefix)
        if law is None:
            continue
        named = sorted(dated)
        for place, each in enumerate(named):
            until_ms = named[place + 1].from_ms if place + 1 < len(named) else None
            found = next(_excesses(each, until_ms, sorted(codes[each.code]), sorted(law)), None)
            if found is not None:
                yield CsvProblem(lines[prefix, each.from_ms], "sc_code", *found)


def _excesses(
    named: NumberCode, until_ms: int | None, prices: list[CodePrice], law: list[Limit]
) -> Iterator[tuple[str, str]]:
    """(found, expected) for each price of a code that is above the limit of its time, while the numbers have it."""
    for price, price_until_ms in _with_ends(prices):
        for limit, limit_until_ms in _with_ends(law):
            from_ms = max(named.from_ms, price.from_ms, limit.from_ms)
            ends = [end for end in (until_ms, price_until_ms, limit_until_ms) if end is not None]
            if ends and min(ends) <= from_ms:
                continue
            since = f"from {day_in_london(from_ms)} on"
            for charged, most, what in _compared(price, limit):
                if charged > most:
                    found = f"{named.code}: {_pence(charged)} {what} {since}"
                    yield (
                        found,
                        f"at most {_pence(most)}, the legal limit for {named.prefix} ({SERVICE_CHARGE_LIMITS})",
                    )


def _with_ends(dated: list) -> Iterator[tuple]:  # type: ignore[type-arg]
    for place, each in enumerate(dated):
        yield each, dated[place + 1].from_ms if place + 1 < len(dated) else None


def _compared(price: CodePrice, limit: Limit) -> Iterator[tuple[int, int, str]]:
    """What is charged and what may be charged at most, in sixtieths of a micro so that it is exact; and for what."""
    if limit.per_minute is not None:
        yield price.per_minute * 60, limit.per_minute * 60, "a minute"
    if limit.per_call is not None:
        yield price.per_call * 60, limit.per_call * 60, "a call"
    if limit.first is not None:
        first = price.per_call * 60 + max(0, limit.first_s - price.covers_s) * price.per_minute
        yield first, limit.first * 60, f"for the first {limit.first_s} s"


def _pence(sixtieths: int) -> str:
    """Of a micro; as a price list shows it, a fraction of a micro rounded up."""
    pence, micros = divmod(-(-sixtieths // 60), MICROS_PER_PENNY)
    return f"{pence}.{micros:04d}".rstrip("0").rstrip(".") + "p"


def _parse_pence(text: str) -> Micros:
    match = _PENCE.fullmatch(text)
    if match is None:
        raise TextProblem(text, _PENCE_EXPECTED)
    pence, decimals = match.groups()
    return int(pence) * MICROS_PER_PENNY + int((decimals or "").ljust(4, "0"))


def _parse_seconds(text: str) -> int:
    if _SECONDS.fullmatch(text) is None or int(text) > INTERVAL_S_MAX:
        raise TextProblem(text, f"whole seconds from 0 to {INTERVAL_S_MAX}")
    return int(text)


def _parse_percent(text: str) -> int:
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise TextProblem(text, "a percentage such as 20 or 17.5")
    return int(match[1]) * 10 + int(match[2] or "0")


def _parse_code(text: str) -> str:
    if _CODE.fullmatch(text) is None:
        raise TextProblem(text, "a code of 1 to 16 letters, digits, - and _, such as SC015")
    return text


def _parse_name(text: str) -> str:
    if not (1 <= len(text) <= DESTINATION_CHARS_MAX and text.isprintable()):
        raise TextProblem(text, f"a name of 1 to {DESTINATION_CHARS_MAX} printable characters")
    return text


def _parse_range_prefix(text: str) -> str:
    prefix = parse_number_prefix(text)
    if not range_of(prefix):
        raise TextProblem(text, f"a prefix of {', '.join(RANGES)}: nothing else has a service charge")
    return prefix
