"""Every step of a price in words; and its total is what a live call is charged."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.bundle_terms import BundleTerms
from rating.engine import AccountTerms, Engine, Reservation
from rating.explanation import price_steps, row_steps
from rating.money import VatMode, format_pounds
from rating.rate import Rate
from rating.rehearsed_call import BundleNow, rehearse
from rating.special_terms import BandPrices, ServiceCharge, SpecialTerms
from rating.tariff import load_tariff
from rating.tariff_rows import RowLines, clock_text, dates_text
from rating.time_bands import TimeBands
from tests.rating.rates import make_rate

AT_MS = 1_790_000_000_000
CREDIT = 10**15
NUMBER = "+442079460123"
BANDS = TimeBands(("peak", "weekend"), [0, AT_MS + 37_123, AT_MS + 100_000, AT_MS + 600_001], [0, 1, 2, 0])

micros = st.integers(0, 2_000_000)
intervals = st.sampled_from([1, 1, 6, 20, 30, 60])


def rate_from(draw: st.DrawFn) -> Rate:
    connect, per_minute = draw(micros), draw(micros)
    rate = make_rate(connect_fee=connect, per_minute=per_minute, initial_s=draw(intervals), next_s=draw(intervals))
    kind = draw(st.sampled_from(["plain", "plain", "banded", "minimum", "included", "unbundled", "capped"]))
    special: SpecialTerms | None = None
    if kind == "banded":
        prices, fees = draw(st.tuples(micros, micros, micros)), draw(st.tuples(micros, micros, micros))
        special = SpecialTerms(banded=BandPrices(BANDS, prices, fees), included_s=draw(st.sampled_from([0, 30])))
    elif kind == "minimum":
        special = SpecialTerms(minimum=draw(micros))
    elif kind == "included":
        special = SpecialTerms(included_s=draw(st.integers(1, 120)))
    elif kind == "unbundled":
        special = SpecialTerms(
            service=ServiceCharge(
                code="SC001",
                access_per_minute=per_minute,
                per_call=draw(micros),
                per_minute=draw(micros),
                covers_s=draw(st.sampled_from([0, 60])),
                numerator=draw(st.sampled_from([1, 5])),
                divisor=6,
            )
        )
    elif kind == "capped":
        special = SpecialTerms(cap=connect + per_minute * 60 + 10_000, ends_at_cap=draw(st.booleans()))
    return msgspec.structs.replace(rate, special=special)


rates = st.composite(rate_from)()


def grant_from(draw: st.DrawFn) -> BundleTerms:
    percent = draw(st.sampled_from([0, 0, 5, 50]))
    return BundleTerms(
        id=draw(st.integers(1, 1_000)),
        account_id=1,
        revision=1,
        name="bundle",
        valid_from_ms=0,
        expires_at_ms=None,
        granted_s=0 if percent else draw(st.integers(1, 400)),
        percent=percent,
        prefixes=("+44",),
        increment_s=draw(st.sampled_from([1, 60])),
        connect_fee_micros=0 if percent else draw(st.sampled_from([0, 0, 7_001])),
    )


grants = st.lists(st.composite(grant_from)(), max_size=2, unique_by=lambda terms: terms.id)


def live_charge(rate: Rate, duration_ms: int, bundles: list[BundleTerms]) -> int:
    """A call as the switch has it: a minute ahead, renewed twenty seconds before it is used up."""
    engine = Engine()
    engine.set_account(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=0, is_suspended=False))
    engine.load_balance(1, CREDIT, 0)
    for terms in bundles:
        engine.bundles.load(terms, used_s=0, carried_s=0, destinations=())
    if rate.is_free:
        return 0
    held = engine.reserve("c", 1, rate, initial_ahead_s=60, at_ms=AT_MS - 9_000, number=NUMBER)
    assert isinstance(held, Reservation)
    granted_s = engine.start("c", AT_MS)
    while granted_s * 1000 < duration_ms:
        more_s = engine.extend("c", until_s=granted_s - 20 + 60)
        if more_s <= granted_s:
            break  # it ends at its cap
        granted_s = more_s
    return engine.settle("c", duration_ms).charge.total_micros


@settings(max_examples=1_000, deadline=None)
@given(rates, st.integers(1, 1_500_000))
def test_the_explained_total_is_what_a_live_call_is_charged(rate: Rate, duration_ms: int) -> None:
    call = rehearse(rate, duration_ms, at_ms=AT_MS, number=NUMBER)
    total = call.charge.total_micros
    assert total == live_charge(rate, duration_ms, [])
    last = price_steps(call, duration_ms, at_ms=AT_MS)[-1]
    assert last.about == "charge"
    assert last.words.endswith(f"= {total} micros = {format_pounds(total)}")


@settings(max_examples=300, deadline=None)
@given(rates, st.integers(1, 1_500_000), grants)
def test_with_bundles_and_discounts_too(rate: Rate, duration_ms: int, bundles: list[BundleTerms]) -> None:
    call = rehearse(rate, duration_ms, at_ms=AT_MS, number=NUMBER, bundles=[BundleNow(terms) for terms in bundles])
    assert call.charge.total_micros == live_charge(rate, duration_ms, bundles)
    assert price_steps(call, duration_ms, at_ms=AT_MS)


def test_each_multiplication_has_its_exact_micros() -> None:
    rate = make_rate(connect_fee=10_000, per_minute=12_345, initial_s=60, next_s=6)
    steps = price_steps(rehearse(rate, 61_200, at_ms=AT_MS, number=NUMBER), 61_200, at_ms=AT_MS)
    assert [f"{step.about}: {step.words}" for step in steps] == [
        "seconds: 61200 ms, 62 s begun; the first 60 s in full, then steps of 6 s: 66 s are billed",
        "connect fee: 10000 micros, once",
        "usage: 66 s x 12345 micros a minute / 60, rounded down once; charged: 13579 micros",
        "charge: connect fee 10000 + usage 13579 = 23579 micros = £0.023579",
    ]


def test_bands_are_told_with_their_borders() -> None:
    rate = msgspec.structs.replace(
        make_rate(per_minute=60_000), special=SpecialTerms(banded=BandPrices(BANDS, (60_000, 30_000, 0), (0, 0, 0)))
    )
    steps = price_steps(rehearse(rate, 50_000, at_ms=AT_MS, number=NUMBER), 50_000, at_ms=AT_MS)
    assert [step.words for step in steps if step.about == "band"] == [
        "outside all bands, from 2026-09-21 15:13:20 BST: 37123 ms x 60000 micros a minute = 2227380000",
        "peak, from 2026-09-21 15:13:57.123 BST: 12877 ms x 30000 micros a minute = 386310000",
    ]
    assert steps[-1].words.startswith(f"usage {(2_227_380_000 + 386_310_000) // 60_000} ")


CSV = """# prices
prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until

