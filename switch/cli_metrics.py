"""What the operator sees of callers' numbers: Prometheus names, and a line of `offhook status`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from switch.calls.switchboard import Switchboard


def cli_status(board: "Switchboard") -> dict[str, object]:
    """For `offhook status`: by trunk ("lines" for our own), rule and action."""
    decisions = {
        f"{trunk or 'lines'} {rule} {action}": count
        for (trunk, rule, action), count in list(board.counts.cli_decisions.items())
    }
    return {
        "caller_numbers": decisions,
        "numbers_not_to_originate": len(board.conf.cli.listed),
        "last_calls": board.last_calls.count,
        "emergency_callbacks_awaited": board.callbacks.count,
    }


def cli_metrics(board: "Switchboard") -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    family = CounterMetricFamily(
        "offhook_cli_decisions",
        "Callers' numbers that broke a rule, by the trunk they came from (empty: a line)",
        labels=["trunk", "rule", "action"],
    )
    for key, count in list(board.counts.cli_decisions.items()):
        family.add_metric(list(key), count)
    yield family
    yield CounterMetricFamily(
        "offhook_calls_traced",
        "Calls marked as malicious, or to watched lines",
        value=board.counts.calls_traced,
    )
    yield GaugeMetricFamily(
        "offhook_last_calls", "Lines whose last call is kept for tracing", value=board.last_calls.count
    )
    yield GaugeMetricFamily(
        "offhook_emergency_callbacks_awaited",
        "Lines that called an emergency service lately",
        value=board.callbacks.count,
    )
