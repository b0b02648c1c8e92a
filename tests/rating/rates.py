"""Rates and tariffs for tests, with everything that a case does not care about filled in."""

from hypothesis import strategies as st

from rating.money import VatMode
from rating.rate import PRICE_MICROS_MAX, Rate

ALWAYS_MS = 0
PENNY = 10_000


def make_rate(
    *,
    prefix: str = "+44",
    destination: str = "United Kingdom",
    connect_fee: int = 0,
    per_minute: int = PENNY,
    initial_s: int = 1,
    next_s: int = 1,
    from_ms: int = ALWAYS_MS,
    until_ms: int | None = None,
    vat: VatMode | None = VatMode.INC_VAT,
) -> Rate:
    return Rate(
        prefix=prefix,
        destination=destination,
        connect_fee_micros=connect_fee,
        per_minute_micros=per_minute,
        initial_s=initial_s,
        next_s=next_s,
        valid_from_ms=from_ms,
        valid_until_ms=until_ms,
        vat=vat,
    )


# Two parts of any size: odd micros, where rounding bites, as often as whole pence.
prices = st.one_of(
    st.integers(0, 200),
    st.integers(0, 5_000_000),
    st.integers(0, 500).map(lambda pence: pence * PENNY),
    st.just(PRICE_MICROS_MAX),
)
intervals = st.sampled_from([1, 1, 6, 20, 30, 60, 60, 90, 3_600])

any_rate = st.builds(
    lambda connect_fee, per_minute, initial_s, next_s: make_rate(
        connect_fee=connect_fee, per_minute=per_minute, initial_s=initial_s, next_s=next_s
    ),
    prices,
    prices,
    intervals,
    intervals,
)
priced_rate = any_rate.filter(lambda rate: not rate.is_free)
