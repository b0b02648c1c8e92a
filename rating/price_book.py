"""What all tariffs share: time bands, groups of destinations, service charges; and the whole text of a tariff.

A tariff is kept for re-rating as one text that needs nothing else: its CSV, and after it what it uses of the shared
files, each under a line that begins with MARK. A tariff that uses none of it is its CSV alone.
"""

from typing import Final

from rating.csv_table import WHOLE_LINE, CsvProblem
from rating.destinations import NO_DESTINATIONS, Destinations, read_destinations
from rating.time_bands import TimeBands, read_time_bands_text, time_bands_text
from rating.unbundled import NO_SERVICE_CHARGES, FileProblem, ServiceCharges, read_service_charges

MARK: Final = "#=with= "

TIME_BANDS: Final = "time-bands"
DESTINATIONS: Final = "destinations.csv"
SERVICE_FILES: Final = ("service-charges.csv", "service-numbers.csv", "service-charge-limits.csv")


class PriceBook:
    """The shared part, and the texts that it was read from. Immutable."""

    __slots__ = ("bands", "destinations", "services", "texts")

    def __init__(
        self,
        *,
        bands: TimeBands | None = None,
        destinations: Destinations = NO_DESTINATIONS,
        services: ServiceCharges = NO_SERVICE_CHARGES,
        texts: dict[str, str] | None = None,
    ) -> None:
        self.bands = bands
        self.destinations = destinations
        self.services = services
        self.texts = texts or {}
        if bands is not None:
            self.texts[TIME_BANDS] = time_bands_text(bands)

    @property
    def band_names(self) -> tuple[str, ...]:
        return () if self.bands is None else self.bands.names

    def whole_text(self, csv_text: str, *, uses_bands: bool, uses_services: bool) -> str:
        """The tariff's text with what it uses of this. Groups of destinations are used by every tariff."""
        names = [TIME_BANDS] if uses_bands else []
        names += [DESTINATIONS]
        names += SERVICE_FILES if uses_services else ()
        parts = [csv_text]
        for name in names:
            if text := self.texts.get(name, ""):
                parts += [f"{_line_end(parts[-1])}{MARK}{name}\n", text]
        return "".join(parts)


def _line_end(text: str) -> str:
    return "" if text.endswith("\n") else "\n"


NO_BOOK: Final = PriceBook()


def split_text(text: str) -> tuple[str, dict[str, str]]:
    """The CSV of a whole text, and what stands behind it by name."""
    csv_text, *parts = text.split("\n" + MARK)
    texts = {}
    for part in parts:
        name, _, content = part.partition("\n")
        texts[name] = content if part is parts[-1] or not content else content + "\n"
    return (csv_text + "\n" if parts else csv_text), texts


def read_price_book(texts: dict[str, str], bands: TimeBands | None) -> tuple[PriceBook, list[FileProblem]]:
    """The shared part from the files' texts (of those that are there), and what is wrong in them."""
    destinations, problems = NO_DESTINATIONS, []
    if text := texts.get(DESTINATIONS, ""):
        destinations, found = read_destinations(text)
        problems = [FileProblem(DESTINATIONS, problem) for problem in found]
    for name, text in texts.items():
        if "\n" + MARK in text or text.startswith(MARK):
            problems.append(FileProblem(name, CsvProblem(1, WHOLE_LINE, MARK, "no line that begins so")))
    services, service_problems = read_service_charges(*(texts.get(name, "") for name in SERVICE_FILES))
    book = PriceBook(bands=bands, destinations=destinations, services=services, texts=dict(texts))
    return book, problems + service_problems


def book_of_version(texts: dict[str, str]) -> tuple[PriceBook, list[FileProblem]]:
    """The same from what a kept version of a tariff has behind its CSV. Raises ValueError for bad time bands."""
    bands = read_time_bands_text(texts[TIME_BANDS]) if TIME_BANDS in texts else None
    return read_price_book({name: text for name, text in texts.items() if name != TIME_BANDS}, bands)
