"""Bundles for tests, with everything that a case does not care about filled in."""

from rating.bundle_terms import BundleTerms, Used
from rating.engine import AccountTerms, Engine
from rating.money import VatMode

AT_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
EVERYWHERE = ("United Kingdom", "Somewhere")


def bundle(bundle_id: int = 1, seconds: int = 60, **facts: object) -> BundleTerms:
    given: dict[str, object] = {
        "id": bundle_id, "account_id": 1, "revision": 1, "name": f"bundle {bundle_id}", "granted_s": seconds,
        "valid_from_ms": 0, "expires_at_ms": None, "groups": EVERYWHERE,
    }  # fmt: skip
    return BundleTerms(**{**given, **facts})


def discount(bundle_id: int, percent: int, **facts: object) -> BundleTerms:
    return bundle(bundle_id, 0, percent=percent, **facts)


def engine_with(*bundles: BundleTerms, balance: int = 0, floor: int = 0, **terms: object) -> Engine:
    engine = Engine()
    engine.set_account(
        AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=floor, is_suspended=False, **terms)
    )
    engine.load_balance(1, balance, 0)
    for each in bundles:
        engine.bundles.set(each)
    return engine


def left_s(engine: Engine, bundle_id: int = 1, at_ms: int = AT_MS) -> int:
    found = engine.bundles.find(bundle_id, at_ms)
    assert found is not None
    return found.left_s


__all__ = ["AT_MS", "HOUR_MS", "Used", "bundle", "discount", "engine_with", "left_s"]
