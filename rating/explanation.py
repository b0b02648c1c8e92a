"""Why a call costs what it costs: each step from the seconds to the total, in words, with exact micros.

The amounts are the engine's (rehearsed_call.py), and nothing is reckoned here a second time: a step shows what was
multiplied and what came out. The charge is, to the micro, what a live call of the same duration is charged.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from rating.charge import Charge
from rating.cover import PERCENT
from rating.money import Micros, format_pounds
from rating.rate import Rate
from rating.rehearsed_call import Rehearsed
from rating.special_charge import MS_PER_MINUTE, SECONDS_PER_MINUTE
from rating.special_terms import BandPrices, Marker, ServiceCharge, SpecialTerms
from rating.tariff import Tariff
from rating.tariff_rows import RowLines, clock_text, dates_text
from rating.time_bands import NO_BAND

SPANS_SHOWN: Final = 50  # a call of a week crosses fewer borders


class Step(msgspec.Struct, frozen=True):
    """`about` is one word or two, `words` the sentence."""

    about: str
    words: str


def row_steps(tariff: Tariff, tried: Sequence[Rate], winner: Rate | None, at_ms: int, lines: RowLines) -> list[Step]:
    """The row that won and what was passed over for it. `tried` are the rows that could price it, in the order in which
    they are asked."""
    steps = []
    has_won = False
    for rate in tried:
        if rate.special is not None and rate.special.marker is Marker.STOP:
            steps.append(Step("stops", "no shorter prefix prices a number of another group of destinations"))
            break
        where = lines.text_of(rate)
        if not rate.is_valid_at(at_ms):
            steps.append(Step("passed over", f"{where}: it {_when(rate, at_ms)}"))
        elif has_won:
            steps.append(Step("passed over", f"{where}: a shorter prefix"))
        else:
            has_won = winner is not None
            steps.append(Step("row", f"{where} has the longest prefix that holds then, {dates_text(rate)}"))
    if winner is None:
        steps.append(Step("row", f"tariff {tariff.name} has no price that holds then"))
    return steps


def _when(rate: Rate, at_ms: int) -> str:
    return "begins later" if at_ms < rate.valid_from_ms else "has ended"


def price_steps(call: Rehearsed, duration_ms: int, *, at_ms: int) -> list[Step]:
    """From the duration to the total. `at_ms` is the call's first second."""
    rate, charged, special = call.rate, call.charge, call.rate.special
    steps = _seconds_steps(call, duration_ms)
    for used in call.used:
        steps.append(Step("bundle", f"{used.seconds} s are paid for by bundle {used.bundle_id}"))
    if charged.billed_s == 0 or (call.used and charged.billed_s <= call.covered_s):
        steps.append(_fee_step(charged.connect_fee_micros))
    elif special is not None and special.service is not None:
        steps += _unbundled_steps(special.service, charged, call.covered_s)
    elif special is not None:
        steps += _special_steps(rate, special, charged, at_ms=at_ms, covered_s=call.covered_s)
    else:
        steps += _plain_steps(rate, call)
    if call.percent and charged.billed_s:
        what = "of connect fee and usage" if not call.used else "of the usage"
        less = f"x {PERCENT - call.percent} / {PERCENT}, each rounded down"
        steps.append(Step("discount", f"{call.percent} % {what}: {less}; the amounts here are after it"))
    parts = [
        (charged.connect_fee_micros, "connect fee"),
        (charged.usage_micros, "usage"),
        (charged.access_charge_micros, "access charge"),
        (charged.service_charge_micros, "service charge"),
    ]
    named = [f"{name} {micros}" for micros, name in parts if micros]
    total = charged.total_micros
    steps.append(Step("charge", f"{' + '.join(named) or '0'} = {total} micros = {format_pounds(total)}"))
    return steps


