"""Every Prometheus name of the voicemail server, read from the plain counters when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from switch.sip.counts import Histogram

if TYPE_CHECKING:
    from switch.conf_values import Address
    from voicemail.process import VoicemailProcess

PREFIX = "offhook_voicemail_"


class VoicemailCollector(Collector):
    """Reads one running server, from the metrics thread."""

    def __init__(self, process: VoicemailProcess) -> None:
        self._process = process

    def collect(self) -> Iterator[Metric]:
        process, counts = self._process, self._process.counts
        yield _by("calls", "Calls taken, by kind", "kind", counts.calls)
        yield _by("calls_refused", "INVITEs refused, by reason", "reason", counts.refused)
        yield _gauge("calls_live", "Calls now", len(process.sessions))
        yield _gauge(
            "recordings_live",
            "Messages being recorded",
            sum(each.is_recording for each in process.sessions.copy()),
        )
        yield _by("deposits", "Messages that callers left, by result", "result", counts.deposits)
        yield _by("recordings", "Recordings of callers, by what ended them", "end", counts.recordings)
        yield _by("pins", "PINs that were tried, by result", "result", counts.pins)
        yield _by("lamp_deliveries", "PUBLISH of waiting messages, by result", "result", counts.lamps)
        yield _gauge("switch_away", "1 while the switch does not answer", int(process.publisher.is_away))
        yield _by("mails", "Mails to owners, by what became of a try", "result", counts.mails)
        yield _gauge("mail_queue", "Mails waiting", counts.mail_queue)
        yield _gauge("mailboxes", "Mailboxes", process.publisher.mailboxes)
        messages = GaugeMetricFamily(PREFIX + "messages", "Messages kept, by state", labels=["state"])
        for state, count in counts.messages.items():
            messages.add_metric([state], count)
        yield messages
        yield _counter("messages_deleted", "Messages deleted by their owners", counts.deleted)
        yield _counter("messages_expired", "Messages deleted after their days", counts.expired)
        yield _counter("messages_recovered", "Messages finished after a crash", counts.recovered)
        yield _counter("rtp_packets_received", "RTP packets from callers", process.rtp_counts.packets_in)
        yield _counter("rtp_packets_sent", "RTP packets to callers", process.rtp_counts.packets_out)
        yield _by(
            "rtp_packets_dropped", "RTP packets dropped, by reason", "reason", process.rtp_counts.dropped
        )
        yield _by("sip_dropped", "SIP messages dropped, by reason", "reason", process.sip_counts.dropped)
        yield _histogram("tick_lateness_seconds", "How late a beat of 20 ms came", counts.tick_lateness)
        yield _counter("bugs", "Exceptions that ended a call", counts.bugs)


def serve_metrics(process: VoicemailProcess, address: Address) -> None:
    """From a thread. Raises OSError when the address is taken."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(VoicemailCollector(process))
    start_http_server(address.port, addr=address.host, registry=registry)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(PREFIX + name, text, value=value)


def _by(name: str, text: str, label: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(PREFIX + name, text, labels=[label])
    for key, value in list(values.items()):
        family.add_metric([key], value)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, histogram.bounds), "+Inf"], list(histogram.buckets), strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(PREFIX + name, text, buckets=buckets, sum_value=histogram.sum)
