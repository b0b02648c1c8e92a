"""What `offhook rate explain` tells of an account's terms: bundles, attempts, caps, VAT, what refuses a call."""

import msgspec
import pytest

from offhook.rate_explained import Asked, Told, explain
from provisioning.model import Account
from provisioning.settings import AccountSettings
from rating.bundle_terms import BundleTerms
from rating.charge import charge
from rating.money import VatMode
from rating.rehearsed_call import BundleNow
from rating.tariff import Tariff, load_tariff
from switch.calls.number_plan import NumberPlan
from tests.switch.house import make_account

AT_MS = 1_790_000_000_000
CSV = """prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until
+44,UK,0,0.012,60,6,2020-01-01,
+447,UK mobile,0.01,0.06,1,1,2020-01-01,
+4480,Freephone,0,0,1,1,2020-01-01,
attempt:+44,Attempt,0.0015,0,1,1,2020-01-01,
"""
RETAIL = load_tariff("retail", CSV, "inc_vat")


def ask(dialled: str, *, account: Account | None = None, tariff: Tariff = RETAIL, **facts: object) -> Told:
    asked = Asked(dialled, account or make_account(), AT_MS, **{"duration_s": 61, **facts})
    return explain(asked, {tariff.name: tariff}, CSV, NumberPlan())


def words(told: Told, about: str) -> list[str]:
    return [step.words for step in told.steps if step.about == about]


def test_the_total_has_the_attempt_beside_the_charge() -> None:
    told = ask("07700 900123")
    rate = RETAIL.rate_for("+447700900123", AT_MS)
    assert rate is not None
    assert told.charge == charge(rate, 61_000, at_ms=AT_MS)
    assert told.total_micros == told.charge.total_micros + 1_500
    assert "1500 micros besides" in words(told, "attempt")[0]
    assert words(ask("0808 157 0123"), "attempt") == []


@pytest.mark.parametrize(
    ("vat", "basis_points", "said"),
    [
        (VatMode.INC_VAT, 2000, "of £0.0725, £0.060416 is net and £0.012084 VAT at 20 %"),
        (VatMode.INC_VAT, None, "billing.toml says no rate"),
        (VatMode.EX_VAT, 2000, "£0.0725 is net; 20 % is added by the invoice"),
        (VatMode.INC_VAT, 1750, "VAT at 17.50 %"),
    ],
)
def test_net_and_vat(vat: VatMode, basis_points: int | None, said: str) -> None:
    tariff = load_tariff("retail", CSV, vat.value)
    told = ask("07700900123", account=make_account(vat=vat), tariff=tariff, vat_basis_points=basis_points)
    assert said in words(told, "VAT")[0]


def test_spending_caps_of_the_account_are_named() -> None:
    account = make_account(settings=AccountSettings(daily_cap_micros=5_000_000))
    assert words(ask("07700900123", account=account), "spending cap")[0].startswith("daily: £5.00")


@pytest.mark.parametrize(
    ("account", "dialled", "why"),
    [
        (make_account(tariff="gold"), "07700900123", "tariff gold of account account1 is not loaded"),
        (make_account(vat=VatMode.EX_VAT), "07700900123", "the account is ex_vat, its tariff inc_vat"),
        (make_account(), "0015550100123", "without a price the call is refused, never free"),
        (make_account(), "12", "12 is no number"),
    ],
)
def test_what_would_refuse_the_call(account: Account, dialled: str, why: str) -> None:
    told = ask(dialled, account=account)
    assert why in told.refused
    assert told.total_micros == 0


def test_emergency_calls_and_service_codes_are_free() -> None:
    for dialled in ("999", "112", "141999", "1471"):
        told = ask(dialled)
        assert (told.total_micros, told.refused) == (0, "")
        assert "free" in words(told, "total")[0]


def test_bundles_that_are_for_the_call_are_used_and_others_passed_over() -> None:
    terms = BundleTerms(
        id=7, account_id=1, revision=1, name="UK 100", valid_from_ms=0, expires_at_ms=None, granted_s=6_000,
        prefixes=("+447",),
    )  # fmt: skip
    other = msgspec.structs.replace(terms, id=8, name="France", prefixes=("+33",))
    told = ask("07700900123", bundles=(BundleNow(terms, used_s=1_000), BundleNow(other)))
    assert (told.charge.total_micros, told.charge.billed_s) == (0, 61)
    assert words(told, "bundle") == ["bundle 7 UK 100: 5000 s of 6000 s are left", "61 s are paid for by bundle 7"]
    assert "bundle 8 France: it is for other destinations" in words(told, "passed over")


def test_a_call_longer_than_a_week_is_no_call() -> None:
    with pytest.raises(ValueError, match="expected 0 to 604800"):
        ask("07700900123", duration_s=604_801)
