"""Price lists of a size: packed by a process of their own (price_packer.py), taken as they are by the switch.

Each price list is packed (rating/price_table.py) into a file whose name says which text it is of, or what is wrong with
it is left there. Whatever is not there is read where it is asked for: slow, and right. A packed file is a cache of
conf/, and can be deleted at any time.

The switch reads a packed file as a whole, in a thread, and does not map it: a hundred thousand prefixes are 8 MiB, a
mapped page that has to come back from a disk would stall calls, and a mapped file that somebody cuts would end them.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from rating.deck import pack_deck
from rating.deck_csv import read_deck
from rating.deck_layout import house_layout
from rating.money import VatMode
from rating.packed_tariff import PackedTariff, pack_stamp, pack_tariff
from rating.price_book import PriceBook
from rating.price_table import BrokenTableError, PriceTable
from rating.tariff import Tariff, load_tariff, tariff_version, whole_tariff_text
from rating.tariff_csv import TariffProblem, TariffProblems

# Some 4,000 rows, which are read in 50 ms.
BIG_BYTES: Final = 256 * 1024
KEEP_S: Final = 86_400  # what no configuration of the last day has named is deleted
SUFFIX: Final = ".prices"

log = structlog.get_logger(__name__)


class PriceFiles:
    """The packed files in a folder; None: no folder, everything is read where it is asked for.

    Whoever `packs` writes what is missing; the others take what is there.
    """

    def __init__(self, folder: Path | None, *, packs: bool = False) -> None:
        self._folder = folder
        self._packs = packs
        self._stamp = pack_stamp()
        self.used: set[str] = set()

    def load_tariff(self, name: str, text: str, vat: str, book: PriceBook) -> tuple[Tariff, str]:
        """A tariff, as rating.tariff.load_tariff makes it, and its whole text. Raises TariffProblems."""
        if self._folder is not None and len(text) >= BIG_BYTES:
            key = f"tariff-{tariff_version(text)}-{_book_stamp(book)}-{VatMode(vat).value}-{self._stamp}"
            table = self._table(key, name, lambda: pack_tariff(load_tariff(name, text, vat, book), text, book))
            if table is not None:
                packed = PackedTariff(name, vat=VatMode(vat), table=table, book=book)
                return packed, packed.whole_text(text, book)
        tariff = load_tariff(name, text, vat, book)
        return tariff, whole_tariff_text(text, tariff.rates, book)

    def deck_table(self, name: str, text: str, currency: str, version: str) -> PriceTable:
        """The prices of a deck's own file. Raises TariffProblems."""

        def pack() -> bytes:
            return pack_deck(read_deck(name, text, house_layout(currency)).prices)

        table = None
        if self._folder is not None and len(text) >= BIG_BYTES:
            table = self._table(f"deck-{version}-{self._stamp}", name, pack)
        return table if table is not None else PriceTable(pack())

    def _table(self, key: str, name: str, pack: Callable[[], bytes]) -> PriceTable | None:
        assert self._folder is not None
        path = self._folder / f"{key}{SUFFIX}"
        self.used |= {path.name, f"{key}.problems"}
        if self._packs and not path.exists():
            try:
                _write(path, pack())
                path.with_suffix(".problems").unlink(missing_ok=True)
            except TariffProblems as problems:
                _write(path.with_suffix(".problems"), msgspec.msgpack.encode(problems.problems))
                raise
        try:
            return PriceTable(path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, BrokenTableError, msgspec.DecodeError) as problem:
            log.warning("packed_prices_unusable", file=str(path), reason=str(problem))
            if self._packs:
                path.unlink(missing_ok=True)
        self._raise_known_problems(path, name)
        return None

    def _raise_known_problems(self, path: Path, name: str) -> None:
        """Where this text was read before and could not be used."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            known = msgspec.msgpack.decode(
                path.with_suffix(".problems").read_bytes(), type=list[TariffProblem]
            )
            raise TariffProblems(name, known)

    def delete_unused(self, now_s: float) -> None:
        """What a day's configurations have not named."""
        if self._folder is None:
            return
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                if path.name not in self.used and path.stat().st_mtime < now_s - KEEP_S:
                    path.unlink()


NO_PRICE_FILES: Final = PriceFiles(None)


def _book_stamp(book: PriceBook) -> str:
    """Another one where anything that tariffs share is another."""
    return tariff_version(repr(sorted(book.texts.items())))


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a reader never sees half of it, and the checksum finds what a power cut left."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    making = path.with_name(f"{path.name}.{os.getpid()}")
    making.write_bytes(content)
    making.replace(path)
