"""The files of a deck: its layout, its prices, what a supplier's file would make of it, and what it was before.

    conf/decks/NAME.toml                    how the supplier lays out its files (the operator writes it)
    conf/decks/NAME.csv                     the prices that are in force, with their past and future
    conf/decks/waiting/NAME.csv             what `import` made of a supplier's file, until `apply` or the next import
    conf/decks/versions/NAME-VERSION.csv.gz every version that was applied, for ever

Files are written beside and renamed: whoever reads sees one whole file or the other.
"""

import contextlib
import gzip
import os
from pathlib import Path
from typing import Final

import msgspec

from offhook.exit_codes import CommandError, ExitCode
from provisioning.printable import shorten
from rating.currency import ExchangeRates
from rating.deck import Deck, DeckPrice, deck_of, deck_version
from rating.deck_changes import merged
from rating.deck_csv import DeckFile, format_deck, read_deck
from rating.deck_layout import Covers, DeckLayout, house_layout
from rating.tariff_csv import TariffProblems
from switch.conf_decks import DECKS_FOLDER, deck_names, read_exchange_rates, read_layout
from switch.conf_files import TARIFF_BYTES_MAX, ConfFile, UnreadableFile, open_conf_file, read_text
from switch.conf_reader import is_name

MADE_OF: Final = "# made of version "
NOTHING_YET: Final = "nothing"


class DeckFiles:
    """One deck in one configuration directory. Raises CommandError for what is wrong with any of its files."""

    def __init__(self, conf: Path, name: str) -> None:
        if not is_name(name) or name not in deck_names(conf):
            known = ", ".join(deck_names(conf)) or "none yet"
            text = (
                f"no deck {shorten(name)!r}: {conf / DECKS_FOLDER}/NAME.toml makes one (there are: {known})"
            )
            raise CommandError(text, ExitCode.INVALID)
        self.name = name
        self._folder = conf / DECKS_FOLDER
        self._conf = conf
        file = open_conf_file(conf, f"{DECKS_FOLDER}/{name}.toml")
        self.layout: DeckLayout = read_layout(file)
        _raise_problems(conf, file)
        self.exchange_rates = _exchange_rates(conf, self.layout)
        self.text = _text_of(self._folder / f"{name}.csv")
        self.version = deck_version(self.layout.currency, self.text) if self.text else NOTHING_YET

    @property
    def waiting_path(self) -> Path:
        return self._folder / "waiting" / f"{self.name}.csv"

    def prices(self) -> list[DeckPrice]:
        """Those in force; none where nothing was applied yet."""
        return self._house_prices(f"{self.name}.csv", self.text)

    def waiting(self) -> tuple[list[DeckPrice], str] | None:
        """The prices that wait, and the version that they were made of; None: nothing waits."""
        text = _text_of(self.waiting_path)
        if not text:
            return None
        first, _, rest = text.partition("\n")
        return self._house_prices(f"waiting/{self.name}.csv", rest), first.removeprefix(MADE_OF)

    def _house_prices(self, file_name: str, text: str) -> list[DeckPrice]:
        if not text:
            return []
        return read_file(file_name, text, house_layout(self.layout.currency), None).prices

    def read_supplier(self, path: Path, from_ms: int | None) -> DeckFile:
        """A supplier's file by the layout."""
        encoding = self.layout.encoding
        try:
            data = path.expanduser().read_bytes()
            text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
        except OSError as problem:
            raise CommandError(
                f"{path} cannot be read: {problem.strerror or problem}", ExitCode.INVALID
            ) from None
        except UnicodeDecodeError as problem:
            line = data.count(b"\n", 0, problem.start) + 1
            found = f"found the byte 0x{data[problem.start]:02x}"
            raise CommandError(
                f"{path}:{line}: {found}, expected text in {encoding}", ExitCode.INVALID
            ) from None
        return read_file(str(path), text, self.layout, from_ms)

    def with_file(self, file: DeckFile) -> list[DeckPrice]:
        """What the deck would be with it."""
        return merged(self.prices(), file.prices, covers_all=self.layout.covers is Covers.ALL)

    def deck(self, prices: list[DeckPrice], version: str = "") -> Deck:
        return deck_of(
            self.name,
            prices,
            currency=self.layout.currency,
            exchange_rates=self.exchange_rates,
            version=version,
        )

    def keep_waiting(self, prices: list[DeckPrice]) -> None:
        _write(self.waiting_path, f"{MADE_OF}{self.version}\n{format_deck(prices)}".encode())

    def apply(self, prices: list[DeckPrice]) -> str:
        """Makes them the deck, and returns its version."""
        text = format_deck(prices)
        version = deck_version(self.layout.currency, text)
        for past, its_text in ((self.version, self.text), (version, text)):
            kept = self._folder / "versions" / f"{self.name}-{past}.csv.gz"
            if its_text and not kept.exists():
                _write(kept, gzip.compress(its_text.encode(), mtime=0))
        _write(self._folder / f"{self.name}.csv", text.encode())
        with contextlib.suppress(FileNotFoundError):
            self.waiting_path.unlink()
        return version


def read_file(file_name: str, text: str, layout: DeckLayout, from_ms: int | None) -> DeckFile:
    """CommandError with every problem, file, line and column."""
    try:
        return read_deck(file_name, text, layout, from_ms=from_ms)
    except TariffProblems as problems:
        lines = "\n".join(
            f"{file_name}:{problem.line}:{f' {problem.column}:' if problem.column else ''}"
            f" found {problem.found}, expected {problem.expected}"
            for problem in problems.problems
        )
        raise CommandError(f"nothing was taken over:\n{lines}", ExitCode.INVALID) from None


def _exchange_rates(conf: Path, layout: DeckLayout) -> ExchangeRates:
    rates, file = read_exchange_rates(conf)
    _raise_problems(conf, file)
    if layout.currency not in rates:
        example = f'below [{layout.currency}] a line such as 2026-01-01 = "0.75", what one costs in pounds from then on'
        raise CommandError(
            f"{conf / file.name} has no rate for {layout.currency}: expected {example}", ExitCode.INVALID
        )
    return rates


def _raise_problems(conf: Path, file: ConfFile) -> None:
    if file.problems:
        raise CommandError("\n".join(f"{conf}/{problem}" for problem in file.in_order()), ExitCode.INVALID)


def _text_of(path: Path) -> str:
    try:
        return read_text(path, bytes_max=TARIFF_BYTES_MAX)
    except FileNotFoundError:
        return ""
    except UnreadableFile as unreadable:
        raise CommandError(f"{path}: {unreadable}", ExitCode.INVALID) from None


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        making = path.with_name(f".{path.name}.{os.getpid()}")
        with making.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        making.replace(path)
    except OSError as problem:
        raise CommandError(
            f"{path} cannot be written: {problem.strerror or problem}", ExitCode.REFUSED
        ) from None


class DeckSummary(msgspec.Struct):
    """A row of `offhook deck list`."""

    name: str
    currency: str
    version: str
    prefixes: int
    prices: int
    scheduled: int
    is_waiting: bool


def summary(files: DeckFiles, now_ms: int) -> DeckSummary:
    prices = files.prices()
    return DeckSummary(
        files.name,
        files.layout.currency,
        files.version,
        len({price.prefix for price in prices}),
        len(prices),
        sum(price.from_ms > now_ms for price in prices),
        files.waiting_path.exists(),
    )
