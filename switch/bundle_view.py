"""The bundles of an account as the running switch knows them, with what live calls hold and the books lack."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from switch.exchange import Exchange


class LiveBundleView(msgspec.Struct, frozen=True):
    """One at this moment. `left_s` is what further calls may draw; 0 for one that does not hold now."""

    id: int
    name: str
    percent: int
    granted_s: int
    used_s: int
    reserved_s: int
    left_s: int
    destinations: int
    destinations_max: int
    expires_at_ms: int | None


def live_bundles(exchange: "Exchange", account_id: int, at_ms: int) -> list[LiveBundleView]:
    """In the order of their grants; those that are over are there for a day."""
    return [
        LiveBundleView(
            id=totals.terms.id,
            name=totals.terms.name,
            percent=totals.terms.percent,
            granted_s=totals.terms.granted_s,
            used_s=totals.used_s,
            reserved_s=totals.reserved_s,
            left_s=totals.left_s,
            destinations=totals.destinations,
            destinations_max=totals.terms.destinations_max,
            expires_at_ms=totals.terms.over_at_ms,
        )
        for totals in exchange.engine.bundles.of_account(account_id, at_ms)
    ]
