"""A selling tariff whose rates stay in a packed block: for price lists too big to be read where calls wait.

It answers as a Tariff does. The block keeps what a Tariff looks calls up in, each prefix's rates as msgpack, and one is
decoded when a call goes there; rows of texts, attempts and calls that come in are few and decoded at once. It is packed
from a Tariff that has been read and checked, by the same release (`pack_stamp`) and with the same book of what tariffs
share; time bands are not in it, but the book's.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast, overload

import msgspec

from rating.money import VatMode
from rating.price_book import PriceBook
from rating.price_table import CALLS, NOTHING, PriceTable, pack_table
from rating.rate import ACCESS, Rate
from rating.special_terms import BandPrices, Marker, ServiceCharge, SpecialTerms
from rating.tariff import Tariff, whole_tariff_text
from rating.time_bands import TimeBands

KEPT_MAX: Final = 50_000  # prefixes whose rates are kept decoded, some 400 bytes each; then it begins anew


class TariffHead(msgspec.Struct):
    """What a block says of itself. `others` are the rows that no call outside is looked up in, `rows` all of
    them, `prefixes` those of the table.

    `has_bands` and `has_services`: what of the book its whole text has behind the CSV (price_book.py). Rows are bytes
    in it, so that reading the head does not go through them.
    """

    version: str
    count: int
    has_bands: bool
    has_services: bool
    others: memoryview
    access: memoryview
    rows: memoryview
    prefixes: memoryview


def _encode_bands(value: object) -> None:
    """Time bands are the book's."""
    assert isinstance(value, TimeBands)


_encode: Final = msgspec.msgpack.Encoder(enc_hook=_encode_bands).encode
_decode_head: Final = msgspec.msgpack.Decoder(TariffHead).decode


class PackedTariff(Tariff):
    """`rates` can be gone through and counted, and is not held. Raises msgspec.DecodeError."""

    __slots__ = ("_decode", "_head", "_kept", "_table")

    def __init__(self, name: str, *, vat: VatMode, table: PriceTable, book: PriceBook) -> None:
        def book_bands(_type: type, _value: object) -> TimeBands | None:
            return book.bands

        self._decode = msgspec.msgpack.Decoder(list[Rate], dec_hook=book_bands).decode
        self._head = _decode_head(table.head)
        super().__init__(
            name, vat=vat, version=self._head.version, rates=self._decode(self._head.others), book=book
        )
        self.rates = cast(Any, _Rows(self))
        self._table = table
        self._kept: dict[int, list[Rate]] = {}

    def whole_text(self, csv_text: str, book: PriceBook) -> str:
        """As whole_tariff_text makes it."""
        head = self._head
        return book.whole_text(csv_text, uses_bands=head.has_bands, uses_services=head.has_services)

    def rate_for(self, number: str, at_ms: int) -> Rate | None:
        table = self._table
        prefix = table.find(number, CALLS)
        while prefix != NOTHING:
            rates = self._kept.get(prefix)
            if rates is None:
                rates = self._keep(prefix)
            for rate in rates:
                if rate.is_valid_at(at_ms):
                    return self._completed(rate, number, at_ms)
            prefix = table.shorter(prefix)
        return None

    def tried_for(self, number: str) -> list[Rate]:
        found: list[Rate] = []
        prefix = self._table.find(number, CALLS)
        while prefix != NOTHING:
            found += self._keep(prefix)
            prefix = self._table.shorter(prefix)
        return found

    @property
    def call_prefixes(self) -> list[str]:
        return msgspec.msgpack.decode(self._head.prefixes, type=list[str])

    @property
    def access_charges(self) -> list[Rate]:
        return self._decode(self._head.access)

    def _completed(self, rate: Rate, number: str, at_ms: int) -> Rate | None:
        if rate.special is None or rate.special.marker is None:
            return rate
        if rate.special.marker is Marker.ACCESS:
            return self._services.complete(rate, number, at_ms)
        return None

    def _keep(self, prefix: int) -> list[Rate]:
        if len(self._kept) >= KEPT_MAX:
            self._kept.clear()
        rates = self._kept[prefix] = self._decode(self._table.value(prefix))
        return rates

    def all_rates(self) -> list[Rate]:
        """Every row, decoded now: for people and comparisons."""
        return self._decode(self._head.rows)

    def __len__(self) -> int:
        return self._head.count


class _Rows(Sequence[Rate]):
    """All rows of a packed tariff, decoded when somebody goes through them."""

    __slots__ = ("_tariff",)

    def __init__(self, tariff: PackedTariff) -> None:
        self._tariff = tariff

    def __len__(self) -> int:
        return len(self._tariff)

    def __iter__(self) -> Iterator[Rate]:
        return iter(self._tariff.all_rates())

    @overload
    def __getitem__(self, index: int) -> Rate: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rate]: ...
    def __getitem__(self, index: int | slice) -> Rate | Sequence[Rate]:
        return self._tariff.all_rates()[index]


def pack_tariff(tariff: Tariff, csv_text: str, book: PriceBook) -> bytes:
    """The block of a tariff that was read from this text with this book."""
    whole = whole_tariff_text(csv_text, tariff.rates, book)
    head = TariffHead(
        version=tariff.version,
        count=len(tariff.rates),
        has_bands=_is_whole(whole, csv_text, book, uses_bands=True),
        has_services=_is_whole(whole, csv_text, book, uses_services=True),
        others=memoryview(_encode([rate for rate in tariff.rates if not rate.is_for_calls])),
        access=memoryview(_encode([rate for rate in tariff.rates if rate.prefix.startswith(ACCESS)])),
        rows=memoryview(_encode(list(tariff.rates))),
        prefixes=memoryview(_encode(list(tariff.call_prefixes))),
    )
    values = {prefix: _encode(rates) for prefix, rates in tariff.call_rates.items()}
    return pack_table(values, _encode(head))


def _is_whole(whole: str, csv_text: str, book: PriceBook, **given: bool) -> bool:
    """Whether the whole text can be made so: with this part, whatever the other one is."""
    other = "uses_services" if "uses_bands" in given else "uses_bands"
    return any(book.whole_text(csv_text, **given, **{other: each}) == whole for each in (False, True))


def pack_stamp() -> str:
    """Another one where a Rate has other fields: a block of another release is packed anew."""
    structs = (Rate, SpecialTerms, BandPrices, ServiceCharge, TariffHead)
    fields = ",".join(
        f"{field.encode_name}:{field.type}" for struct in structs for field in msgspec.structs.fields(struct)
    )
    return f"{zlib.crc32(fields.encode()):08x}"
