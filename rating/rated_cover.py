"""What bundles and discounts did to the price of a leg: read back from its record and from what its account had.

A record has the seconds that each bundle paid for; which discount there was follows from the account's grants.
"""

from collections.abc import Sequence

from rating.bundle_terms import BundleTerms, Piece
from rating.charge import Charge
from rating.cover import discounted, is_discountable, settle_covered
from rating.rate import Rate


def pieces_of(bundles: str) -> tuple[Piece, ...]:
    """Of "12=40 15=20": seconds of each bundle by its id, each as one step, because so much was drawn."""
    pieces = []
    for text in bundles.split(" "):
        bundle_id, equals, seconds = text.partition("=")
        if equals and bundle_id.isascii() and bundle_id.isdigit() and seconds.isascii() and seconds.isdigit():
            drawn_s = int(seconds)
            pieces.append(Piece(int(bundle_id), drawn_s, max(drawn_s, 1), is_carried=False))
    return tuple(pieces)


def percent_for(rate: Rate, number: str, at_ms: int, grants: Sequence[BundleTerms]) -> int:
    """The best discount that held then; 0 is none."""
    best = max((terms.percent for terms in grants if _holds(terms, at_ms) and terms.is_for(rate, number)), default=0)
    return best if best and is_discountable(rate) else 0


def charge_by_cover(
    rate: Rate,
    duration_ms: int,
    *,
    granted_s: int,
    pieces: Sequence[Piece],
    percent: int,
    grants: Sequence[BundleTerms],
    at_ms: int,
) -> Charge:
    """As the engine settles such a call. The connect fee is that of where the first second came from."""
    fee_micros = discounted(rate.connect_fee_at(at_ms), percent)
    if pieces:
        first = pieces[0].bundle_id
        fee_micros = next((terms.connect_fee_micros for terms in grants if terms.id == first), 0)
    charged, _ = settle_covered(
        rate.with_connect_fee(fee_micros),
        duration_ms,
        granted_s=granted_s,
        pieces=pieces,
        percent=percent,
        at_ms=at_ms,
    )
    return charged


def _holds(terms: BundleTerms, at_ms: int) -> bool:
    return (
        terms.is_discount
        and terms.valid_from_ms <= at_ms
        and (terms.expires_at_ms is None or at_ms < terms.expires_at_ms)
    )
