"""A tariff: dated rates by prefix, and which of them prices a number at an instant.

A tariff is immutable; a new price list is a new Tariff with a new version, and a call keeps the Rate it
began with. The file it comes from, a CSV under conf/tariffs/, is read by tariff_csv.py.
"""

import hashlib
from collections.abc import Iterable

from rating.money import VatMode
from rating.prefix import PrefixTable
from rating.rate import (
    ATTEMPT,
    INCOMING,
    ON_NET,
    ORIGINS,
    RATES_PER_PREFIX_MAX,
    TEXT,
    Rate,
    overlapping_rates,
)
from rating.tariff_csv import TariffProblem, TariffProblems, read_rates

__all__ = ["ON_NET", "Rate", "Tariff", "TariffProblem", "TariffProblems", "load_tariff", "tariff_version"]

VERSION_HEX_DIGITS = 16


class Tariff:
    """A named price list. `version` is 16 hex digits of its text's SHA-256; CDRs carry it for re-rating.

    An invalid one cannot exist (ValueError): each rate has the tariff's VAT mode, and two rates of one
    prefix never hold at one time.
    """

    __slots__ = (
        "_attempts",
        "_incoming",
        "_prefixes",
        "_texts",
        "has_attempts",
        "has_incoming",
        "name",
        "rates",
        "vat",
        "version",
    )

    def __init__(self, name: str, *, vat: VatMode, version: str, rates: Iterable[Rate]) -> None:
        self.name = name
        self.vat = vat
        self.version = version
        self.rates = tuple(rates)
        if any(rate.vat is not vat for rate in self.rates):
            raise ValueError(f"a rate of tariff {name!r} is not {vat.value}")
        if pair := next(overlapping_rates(self.rates), None):
            raise ValueError(f"prefix {self.rates[pair[1]].prefix!r} has two rates at one time")
        by_prefix: dict[str, list[Rate]] = {}
        for rate in sorted(self.rates, key=_newest_first):
            by_prefix.setdefault(rate.prefix, []).append(rate)
        if any(len(rates) > RATES_PER_PREFIX_MAX for rates in by_prefix.values()):
            raise ValueError(f"more than {RATES_PER_PREFIX_MAX} rates of one prefix")
        self._prefixes = PrefixTable(
            {prefix: rates for prefix, rates in by_prefix.items() if rates[0].is_for_calls}
        )
        self._texts = _rows_of(TEXT, by_prefix)
        self._attempts = _rows_of(ATTEMPT, by_prefix)
        self._incoming = {
            origin: table
            for origin in ("", *ORIGINS)
            if len(table := _rows_of(f"{INCOMING}{origin}:" if origin else INCOMING, by_prefix))
        }
        # What most tariffs have none of, so that a call asks no more than this.
        self.has_attempts = len(self._attempts) > 0
        self.has_incoming = bool(self._incoming)

    def rate_for(self, number: str, at_ms: int) -> Rate | None:
        """The rate of the longest prefix that has one at that instant; None is a refusal, never a free call.

        `number` is E.164 with the plus, a short code such as "118500", or ON_NET for a call between lines of
        this exchange: that alone is free when the tariff has no rate for it.
        """
        return _valid(self._prefixes.matching(number), at_ms)

    def text_rate_for(self, number: str, at_ms: int) -> Rate | None:
        """The same for a text, whose price is the rate's connect fee; free without a rate is ON_NET alone."""
        return _valid(self._texts.matching(number), at_ms)

    def attempt_rate_for(self, number: str, at_ms: int) -> Rate | None:
        """What an attempt to call the number costs, by the rate's connect fee; None is nothing."""
        return _valid(self._attempts.matching(number), at_ms)

    def incoming_rate_for(self, number: str, origin: str, at_ms: int) -> Rate | None:
        """What a call from there (one of ORIGINS) to a number of the account costs it; None is nothing.

        The longest prefix wins, and of two that are as long the one for this origin.
        """
        of_origin = _incoming(self._incoming.get(origin), number, at_ms)
        of_any = _incoming(self._incoming.get(""), number, at_ms)
        if of_origin is None or of_any is None:
            return of_origin or of_any
        return of_any if len(number_prefix(of_any)) > len(number_prefix(of_origin)) else of_origin


def number_prefix(rate: Rate) -> str:
    """The rate's prefix without what says which kind of row it is."""
    return rate.prefix.rpartition(":")[2]


def _incoming(table: PrefixTable[list[Rate]] | None, number: str, at_ms: int) -> Rate | None:
    return None if table is None else _valid(table.matching(number), at_ms)


def _rows_of(form: str, by_prefix: dict[str, list[Rate]]) -> PrefixTable[list[Rate]]:
    """The rows of one form, by what is behind it."""
    return PrefixTable(
        {
            bare: rates
            for prefix, rates in by_prefix.items()
            if prefix.startswith(form) and ":" not in (bare := prefix.removeprefix(form))
        }
    )


def _valid(matching: list[list[Rate]], at_ms: int) -> Rate | None:
    for rates in matching:
        for rate in rates:
            if rate.is_valid_at(at_ms):
                return rate
    return None


def _newest_first(rate: Rate) -> int:
    # Calls are rated now, so the newest rate of a prefix is the likeliest to hold.
    return -rate.valid_from_ms


def load_tariff(name: str, text: str, vat: str) -> Tariff:
    """The tariff of a whole CSV file. `vat` is "inc_vat" or "ex_vat". Raises TariffProblems."""
    mode = VatMode(vat)
    return Tariff(name, vat=mode, version=tariff_version(text), rates=read_rates(name, text, mode))


def tariff_version(text: str) -> str:
    """The first 16 hex digits of the text's SHA-256, as sha256sum prints them for the file."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:VERSION_HEX_DIGITS]
