"""A price as the journal keeps it with an open call, and back: enough to charge the call to the micro after a crash."""

import msgspec

from rating.money import VatMode
from rating.rate import Rate
from rating.special_terms import BandPrices, ServiceCharge, SpecialTerms
from rating.time_bands import TimeBands
from switch.calls.open_call import OpenPrice, OpenService, OpenSpecial


def open_price(rate: Rate, account_id: int, granted_s: int, *, at_ms: int) -> OpenPrice:
    """`at_ms` is the instant of the call's first second (UTC); only special terms ask for it."""
    special = None if rate.special is None else _open_special(rate.special, granted_s, at_ms)
    fee = rate.connect_fee_micros
    if rate.special is not None and (banded := rate.special.banded) is not None:
        fee = banded.connect_fee[banded.bands.band_at(at_ms)]
    return OpenPrice(
        account_id=account_id,
        prefix=rate.prefix,
        destination=rate.destination,
        connect_fee_micros=fee,
        per_minute_micros=rate.per_minute_micros,
        initial_s=rate.initial_s,
        next_s=rate.next_s,
        granted_s=granted_s,
        vat=None if rate.vat is None else str(rate.vat),
        special=special,
    )


def rate_of(price: OpenPrice) -> Rate:
    """The rate that such a price was made of, as far as the paid seconds reach."""
    return Rate(
        prefix=price.prefix,
        destination=price.destination,
        connect_fee_micros=price.connect_fee_micros,
        per_minute_micros=price.per_minute_micros,
        initial_s=price.initial_s,
        next_s=price.next_s,
        valid_from_ms=0,
        valid_until_ms=None,
        vat=None if price.vat is None else VatMode(price.vat),
        special=None if price.special is None else _special_of(price.special, price.connect_fee_micros),
    )


def _open_special(special: SpecialTerms, granted_s: int, at_ms: int) -> OpenSpecial:
    banded, service = special.banded, special.service
    spans: list[tuple[int, int]] = []
    if banded is not None:
        until_ms = at_ms + granted_s * 1000
        spans = [(ms, banded.per_minute[band]) for ms, band in banded.bands.spans(at_ms, until_ms)]
    return OpenSpecial(
        at_ms=at_ms,
        included_s=special.included_s,
        minimum=special.minimum,
        cap=special.cap,
        ends_at_cap=special.ends_at_cap,
        spans=spans,
        service=None if service is None else OpenService(*msgspec.structs.astuple(service)),
    )


def _special_of(kept: OpenSpecial, connect_fee: int) -> SpecialTerms:
    return SpecialTerms(
        included_s=kept.included_s,
        minimum=kept.minimum,
        # A cap at which a call ends is in the paid seconds already; here it could be less than they cost by now.
        cap=None if kept.ends_at_cap else kept.cap,
        banded=_banded_of(kept, connect_fee) if kept.spans else None,
        service=None if kept.service is None else ServiceCharge(**msgspec.structs.asdict(kept.service)),
    )


def _banded_of(kept: OpenSpecial, connect_fee: int) -> BandPrices:
    """Each span as a band of its own."""
    starts, prices = [], []
    start_ms = kept.at_ms
    for ms, price in kept.spans:
        starts.append(start_ms)
        prices.append(price)
        start_ms += ms
    bands = TimeBands([""] * (len(prices) - 1), starts, range(len(prices)))
    return BandPrices(bands, tuple(prices), (connect_fee,) * len(prices))
