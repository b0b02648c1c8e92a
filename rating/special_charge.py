"""What a call costs by special terms (special_terms.py). Pure integers; each part of a charge is rounded once, down.

Usage is an exact product over the whole call: for each band the milliseconds that lie in it times its price, summed,
divided by 60,000. So it never falls as a call grows, and a call that is cut at any moment adds up to the whole.
"""

from typing import TYPE_CHECKING, Final

from rating.money import Micros, round_charge_part

if TYPE_CHECKING:
    from rating.rate import Rate
    from rating.special_terms import ServiceCharge, SpecialTerms

SECONDS_PER_MINUTE: Final = 60
MS_PER_MINUTE: Final = 60_000

# Connect fee, usage, access charge, service charge.
Parts = tuple[Micros, Micros, Micros, Micros]


def special_parts(rate: "Rate", special: "SpecialTerms", billed_s: int, at_ms: int, covered_s: int) -> Parts:
    """The parts of the price of `billed_s` seconds (1 or more) that began at `at_ms`. The first `covered_s` are paid
    for by a bundle: of an unbundled price it pays the access charge, as the service charge is another company's."""
    service = special.service
    if service is not None:
        return _unbundled_parts(service, billed_s, covered_s)
    banded = special.banded
    free_s = max(covered_s, special.included_s)
    if banded is None:
        fee = rate.connect_fee_micros
        usage = round_charge_part(
            max(0, billed_s - free_s) * rate.per_minute_micros, divisor=SECONDS_PER_MINUTE
        )
    else:
        fee = banded.connect_fee[banded.bands.band_at(at_ms)]
        product = banded.bands.product(at_ms + free_s * 1000, at_ms + billed_s * 1000, banded.per_minute)
        usage = round_charge_part(product, divisor=MS_PER_MINUTE)
    if billed_s > covered_s:  # inclusive minutes have no minimum
        usage = max(usage, special.minimum - fee)
    if special.cap is not None and not special.ends_at_cap:
        usage = min(usage, special.cap - fee)
    return fee, usage, 0, 0


def _unbundled_parts(service: "ServiceCharge", billed_s: int, covered_s: int) -> Parts:
    access = round_charge_part(
        max(0, billed_s - covered_s) * service.access_per_minute, divisor=SECONDS_PER_MINUTE
    )
    product = service.per_call * SECONDS_PER_MINUTE + max(0, billed_s - service.covers_s) * service.per_minute
    return (
        0,
        0,
        access,
        round_charge_part(product * service.numerator, divisor=SECONDS_PER_MINUTE * service.divisor),
    )


def affordable_special_s(
    rate: "Rate",
    special: "SpecialTerms",
    budget_micros: Micros,
    *,
    at_ms: int,
    covered_s: int,
    seconds_max: int,
) -> int:
    """The most whole intervals, in seconds, whose price is within the budget, and within the cap of a call that ends
    there; 0 if not even the first is. By doubling, then by halves: the price never falls as a call grows."""
    if special.ends_at_cap and special.cap is not None:
        budget_micros = min(budget_micros, special.cap)
    initial_s, next_s = rate.initial_s, rate.next_s
    if _total(rate, special, initial_s, at_ms, covered_s) > budget_micros:
        return 0
    most = (seconds_max - initial_s) // next_s
    paid, unpaid = 0, SECONDS_PER_MINUTE // next_s + 1  # next intervals
    while (
        unpaid <= most
        and _total(rate, special, initial_s + unpaid * next_s, at_ms, covered_s) <= budget_micros
    ):
        paid, unpaid = unpaid, 2 * unpaid
    unpaid = min(unpaid, most + 1)
    while unpaid - paid > 1:
        middle = (paid + unpaid) // 2
        if _total(rate, special, initial_s + middle * next_s, at_ms, covered_s) <= budget_micros:
            paid = middle
        else:
            unpaid = middle
    return initial_s + paid * next_s


def _total(rate: "Rate", special: "SpecialTerms", billed_s: int, at_ms: int, covered_s: int) -> Micros:
    fee, usage, access, service = special_parts(rate, special, billed_s, at_ms, covered_s)
    return fee + usage + access + service
