"""A price in words: one line for each form."""

import pytest

from rating.price_words import price_words
from rating.rate import Rate
from tests.rating.rates import PENNY, make_rate
from tests.rating.test_special_charge import special_rate, unbundled

STEPS = "in steps of 1 s, then 1 s"


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (make_rate(per_minute=6 * PENNY), f"£0.06 a minute, {STEPS}"),
        (make_rate(connect_fee=PENNY, per_minute=0), f"£0.01 and £0.00 a minute, {STEPS}"),
        (
            special_rate(per_minute=3 * PENNY, peak=6 * PENNY, peak_fee=PENNY),
            "at all other times £0.03 a minute, peak £0.01 and £0.06 a minute, weekend £0.03 a minute, " + STEPS,
        ),
        (
            special_rate(included_s=60, minimum=2 * PENNY, cap=90 * PENNY, ends_at_cap=True),
            f"£0.01 a minute, {STEPS}, the first 60 s included, at least £0.02, up to £0.90, where the call ends",
        ),
        (special_rate(cap=90 * PENNY), f"£0.01 a minute, {STEPS}, up to £0.90, then for nothing"),
        (
            unbundled(10 * PENNY, per_minute=7 * PENNY),
            f"access charge £0.10 a minute, service charge EX001 £0.07 a minute, {STEPS}",
        ),
        (
            unbundled(10 * PENNY, per_call=80 * PENNY, per_minute=70 * PENNY, covers_s=60, ex_vat=True),
            "access charge £0.10 a minute, service charge EX001 £0.80 a call for the first 60 s then £0.70 a minute, "
            f"times 5/6 without VAT, {STEPS}",
        ),
        (
            unbundled(10 * PENNY, per_call=80 * PENNY, per_minute=70 * PENNY),
            f"access charge £0.10 a minute, service charge EX001 £0.80 a call and £0.70 a minute, {STEPS}",
        ),
        (
            unbundled(10 * PENNY, per_call=PENNY),
            f"access charge £0.10 a minute, service charge EX001 £0.01 a call, {STEPS}",
        ),
    ],
)  # fmt: skip
def test_every_form_of_price_can_be_said(rate: Rate, words: str) -> None:
    assert price_words(rate) == words
