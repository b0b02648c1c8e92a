"""What a settled call drew from bundles: on the payer's record, and as records of its own for the books."""

from collections.abc import Sequence

from rating.bundle_terms import Used
from rating.records import BundleUse, Cdr


def set_bundles(row: Cdr, used: Sequence[Used]) -> None:
    """The seconds of each bundle by its id, in the order in which they were drawn on: "12=40 15=20"."""
    row.bundled_s = sum(one.seconds for one in used)
    row.bundles = " ".join(f"{one.bundle_id}={one.seconds}" for one in used)


def bundle_uses(call_id: str, leg: int, account_id: int, used: Sequence[Used], at_ms: int) -> list[BundleUse]:
    return [
        BundleUse(one.bundle_id, account_id, call_id, leg, one.seconds, one.carried_s, one.number, at_ms)
        for one in used
    ]
