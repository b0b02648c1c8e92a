"""Every Prometheus name of the voicemail server, read from the plain counters when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from switch.sip.counts import Histogram
from voicemail.metric_families import PREFIX, by, counter, gauge
from voicemail.service_metrics import service_metrics

if TYPE_CHECKING:
    from voicemail.process import VoicemailProcess

class VoicemailCollector(Collector):
    """Reads one running server, from the metrics thread."""

    def __init__(self, process: VoicemailProcess) -> None:
        self._process = process

    def collect(self) -> Iterator[Metric]:
        process, counts = self._process, self._process.counts
        yield by("calls", "Calls taken, by kind", "kind", counts.calls)
        yield by("calls_refused", "INVITEs refused, by reason", "reason", counts.refused)
        sessions = process.reception.sessions.copy()
        yield gauge("calls_live", "Calls now", len(sessions))
        yield from service_metrics(process, sessions)
        yield gauge(
            "recordings_live", "Messages being recorded", sum(each.is_recording for each in sessions)
        )
        yield by("deposits", "Messages that callers left, by result", "result", counts.deposits)
        yield by("recordings", "Recordings of callers, by what ended them", "end", counts.recordings)
        yield by("pins", "PINs that were tried, by result", "result", counts.pins)
        yield by("lamp_deliveries", "PUBLISH of waiting messages, by result", "result", counts.lamps)
        yield gauge("switch_away", "1 while the switch does not answer", int(process.publisher.is_away))
        yield by("mails", "Mails to owners, by what became of a try", "result", counts.mails)
        yield gauge("mail_queue", "Mails waiting", counts.mail_queue)
        yield gauge("mailboxes", "Mailboxes", process.publisher.mailboxes)
        messages = GaugeMetricFamily(PREFIX + "messages", "Messages kept, by state", labels=["state"])
        for state, count in counts.messages.items():
            messages.add_metric([state], count)
        yield messages
        yield counter("messages_deleted", "Messages deleted by their owners", counts.deleted)
        yield counter("messages_expired", "Messages deleted after their days", counts.expired)
        yield counter("messages_recovered", "Messages finished after a crash", counts.recovered)
        yield counter("rtp_packets_received", "RTP packets from callers", process.rtp_counts.packets_in)
        yield counter("rtp_packets_sent", "RTP packets to callers", process.rtp_counts.packets_out)
        yield by(
            "rtp_packets_dropped", "RTP packets dropped, by reason", "reason", process.rtp_counts.dropped
        )
        yield by("sip_dropped", "SIP messages dropped, by reason", "reason", process.sip_counts.dropped)
        yield _histogram("tick_lateness_seconds", "How late a beat of 20 ms came", counts.tick_lateness)
        yield counter("bugs", "Exceptions that ended a call", counts.bugs)


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, histogram.bounds), "+Inf"], list(histogram.buckets), strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(PREFIX + name, text, buckets=buckets, sum_value=histogram.sum)
