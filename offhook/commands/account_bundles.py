"""The part of `offhook account show` about inclusive minutes and discounts."""

from collections.abc import Sequence

import asyncpg

from offhook.moments import format_duration, format_moment
from provisioning import service
from provisioning.bundle_rows import BundleView
from provisioning.bundles import list_bundles
from provisioning.views import AccountDetails


async def details_with_bundles(db: asyncpg.Pool, name: str) -> tuple[AccountDetails, list[BundleView]]:
    """The account, and its bundles that are not over."""
    return await service.show_account(db, name), await list_bundles(db, name)


def bundle_facts(bundles: Sequence[BundleView], live: dict[str, object] | None) -> list[tuple[str, str]]:
    """One line a bundle, the first granted first; as the running switch knows it, else as the books do."""
    known = live_rows(live)
    return [(f"bundle {view.terms.id}", _words(view, known.get(view.terms.id))) for view in reversed(bundles)]


def live_rows(live: dict[str, object] | None) -> dict[int, dict[str, object]]:
    """By bundle; nothing without a running switch."""
    rows = live.get("bundles") if live is not None else None
    found = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("id"), int):
            found[row["id"]] = row
    return found


def left_of(view: BundleView, live: dict[str, object] | None) -> int:
    """Seconds that calls may draw now, or when its time comes."""
    left_s = live.get("left_s") if live is not None else None
    return left_s if isinstance(left_s, int) and view.state in ("holds", "carried over") else view.left_s


def what_is_granted(view: BundleView, live: dict[str, object] | None = None) -> str:
    """ "4:59 of 5:00 left", or "10 % off"."""
    terms = view.terms
    if terms.is_discount:
        return f"{terms.percent} % off"
    return f"{format_duration(left_of(view, live))} of {format_duration(terms.granted_s)} left"


def _words(view: BundleView, live: dict[str, object] | None) -> str:
    until = format_moment(view.terms.over_at_ms) or "it is used up"
    if view.terms.is_discount and view.terms.over_at_ms is None:
        until = "further notice"
    return f"{view.terms.name}: {what_is_granted(view, live)}, {view.state}, until {until}"
