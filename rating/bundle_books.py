"""The engine's bundles by their ids: what the books grant, what the journal has used above them, what was said of it.

As with balances: loaded once, used up only by calls, changed by grants. A use of a bundle that is not known yet (a
grant younger than the checkpoint that the switch started from) waits for it, so that nothing is drawn twice.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from rating.bundle import AccountBundles, BundleTotals, FairUseWarning, LiveBundle
from rating.bundle_terms import BundleTerms, Used
from rating.cover import Cover

if TYPE_CHECKING:
    from rating.account import LiveAccount


class BundleCounts(msgspec.Struct):
    """What bundles have done since the start. The last one stays 0 for ever where nothing is broken."""

    bundled_calls: int = 0
    used_s: int = 0
    fair_use_reached: int = 0
    without_account: int = 0


class BundleBooks:
    """One per engine, over the engine's accounts. `warnings` is emptied by the owner: at most one a bundle."""

    __slots__ = ("_accounts", "_bundles", "_early", "counts", "warnings")

    def __init__(self, accounts: "Mapping[int, LiveAccount]") -> None:
        self._accounts = accounts
        self._bundles: dict[int, LiveBundle] = {}
        self._early: dict[int, list[Used]] = {}  # by bundle; of grants that are not known yet
        self.counts = BundleCounts()
        self.warnings: list[FairUseWarning] = []

    def __len__(self) -> int:
        return len(self._bundles)

    def set(self, terms: BundleTerms, *, today_ms: int = 0) -> None:
        """A grant as the books have it now. What is set aside for calls stays theirs, however it has changed.

        An older revision than the one that is known changes nothing. `today_ms`: bundles that were over by then go.
        """
        account = self._accounts.get(terms.account_id)
        if account is None:
            self.counts.without_account += 1
            return
        bundles = account.bundles
        if bundles is None:
            bundles = account.bundles = AccountBundles(self.warnings)
        bundle = bundles.live.get(terms.id)
        if bundle is None:
            bundle = bundles.live[terms.id] = self._bundles[terms.id] = LiveBundle(terms)
            for used in self._early.pop(terms.id, ()):
                bundle.use(used)
        elif terms.revision >= bundle.terms.revision:
            bundle.terms = terms
            bundle.is_warned = False
        for bundle_id in bundles.forget_old(today_ms):
            del self._bundles[bundle_id]

    def load(self, terms: BundleTerms, *, used_s: int, carried_s: int, destinations: Iterable[str]) -> None:
        """At the start: a grant, and what calls had used of it at the moment of the snapshot."""
        self.set(terms)
        bundle = self._bundles.get(terms.id)
        if bundle is not None:
            bundle.use(Used(terms.id, used_s, carried_s))
            bundle.destinations.update(destinations)
            bundle.is_warned = bundle.used_s >= terms.granted_s  # by the process before this one

    def use(self, used: Used) -> None:
        """What this engine did not settle: from the journal above the snapshot, or of a call that a crash cut."""
        bundle = self._bundles.get(used.bundle_id)
        if bundle is None:
            self._early.setdefault(used.bundle_id, []).append(used)
        else:
            bundle.use(used)

    def settle(self, account_id: int, cover: Cover, used: tuple[Used, ...]) -> None:
        bundles = self._of(account_id)
        bundles.settle(cover, used)
        self.counts.bundled_calls += bool(used)
        self.counts.used_s += sum(one.seconds for one in used)

    def give_back(self, account_id: int, cover: Cover) -> None:
        self._of(account_id).give_back(cover)

    def take_warnings(self) -> list[FairUseWarning]:
        """Those of the calls since the last time."""
        taken = self.warnings.copy()
        self.warnings.clear()
        self.counts.fair_use_reached += len(taken)
        return taken

    def of_account(self, account_id: int, at_ms: int) -> list[BundleTotals]:
        """In the order of their grants."""
        account = self._accounts.get(account_id)
        if account is None or account.bundles is None:
            return []
        return [bundle.totals(at_ms) for _, bundle in sorted(account.bundles.live.items())]

    def find(self, bundle_id: int, at_ms: int) -> BundleTotals | None:
        bundle = self._bundles.get(bundle_id)
        return None if bundle is None else bundle.totals(at_ms)

    @property
    def reserved_s(self) -> int:
        return sum(bundle.reserved_s for bundle in list(self._bundles.values()))

    def _of(self, account_id: int) -> AccountBundles:
        bundles = self._accounts[account_id].bundles
        assert bundles is not None, "a covered call of an account that has no bundles"
        return bundles