+44,UK,0,0.012,60,6,2020-01-01,
+447,UK mobile,0,0.05,1,1,2020-01-01,2025-12-31
+447,UK mobile,0,0.06,1,1,2026-01-01,
+4477,Other mobile,0,0.07,1,1,2030-01-01,
"""


def test_the_winning_row_has_its_line_and_the_others_their_reasons() -> None:
    tariff = load_tariff("retail", CSV, "inc_vat")
    winner = tariff.rate_for("+447700900123", AT_MS)
    lines = RowLines(tariff, CSV)
    steps = row_steps(tariff, tariff.tried_for("+447700900123"), winner, AT_MS, lines)
    assert [f"{step.about}: {step.words}" for step in steps] == [
        "passed over: retail.csv line 7, +4477 Other mobile: it begins later",
        "row: retail.csv line 6, +447 UK mobile has the longest prefix that holds then, from 2026-01-01 on",
        "passed over: retail.csv line 5, +447 UK mobile: it has ended",
        "passed over: retail.csv line 4, +44 UK: a shorter prefix",
    ]
    assert winner is not None
    assert lines.line_of(winner) == 6


def test_a_tariff_without_a_price_says_so() -> None:
    tariff = load_tariff("retail", CSV, "inc_vat")
    steps = row_steps(tariff, tariff.tried_for("+15550100123"), None, AT_MS, RowLines(tariff, CSV))
    assert [step.words for step in steps] == ["tariff retail has no price that holds then"]


@pytest.mark.parametrize(
    ("valid", "text"),
    [
        ("2026-01-01,", "from 2026-01-01 on"),
        ("2026-01-01,2026-03-31", "from 2026-01-01 to 2026-03-31"),
        ("2026-07-01T09:30,2026-07-02T10:00", "from 2026-07-01 09:30:00 BST until 2026-07-02 10:00:00 BST"),
    ],
)
def test_dates_read_as_people_say_them(valid: str, text: str) -> None:
    tariff = load_tariff("t", f"{CSV.splitlines()[1]}\n+44,UK,0,0,1,1,{valid}\n", "inc_vat")
    assert dates_text(tariff.rates[0]) == text


def test_a_clock_says_which_time_it_shows() -> None:
    assert clock_text(1_767_225_600_000, is_date=True) == "2026-01-01"
