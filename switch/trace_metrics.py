"""The Prometheus names of traces: the ring's, and what the process that stores them last told."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from switch.process import SwitchProcess


def trace_metrics(process: "SwitchProcess") -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    tracer, link = process.exchange.tracer, process.traces
    ring, messages = tracer.ring, tracer.messages
    yield _gauge("ring_octets", "Memory that messages of calls take", ring.octets)
    yield _gauge("ring_octets_max", "What they may take ([trace] ring_mb)", ring.octets_max)
    calls = GaugeMetricFamily(
        "offhook_trace_ring_calls", "Calls whose messages are in memory", labels=["state"]
    )
    for state, count in (
        ("up", len(ring.live)),
        ("ended", len(ring.good)),
        ("waiting", len(ring.waiting)),
        ("refused", len(ring.strangers) + len(ring.refused)),
    ):
        calls.add_metric([state], count)
    yield calls
    yield _counter("messages", "SIP messages of calls that were noted", ring.messages)
    yield _counter(
        "messages_dropped", "SIP messages of calls that there was no room for", ring.messages_dropped
    )
    yield _counter("calls_pushed_out", "Calls without a fault whose messages made room", ring.pushed_out)
    kept = CounterMetricFamily(
        "offhook_trace_kept", "Calls whose trace is kept, by each reason", labels=["why"]
    )
    for why, count in list(tracer.kept.items()):
        kept.add_metric([why], count)
    yield kept
    yield _counter(
        "over_budget", "Calls not kept, as their line or trunk had many in that minute", tracer.over_budget
    )
    lost = CounterMetricFamily(
        "offhook_trace_lost", "Calls whose trace was to be kept and is not", labels=["where"]
    )
    lost.add_metric(["ring"], ring.lost)
    lost.add_metric(["disk"], tracer.not_stored)
    yield lost
    yield _counter("stored", "Traces that the process for traces has stored", tracer.stored)
    yield _counter("mirror_dropped", "Messages not given on for Homer", messages.mirror_dropped)
    yield _gauge("link_up", "1 while the process for traces is there", 1 if link is not None and link.is_here else 0)
    if link is None:
        return
    counts = link.counts
    yield _gauge("disk_octets", "What the files of traces take", counts.disk_bytes)
    yield _gauge("disk_days", "Days that there are traces of", counts.days)
    yield _gauge("disk_failing", "1 while traces cannot be stored", 1 if counts.problem else 0)
    yield _counter("files_damaged", "Files of traces that were put aside as damaged", counts.damaged_files)
    yield _counter("days_removed", "Days of traces that were removed", counts.days_removed)
    yield _counter("removed", "Traces of the last day that were removed for room", counts.traces_removed)
    yield _counter("mirrored", "Messages sent to Homer", counts.mirrored)
    yield _counter("mirror_failed", "Messages that could not be sent to Homer", counts.mirror_failed)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"offhook_trace_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"offhook_trace_{name}", text, value=value)
