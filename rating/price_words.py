"""A price in one line of plain English, for people who ask what a call costs."""

from rating.money import format_pounds
from rating.rate import Rate
from rating.special_terms import BandPrices, ServiceCharge, SpecialTerms


def price_words(rate: Rate) -> str:
    """ "£0.01 and £0.06 a minute, in steps of 1 s, then 1 s", with whatever special terms there are."""
    steps = f"in steps of {rate.initial_s} s, then {rate.next_s} s"
    special = rate.special
    if special is None:
        return f"{_fee_and_minute(rate.connect_fee_micros, rate.per_minute_micros)}, {steps}"
    if special.service is not None:
        return f"{_unbundled(special.service)}, {steps}"
    words = _fee_and_minute(rate.connect_fee_micros, rate.per_minute_micros)
    return ", ".join([words if special.banded is None else _banded(special.banded), steps, *_terms(special)])


def _fee_and_minute(connect_fee: int, per_minute: int) -> str:
    fee = f"{format_pounds(connect_fee)} and " if connect_fee else ""
    return f"{fee}{format_pounds(per_minute)} a minute"


def _banded(banded: BandPrices) -> str:
    names = ("at all other times", *banded.bands.names)
    prices = zip(names, banded.connect_fee, banded.per_minute, strict=True)
    return ", ".join(f"{name} {_fee_and_minute(fee, per_minute)}" for name, fee, per_minute in prices)


def _terms(special: SpecialTerms) -> list[str]:
    words = []
    if special.included_s:
        words.append(f"the first {special.included_s} s included")
    if special.minimum:
        words.append(f"at least {format_pounds(special.minimum)}")
    if special.cap is not None:
        what = "where the call ends" if special.ends_at_cap else "then for nothing"
        words.append(f"up to {format_pounds(special.cap)}, {what}")
    return words


def _unbundled(service: ServiceCharge) -> str:
    words = (
        f"access charge {format_pounds(service.access_per_minute)} a minute, service charge {service.code}"
    )
    vat = (
        ""
        if service.numerator == service.divisor
        else f", times {service.numerator}/{service.divisor} without VAT"
    )
    covers = f" for the first {service.covers_s} s" if service.covers_s else ""
    fee = f"{format_pounds(service.per_call)} a call{covers}" if service.per_call else ""
    minute = f"{format_pounds(service.per_minute)} a minute" if service.per_minute or not fee else ""
    joint = (" then " if service.covers_s else " and ") if fee and minute else ""
    return f"{words} {fee}{joint}{minute}{vat}"
