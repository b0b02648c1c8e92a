"""What a plain price cannot say: time bands, included seconds, minimum charge, cap, the two parts of 084, 087, 09, 118.

A Rate without any of it has `special` None, and a call at it pays one look at that attribute. How a charge is made of
these terms: special_charge.py.
"""

import enum

import msgspec

from rating.money import Micros
from rating.time_bands import TimeBands


class Marker(enum.Enum):
    """A rate that no call is charged by: it says what the tariff has to look at next."""

    ACCESS = "access"  # an access charge: the price is it and the service charge of the number
    STOP = "stop"  # no rate of a shorter prefix prices this number: it belongs to a group that has no price


class BandPrices(msgspec.Struct, frozen=True, gc=False):
    """Prices by number of the band, the rate's own first (rating/time_bands.py)."""

    bands: TimeBands
    per_minute: tuple[Micros, ...]
    connect_fee: tuple[Micros, ...]


class ServiceCharge(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The two parts of an unbundled price. `access_per_minute` is in the tariff's own VAT mode.

    The service charge is as published, with VAT: `per_call` for every call, which covers its first `covers_s` seconds,
    then `per_minute`. It is multiplied by `numerator` / `divisor` (5/6 for a tariff without VAT at 20 %) and rounded
    once, with the call's usage.
    """

    code: str
    access_per_minute: Micros
    per_call: Micros
    per_minute: Micros
    covers_s: int
    numerator: int = 1
    divisor: int = 1


class SpecialTerms(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """`included_s` seconds at the start cost nothing but the connect fee. A call costs at least `minimum` and at most
    `cap`, connect fee included; beyond the cap it goes on for nothing, or ends there (`ends_at_cap`)."""

    included_s: int = 0
    minimum: Micros = 0
    cap: Micros | None = None
    ends_at_cap: bool = False
    banded: BandPrices | None = None
    service: ServiceCharge | None = None
    marker: Marker | None = None
