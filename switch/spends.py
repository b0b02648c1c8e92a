"""What accounts have spent today and this month, when a switch starts: the books' sums and the journal's above them."""

from collections.abc import Mapping

from provisioning.model import Snapshot
from rating.engine import Engine
from rating.london_day import month_of


def load_spends(engine: Engine, snapshot: Snapshot, usage_by_day: Mapping[tuple[int, int], int]) -> None:
    """Each amount carries its day: a snapshot of yesterday, or a journal that reaches back for days, does no harm."""
    for spend in snapshot.spends:
        engine.load_day_spend(spend.account_id, spend.day, spend.day_micros)
        engine.load_month_spend(spend.account_id, spend.month, spend.month_micros)
    for (account_id, day), amount_micros in usage_by_day.items():
        engine.load_day_spend(account_id, day, amount_micros)
        engine.load_month_spend(account_id, month_of(day), amount_micros)
