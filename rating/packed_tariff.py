"""A selling tariff whose rates stay in a packed block: for price lists too big to be read where calls wait.

It answers as a Tariff does. The block keeps each prefix's rates as msgpack, newest first, and one is decoded when a
call goes there. It is packed from rates that have been read and checked (tariff_csv.py), by the same release:
`pack_stamp` says how a Rate looked then.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, cast, overload

import msgspec

from rating.money import VatMode
from rating.price_table import CALLS, NOTHING, TEXTS, PriceTable, pack_table
from rating.rate import Rate
from rating.tariff import Tariff

KEPT_MAX: Final = 50_000  # prefixes whose rates are kept decoded, some 400 bytes each; then it begins anew

_decode_rates: Final = msgspec.msgpack.Decoder(list[Rate]).decode
_encode: Final = msgspec.msgpack.Encoder().encode


class PackedTariff(Tariff):
    """`rates` can be gone through and counted, and is not held."""

    __slots__ = ("_kept", "_table")

    def __init__(self, name: str, *, vat: VatMode, version: str, table: PriceTable) -> None:
        super().__init__(name, vat=vat, version=version, rates=())
        self.rates = cast(Any, _Rates(table))
        self._table = table
        self._kept: dict[int, list[Rate]] = {}

    def rate_for(self, number: str, at_ms: int) -> Rate | None:
        return self._find(number, CALLS, at_ms)

    def text_rate_for(self, number: str, at_ms: int) -> Rate | None:
        return self._find(number, TEXTS, at_ms)

    def _find(self, number: str, space: int, at_ms: int) -> Rate | None:
        table = self._table
        prefix = table.find(number, space)
        while prefix != NOTHING:
            rates = self._kept.get(prefix)
            if rates is None:
                if len(self._kept) >= KEPT_MAX:
                    self._kept.clear()
                rates = self._kept[prefix] = _decode_rates(table.value(prefix))
            for rate in rates:
                if rate.is_valid_at(at_ms):
                    return rate
            prefix = table.shorter(prefix)
        return None


class _Rates(Sequence[Rate]):
    """All rates of a block, decoded as they are asked for."""

    __slots__ = ("_count", "_table")

    def __init__(self, table: PriceTable) -> None:
        self._table = table
        self._count = msgspec.msgpack.decode(table.head, type=int)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Rate]:
        for value in self._table.values():
            yield from _decode_rates(value)

    @overload
    def __getitem__(self, index: int) -> Rate: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rate]: ...
    def __getitem__(self, index: int | slice) -> Rate | Sequence[Rate]:
        return list(self)[index]


def pack_rates(rates: Iterable[Rate]) -> bytes:
    """The block of a tariff's rates."""
    by_prefix: dict[str, list[Rate]] = {}
    count = 0
    for rate in rates:
        by_prefix.setdefault(rate.prefix, []).append(rate)
        count += 1
    for dated in by_prefix.values():
        dated.sort(key=lambda rate: -rate.valid_from_ms)
    return pack_table({prefix: _encode(dated) for prefix, dated in by_prefix.items()}, _encode(count))


def pack_stamp() -> str:
    """Another one where a Rate has other fields: a block of another release is packed anew."""
    fields = ",".join(f"{field.encode_name}:{field.type}" for field in msgspec.structs.fields(Rate))
    return f"{zlib.crc32(fields.encode()):08x}"
