"""What the legs of a period cost us at their carriers, and what they would cost by another supplier's deck."""

from typing import Final

import asyncpg

from provisioning.rerating.comparison import REPORTED_EACH, Comparison, Problem, Progress
from provisioning.rerating.legs import PREFETCHED, Scope
from provisioning.utc import ms_from_time
from rating.charge import CALL_S_MAX, charge
from rating.deck import Deck

# Who pays for the call is on its own leg where somebody sent it on, and else on the caller's.
_FROM: Final = """
    FROM cdrs c LEFT JOIN cdrs k ON k.call_id = c.call_id AND k.leg = 0
    WHERE c.setup_at >= $1 AND c.setup_at < $2 AND c.leg > 0 AND c.trunk <> '' AND c.answered_at IS NOT NULL
      AND ($3::integer IS NULL OR coalesce(c.payer_account_id, k.payer_account_id) = $3)
"""
_LEGS: Final = f"""
    SELECT c.call_id, c.leg, c.destination, c.setup_at, c.answered_at, c.duration_ms, c.buy_micros,
           coalesce(c.payer_account_id, k.payer_account_id, 0) AS account_id,
           coalesce(nullif(c.destination_name, ''), k.destination_name, '') AS destination_name
    {_FROM} ORDER BY c.setup_at, c.call_id, c.leg
"""


async def compare_buying(
    db: asyncpg.Pool, scope: Scope, deck: Deck, progress: Progress | None = None
) -> Comparison:
    """Answered legs by carriers: what they took by the records, and what this deck would take, ex VAT.

    A leg that one of the two does not price is named, and counts with what is known of it on both sides.
    """
    comparison = Comparison()
    async with db.acquire() as streaming, streaming.transaction(isolation="repeatable_read", readonly=True):
        arguments = (scope.since, scope.until, scope.account_id)
        total = 0 if progress is None else await streaming.fetchval(f"SELECT count(*) {_FROM}", *arguments)
        async for row in streaming.cursor(_LEGS, *arguments, prefetch=PREFETCHED):
            _take(comparison, row, deck)
            if progress is not None and comparison.legs % REPORTED_EACH == 0:
                progress(comparison.legs, total)
    return comparison


def _take(comparison: Comparison, row: asyncpg.Record, deck: Deck) -> None:
    rate = deck.rate_for(row["destination"], ms_from_time(row["setup_at"]))
    new_micros = None
    if rate is not None:
        at_ms = ms_from_time(row["answered_at"])
        new_micros = charge(rate, min(row["duration_ms"], CALL_S_MAX * 1000), at_ms=at_ms).total_micros
    old_micros = row["buy_micros"]
    known = [micros for micros in (old_micros, new_micros) if micros is not None] or [0]
    comparison.add(
        row["account_id"],
        row["destination_name"],
        known[0] if old_micros is None else old_micros,
        known[0] if new_micros is None else new_micros,
    )
    if old_micros is None or new_micros is None:
        who = f"deck {deck.name}" if new_micros is None else "its record"
        why = f"{who} has no buying price for {row['destination']}"
        comparison.note(Problem(row["call_id"], row["leg"], row["account_id"], why))
