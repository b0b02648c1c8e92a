"""Rates random calls twice and counts where the raters differ."""

from random import Random
from typing import NamedTuple

from rating.charge import charge
from rating.tariff import Tariff
from tests.rating.rerate.random_calls import both_raters, price_book, random_call, random_texts
from tests.rating.rerate.slow_rater import Cost

CALLS_PER_PRICE_LIST = 200


class Agreement(NamedTuple):
    calls: int
    priced: int
    micros: int
    differences: list[str]


def compare(calls: int, seed: int) -> Agreement:
    random = Random(seed)
    book = price_book(random_texts(random))
    priced, micros = 0, 0
    differences: list[str] = []
    for number in range(calls):
        if number % CALLS_PER_PRICE_LIST == 0:
            tariff, slow = both_raters(random, book=book)
        call = random_call(random)
        fast_cost, slow_cost = quick_cost(tariff, *call), slow.cost(*call)
        if fast_cost != slow_cost:
            differences.append(f"call {number} {call}: {fast_cost} and {slow_cost}")
        if fast_cost is not None:
            priced += 1
            micros += sum(fast_cost[1:])
    return Agreement(calls, priced, micros, differences)


def quick_cost(tariff: Tariff, number: str, at_ms: int, duration_ms: int) -> Cost | None:
    rate = tariff.rate_for(number, at_ms)
    if rate is None:
        return None
    cost = charge(rate, duration_ms, at_ms=at_ms)
    return Cost(
        cost.billed_s,
        cost.connect_fee_micros,
        cost.usage_micros,
        cost.access_charge_micros,
        cost.service_charge_micros,
    )
