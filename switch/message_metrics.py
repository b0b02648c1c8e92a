"""The Prometheus names of messages, read from what switch/messaging keeps when somebody asks."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from rating.money import MICROS_PER_POUND

if TYPE_CHECKING:
    from switch.messaging.service import Messaging


def message_metrics(messaging: "Messaging") -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    yield _counters("offhook_messages", "MESSAGE by what it came to", "status", messaging.counts)
    waiting = messaging.waiting
    yield GaugeMetricFamily("offhook_messages_waiting", "Messages kept for lines", value=waiting.count)
    yield GaugeMetricFamily(
        "offhook_messages_waiting_lines", "Lines that messages wait for", value=len(waiting.queues)
    )
    yield _counters("offhook_messages_kept_ended", "Kept messages that left, by why", "why", waiting.ended)
    yield CounterMetricFamily(
        "offhook_messages_charged_pounds",
        "Charged for messages since start",
        value=messaging.charged_micros / MICROS_PER_POUND,
    )


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in list(values.items()):
        family.add_metric([key], value)
    return family
