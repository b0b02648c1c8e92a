"""The bundles of accounts as the switch keeps them: the books' when it starts, and what the journal has above them.

A grant that the switch was told of stays in the journal (`g/<bundle>`) until a checkpoint has it, so that a restart
without the books still knows it, as with credits.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from rating.bundle_terms import BundleTerms, Used

if TYPE_CHECKING:
    from provisioning.model import Snapshot
    from rating.engine import Engine
    from switch.calls.switchboard import Put

GRANT_KEY: Final = "g/"

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(BundleTerms).decode


def load_bundles(
    engine: "Engine",
    snapshot: "Snapshot",
    state: Mapping[str, bytes],
    uses_since: Mapping[tuple[int, str], tuple[int, int]],
) -> "list[Put]":
    """`uses_since` are seconds by bundle and number called. Returns what the journal may forget."""
    revisions = {}
    for balance in snapshot.bundles:
        engine.bundles.load(
            balance.terms,
            used_s=balance.used_s,
            carried_s=balance.carried_s,
            destinations=balance.destinations,
        )
        revisions[balance.terms.id] = balance.terms.revision
    puts: list[Put] = []
    for key, value in state.items():
        if key.startswith(GRANT_KEY):
            terms = _decode(value)
            if revisions.get(terms.id, 0) >= terms.revision or _is_over(terms, snapshot.taken_at_ms):
                puts.append((key, None))
            else:
                engine.bundles.set(terms)
    for (bundle_id, number), (seconds, carried_s) in uses_since.items():
        engine.bundles.use(Used(bundle_id, seconds, carried_s, number))
    return puts


def take_grant(engine: "Engine", terms: BundleTerms) -> "Put":
    """What the books have told, in memory at once; returns what the journal has to keep of it."""
    engine.bundles.set(terms, today_ms=engine.period.starts_at_ms)
    return f"{GRANT_KEY}{terms.id}", _encode(terms)


def _is_over(terms: BundleTerms, at_ms: int) -> bool:
    return terms.over_at_ms is not None and terms.over_at_ms <= at_ms
