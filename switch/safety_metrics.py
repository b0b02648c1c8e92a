"""The Prometheus names of bars, fraud rules and alarms; refusals by rule are in offhook_calls_refused."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from switch.conf_safety import FraudRule

if TYPE_CHECKING:
    from switch.calls.safety import Safety

RULES = (*(rule.value for rule in FraudRule), "daily_cap_near", "monthly_cap_near", "fair_use")


def safety_metrics(safety: "Safety") -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    alarms = CounterMetricFamily("offhook_alarms", "Alarms raised, by rule", labels=["rule"])
    for rule in RULES:
        alarms.add_metric([rule], safety.alarms[rule])
    yield alarms
    yield GaugeMetricFamily(
        "offhook_fraud_bars",
        "Accounts barred automatically on suspicion of fraud",
        value=len(safety.fraud_bars),
    )
    yield GaugeMetricFamily(
        "offhook_high_cost_calls", "Calls to high-cost destinations", value=sum(safety.of_high_cost.values())
    )
    yield GaugeMetricFamily(
        "offhook_fraud_accounts", "Accounts that the fraud rules keep counts of", value=len(safety.velocity)
    )
    yield CounterMetricFamily(
        "offhook_fraud_accounts_forgotten",
        "Accounts whose counts were dropped for want of room",
        value=safety.velocity.forgotten,
    )
