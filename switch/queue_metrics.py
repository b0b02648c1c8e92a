"""What the operator sees of queues and groups: Prometheus names, and the rows of `offhook queues`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from switch.journey.queues import RowView

if TYPE_CHECKING:
    from switch.calls.switchboard import Switchboard


def queue_rows(board: "Switchboard", now: float) -> list[RowView]:
    """Those in which somebody waits first."""
    accounts = board.books.accounts

    def account_name(account_id: int) -> str:
        account = accounts.get(account_id)
        return account.name if account is not None else str(account_id)

    rows = board.queues.views(now, account_name)
    return sorted(rows, key=lambda row: (-row.waiting, row.account, row.name))


def queue_metrics(board: "Switchboard", now: float) -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    queues = board.queues
    yield GaugeMetricFamily("offhook_queues", "Queues that are remembered", value=queues.rows)
    yield GaugeMetricFamily("offhook_queued_calls", "Calls that wait in queues", value=len(queues))
    yield GaugeMetricFamily(
        "offhook_queue_longest_wait_seconds",
        "How long the call has waited that waits longest",
        value=queues.longest_wait_s(now),
    )
    left = CounterMetricFamily(
        "offhook_queue_calls", "Calls that left a queue, by outcome", labels=["outcome"]
    )
    for outcome in ("answered", "gave_up", "timed_out"):
        left.add_metric([outcome], queues.outcomes[outcome])
    yield left
    away = CounterMetricFamily(
        "offhook_queue_calls_turned_away", "Calls that found no room in a queue, by limit", labels=["limit"]
    )
    for limit in ("queue", "all", "rows"):
        away.add_metric([limit], queues.turned_away[limit])
    yield away
    yield GaugeMetricFamily(
        "offhook_group_rounds", "Hunt groups whose round is remembered", value=len(board.turns)
    )
