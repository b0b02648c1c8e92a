"""What the portal counts, for Prometheus."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class PortalCounts:
    """Written by the event loop alone. `logins` by how they ended: in, refused, throttled, busy."""

    __slots__ = ("answers", "bugs", "logins", "throttle_keys")

    def __init__(self) -> None:
        self.answers: Counter[int] = Counter()
        self.logins: Counter[str] = Counter()
        self.bugs = 0
        self.throttle_keys = 0


class PortalCollector(Collector):
    def __init__(self, counts: PortalCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        answers = CounterMetricFamily("offhook_portal_answers", "Pages by status.", labels=["status"])
        for status, count in list(self._counts.answers.items()):
            answers.add_metric([str(status)], count)
        yield answers
        logins = CounterMetricFamily("offhook_portal_logins", "Logins by how they ended.", labels=["how"])
        for how, count in list(self._counts.logins.items()):
            logins.add_metric([how], count)
        yield logins
        yield CounterMetricFamily(
            "offhook_portal_bugs", "Pages that ended in an error.", value=self._counts.bugs
        )
        yield GaugeMetricFamily(
            "offhook_portal_throttle_keys",
            "Names and sources with failed logins.",
            value=self._counts.throttle_keys,
        )