def _seconds_steps(call: Rehearsed, duration_ms: int) -> list[Step]:
    rate, billed_s = call.rate, call.charge.billed_s
    if duration_ms == 0:
        return [Step("seconds", "0 ms are no call: nothing is charged")]
    if rate.is_free:
        return [Step("seconds", f"{duration_ms} ms at a price of nothing")]
    asked_s = -(-duration_ms // 1000)
    steps = []
    if asked_s > call.granted_s:
        steps.append(Step("end", f"the call ends after {call.granted_s} s, where its cap is reached"))
        asked_s = call.granted_s
    rule = f"the first {rate.initial_s} s in full, then steps of {rate.next_s} s"
    if asked_s <= call.covered_s:
        rule = "in the steps of the bundle"
    steps.append(Step("seconds", f"{duration_ms} ms, {asked_s} s begun; {rule}: {billed_s} s are billed"))
    return steps


def _plain_steps(rate: Rate, call: Rehearsed) -> list[Step]:
    paid_s = max(0, call.charge.billed_s - call.covered_s)
    product = f"{paid_s} s x {rate.per_minute_micros} micros a minute / {SECONDS_PER_MINUTE}"
    usage = Step("usage", f"{product}, rounded down once; charged: {call.charge.usage_micros} micros")
    return [_fee_step(call.charge.connect_fee_micros), usage]


def _fee_step(micros: Micros) -> Step:
    return Step("connect fee", f"{micros} micros, once" if micros else "none")


def _special_steps(
    rate: Rate, special: SpecialTerms, charged: Charge, *, at_ms: int, covered_s: int
) -> list[Step]:
    free_s = max(covered_s, special.included_s)
    steps = []
    if special.included_s:
        steps.append(Step("included", f"the first {special.included_s} s cost nothing but the connect fee"))
    steps.append(_fee_step(charged.connect_fee_micros))
    if special.banded is not None:
        steps += _band_steps(special.banded, at_ms + free_s * 1000, at_ms + charged.billed_s * 1000)
        rounded = f"the sum / {MS_PER_MINUTE}, rounded down once"
        steps.append(Step("usage", f"{rounded}; charged: {charged.usage_micros} micros"))
    else:
        paid_s = max(0, charged.billed_s - free_s)
        product = f"{paid_s} s x {rate.per_minute_micros} micros a minute / {SECONDS_PER_MINUTE}, rounded down once"
        steps.append(Step("usage", f"{product}; charged: {charged.usage_micros} micros"))
    if special.minimum:
        steps.append(Step("minimum", f"a call costs at least {special.minimum} micros, connect fee included"))
    if special.cap is not None:
        after = "the call ends there" if special.ends_at_cap else "beyond it the call goes on for nothing"
        steps.append(Step("cap", f"a call costs at most {special.cap} micros, connect fee included; {after}"))
    return steps


def _band_steps(banded: BandPrices, from_ms: int, until_ms: int) -> list[Step]:
    """One step a span between two borders."""
    steps = []
    for length_ms, band in banded.bands.spans(from_ms, until_ms)[:SPANS_SHOWN]:
        name = "outside all bands" if band == NO_BAND else banded.bands.names[band - 1]
        price = banded.per_minute[band]
        product = f"{length_ms} ms x {price} micros a minute = {length_ms * price}"
        steps.append(Step("band", f"{name}, from {clock_text(from_ms)}: {product}"))
        from_ms += length_ms
    return steps


def _unbundled_steps(service: ServiceCharge, charged: Charge, covered_s: int) -> list[Step]:
    paid_s = max(0, charged.billed_s - covered_s)
    beyond_s = max(0, charged.billed_s - service.covers_s)
    access = f"{paid_s} s x {service.access_per_minute} micros a minute / {SECONDS_PER_MINUTE}"
    per_call = f"{service.per_call} micros a call" if service.per_call else ""
    covers = f", which covers the first {service.covers_s} s" if service.per_call and service.covers_s else ""
    per_minute = f"{beyond_s} s x {service.per_minute} micros a minute / {SECONDS_PER_MINUTE}"
    price = " + ".join(filter(None, (per_call + covers, per_minute if service.per_minute else ""))) or "nothing"
    vat = "" if service.numerator == service.divisor else f", x {service.numerator} / {service.divisor} for VAT"
    return [
        Step("access charge", f"{access} = {charged.access_charge_micros} micros, rounded down once"),
        Step("service charge", f"{service.code}: {price}{vat} = {charged.service_charge_micros} micros, rounded once"),
    ]
