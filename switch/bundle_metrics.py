"""The Prometheus names of bundles; alarms of fair use are in offhook_alarms."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from rating.bundle_books import BundleBooks


def bundle_metrics(bundles: "BundleBooks") -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    counts = bundles.counts
    yield GaugeMetricFamily("offhook_bundles", "Bundles and discounts that are not over", value=len(bundles))
    yield GaugeMetricFamily(
        "offhook_bundle_reserved_seconds", "Inclusive seconds set aside for calls", value=bundles.reserved_s
    )
    yield CounterMetricFamily(
        "offhook_bundle_used_seconds", "Inclusive seconds that settled calls have used", value=counts.used_s
    )
    yield CounterMetricFamily(
        "offhook_bundled_calls", "Settled calls that used inclusive seconds", value=counts.bundled_calls
    )
    yield CounterMetricFamily(
        "offhook_fair_use_reached",
        "Bundles that came to their limit of fair use",
        value=counts.fair_use_reached,
    )
    yield CounterMetricFamily(
        "offhook_bundles_without_account", "Grants told for an unknown account", value=counts.without_account
    )
