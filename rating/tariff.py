"""A tariff: dated rates by prefix, and which of them prices a number at an instant.

A tariff is immutable; a new price list is a new Tariff with a new version, and a call keeps the Rate it
began with. The file it comes from, a CSV under conf/tariffs/, is read by tariff_csv.py; what all tariffs
share (time bands, groups of destinations, service charges) is in price_book.py.
"""

import hashlib
from collections.abc import Iterable, Mapping

from rating.csv_table import WHOLE_LINE
from rating.money import VatMode
from rating.prefix import PrefixTable
from rating.price_book import MARK, NO_BOOK, PriceBook, book_of_version, split_text
from rating.rate import (
    ACCESS,
    ATTEMPT,
    INCOMING,
    ON_NET,
    ORIGINS,
    RATES_PER_PREFIX_MAX,
    TEXT,
    Rate,
    overlapping_rates,
)
from rating.rate_lookup import rate_in
from rating.rates_by_prefix import rates_by_prefix
from rating.special_terms import Marker
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
        "_services",
        "_texts",
        "has_attempts",
        "has_incoming",
        "name",
        "rates",
        "vat",
        "version",
    )

    def __init__(
        self, name: str, *, vat: VatMode, version: str, rates: Iterable[Rate], book: PriceBook = NO_BOOK
    ) -> None:
        self.name = name
        self.vat = vat
        self.version = version
        self.rates = tuple(rates)
        self._services = book.services
        if any(rate.vat is not vat for rate in self.rates):
            raise ValueError(f"a rate of tariff {name!r} is not {vat.value}")
        if pair := next(overlapping_rates(self.rates), None):
            raise ValueError(f"prefix {self.rates[pair[1]].prefix!r} has two rates at one time")
        by_prefix: dict[str, list[Rate]] = {}
        for rate in sorted(self.rates, key=_newest_first):
            by_prefix.setdefault(rate.prefix, []).append(rate)
        if any(len(rates) > RATES_PER_PREFIX_MAX for rates in by_prefix.values()):
            raise ValueError(f"more than {RATES_PER_PREFIX_MAX} rates of one prefix")
        calls = {prefix: rates for prefix, rates in by_prefix.items() if rates[0].is_for_calls}
        self._prefixes = PrefixTable(rates_by_prefix(calls, book.destinations))
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
        rate = rate_in(self._prefixes, number, at_ms)
        if rate is None or rate.special is None:
            return rate
        match rate.special.marker:
            case None:
                return rate
            case Marker.ACCESS:
                return self._services.complete(rate, number, at_ms)
            case Marker.STOP:
                return None

    def text_rate_for(self, number: str, at_ms: int) -> Rate | None:
        """The same for a text, whose price is the rate's connect fee; free without a rate is ON_NET alone."""
        return rate_in(self._texts, number, at_ms)

    def attempt_rate_for(self, number: str, at_ms: int) -> Rate | None:
        """What an attempt to call the number costs, by the rate's connect fee; None is nothing."""
        return rate_in(self._attempts, number, at_ms)

    def incoming_rate_for(self, number: str, origin: str, at_ms: int) -> Rate | None:
        """What a call from there (one of ORIGINS) to a number of the account costs it; None is nothing.

        The longest prefix wins, and of two that are as long the one for this origin.
        """
        of_origin = _incoming(self._incoming.get(origin), number, at_ms)
        of_any = _incoming(self._incoming.get(""), number, at_ms)
        if of_origin is None or of_any is None:
            return of_origin or of_any
        return of_any if len(number_prefix(of_any)) > len(number_prefix(of_origin)) else of_origin

    def tried_for(self, number: str) -> list[Rate]:
        """The rows that could price a call there, of all dates, in the order in which they are asked."""
        return [rate for rates in self._prefixes.matching(number) for rate in rates]

    @property
    def call_rates(self) -> Mapping[str, tuple[Rate, ...]]:
        """What calls outside are looked up in: each prefix's rates in the order in which they are asked."""
        return self._prefixes.values

    @property
    def call_prefixes(self) -> Iterable[str]:
        """Every prefix at which the price of calls outside may change: of rows, groups and access charges."""
        return self._prefixes

    @property
    def access_charges(self) -> list[Rate]:
        """The rows of the access charge, of all dates."""
        return [rate for rate in self.rates if rate.prefix.startswith(ACCESS)]


def number_prefix(rate: Rate) -> str:
    """The rate's prefix without what says which kind of row it is."""
    return rate.prefix.rpartition(":")[2]


def _incoming(table: PrefixTable[tuple[Rate, ...]] | None, number: str, at_ms: int) -> Rate | None:
    return None if table is None else rate_in(table, number, at_ms)


def _rows_of(form: str, by_prefix: dict[str, list[Rate]]) -> PrefixTable[tuple[Rate, ...]]:
    """The rows of one form, by what is behind it."""
    return PrefixTable(
        {
            bare: tuple(rates)
            for prefix, rates in by_prefix.items()
            if prefix.startswith(form) and ":" not in (bare := prefix.removeprefix(form))
        }
    )


def _newest_first(rate: Rate) -> int:
    # Calls are rated now, so the newest rate of a prefix is the likeliest to hold.
    return -rate.valid_from_ms


def load_tariff(name: str, text: str, vat: str, book: PriceBook | None = None) -> Tariff:
    """The tariff of a CSV file and the book that belongs to it; or, without a book, of what `whole_tariff_text` has
    made of both. `vat` is "inc_vat" or "ex_vat". Raises TariffProblems."""
    mode = VatMode(vat)
    csv_text, behind = split_text(text)
    if book is None:
        book = _book_behind(name, behind)
    elif behind:
        line = csv_text.count("\n") + 1
        raise TariffProblems(name, [TariffProblem(line, WHOLE_LINE, repr(MARK), "no line that begins so")])
    rates = read_rates(name, csv_text, mode, book)
    whole = text if behind else whole_tariff_text(csv_text, rates, book)
    return Tariff(name, vat=mode, version=tariff_version(whole), rates=rates, book=book)


def whole_tariff_text(csv_text: str, rates: Iterable[Rate], book: PriceBook) -> str:
    """The CSV and all that it uses of the book: enough to rate by it in six years, and what its version is of."""
    specials = [rate.special for rate in rates if rate.special is not None]
    return book.whole_text(
        csv_text,
        uses_bands=any(special.banded is not None for special in specials) or _names_a_band(csv_text, book),
        uses_services=any(special.marker is Marker.ACCESS for special in specials),
    )


def _names_a_band(csv_text: str, book: PriceBook) -> bool:
    """Its header may have the column of a band that no row has a price in."""
    return any(f"per_minute_{name}" in csv_text or f"connect_fee_{name}" in csv_text for name in book.band_names)


def _book_behind(name: str, behind: dict[str, str]) -> PriceBook:
    if not behind:
        return NO_BOOK
    try:
        book, problems = book_of_version(behind)
    except ValueError as error:
        raise TariffProblems(name, [TariffProblem(1, WHOLE_LINE, str(error), "time bands")]) from None
    if problems:
        raise TariffProblems(name, [found.problem for found in problems])
    return book


def tariff_version(text: str) -> str:
    """The first 16 hex digits of the text's SHA-256, as sha256sum prints them for the file."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:VERSION_HEX_DIGITS]
