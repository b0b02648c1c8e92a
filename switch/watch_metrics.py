"""What conf/prometheus and conf/grafana watch beside the plain counters: trunks' endings, sound, emergency calls.

Labels are names of the configuration, directions, and causes of Q.850 by number.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from switch.sip.counts import Histogram
from switch.trunks.endings import Endings, Load

if TYPE_CHECKING:
    from switch.exchange import Exchange
    from switch.relay.sound_counts import Sounds

WINDOWS: Final = ("1m", "5m", "15m")
# `offhook status` shows so many; /metrics has all.
CAUSES_SHOWN: Final = 20
# ITU-T Q.850 2.2.7, those that a carrier sends; short.
CAUSE_WORDS: Final = {
    1: "unallocated number", 2: "no route to transit network", 3: "no route to destination", 16: "normal clearing",
    17: "user busy", 18: "no user responding", 19: "no answer", 20: "subscriber absent", 21: "call rejected",
    22: "number changed", 26: "answered elsewhere", 27: "destination out of order", 28: "invalid number format",
    31: "normal, unspecified", 34: "no circuit available", 38: "network out of order", 41: "temporary failure",
    42: "switching equipment congestion", 47: "resource unavailable", 50: "facility not subscribed",
    57: "bearer capability not authorised", 58: "bearer capability not available", 65: "bearer not implemented",
    79: "service not implemented", 88: "incompatible destination", 102: "recovery on timer expiry",
    111: "protocol error", 127: "interworking",
}  # fmt: skip


def watch_metrics(exchange: "Exchange") -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    yield from _trunks(exchange.trunks.endings)
    ended = CounterMetricFamily(
        "offhook_emergency_calls_ended", "Emergency calls that ended, by outcome", labels=["outcome"]
    )
    for outcome, count in exchange.counts.emergency_outcomes.items():
        ended.add_metric([outcome], count)
    yield ended
    if exchange.relay is not None:
        yield from _sounds(exchange.relay.sounds)


def _trunks(endings: Endings) -> Iterator[Metric]:
    seizures = CounterMetricFamily("offhook_trunk_seizures", "Calls offered to a trunk", labels=["trunk"])
    answers = CounterMetricFamily("offhook_trunk_answers", "Calls answered by a trunk", labels=["trunk"])
    delays = HistogramMetricFamily(
        "offhook_trunk_post_dial_delay_seconds", "Our INVITE to the first sign of ringing", labels=["trunk"]
    )
    for name, trunk in list(endings.of_trunk.items()):
        seizures.add_metric([name], trunk.seizures)
        answers.add_metric([name], trunk.answers)
        _add(delays, name, trunk.delay)
    yield from (seizures, answers, delays)
    labels = ["trunk", "direction", "cause"]
    causes = CounterMetricFamily("offhook_trunk_calls_ended", "Calls ended, by Q.850 cause", labels=labels)
    for (name, direction, cause), total in endings.totals():
        causes.add_metric([name, direction, str(cause)], total)
    yield causes
    load = GaugeMetricFamily(
        "offhook_trunk_cause_load", "Endings per minute, as load averages", labels=[*labels, "window"]
    )
    for (name, direction, cause), averages in endings.loads():
        for window, average in zip(WINDOWS, averages, strict=True):
            load.add_metric([name, direction, str(cause), window], average)
    yield load


def _sounds(sounds: "Sounds") -> Iterator[Metric]:
    streams = CounterMetricFamily(
        "offhook_sound_streams",
        'Streams of five seconds and more that ended, by trunk ("": lines)',
        labels=["trunk"],
    )
    poor = CounterMetricFamily(
        "offhook_sound_streams_poor", "Those with too much loss or jitter", labels=["trunk"]
    )
    loss = HistogramMetricFamily(
        "offhook_sound_loss_ratio", "Share of packets that a stream lost on its way to us", labels=["trunk"]
    )
    mos = HistogramMetricFamily(
        "offhook_sound_mos", "What a listener would think of a stream (E-model)", labels=["trunk"]
    )
    for name, counts in list(sounds.of_trunk.items()):
        streams.add_metric([name], counts.streams)
        poor.add_metric([name], counts.poor)
        _add(loss, name, counts.loss)
        _add(mos, name, counts.mos)
    yield from (streams, poor, loss, mos)


def _add(family: HistogramMetricFamily, name: str, histogram: Histogram) -> None:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, histogram.bounds), "+Inf"], list(histogram.buckets), strict=True):
        total += count
        buckets.append((bound, total))
    family.add_metric([name], buckets=buckets, sum_value=histogram.sum)


def cause_status(endings: Endings) -> dict[str, str]:
    """For `offhook status`: why calls end by trunks, a minute, over the last 1, 5 and 15 minutes."""
    return {
        f"{trunk} {direction} {cause} {CAUSE_WORDS.get(cause, 'other')}": _shown(load)
        for (trunk, direction, cause), load in endings.loads()[:CAUSES_SHOWN]
    }


def _shown(load: Load) -> str:
    return ", ".join(f"{average:.2f}" for average in load)
