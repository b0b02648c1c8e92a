"""What an operator is shown of the relay: its state in a line, the streams of live calls, and the metrics."""

from collections.abc import Iterator

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from media.relay.messages import Figures
from switch.relay.relay import Endpoint, Relay
from switch.sip.host import host_port

# Upper bounds of the histogram's steps are names of the relay; the labels of what was dropped are, too.
_COUNTERS = (
    ("packets_in", "offhook_relay_packets_received", "Packets of RTP, RTCP and UDPTL received"),
    ("packets_out", "offhook_relay_packets_sent", "Packets sent"),
    ("octets_in", "offhook_relay_octets_received", "Octets received"),
    ("octets_out", "offhook_relay_octets_sent", "Octets sent"),
    ("send_errors", "offhook_relay_send_errors", "Packets that the kernel did not take"),
    ("lost", "offhook_relay_packets_lost", "Packets missing in the sequences of streams that ended"),
    ("latches", "offhook_relay_latches", "Peers found by what they sent"),
    ("silences", "offhook_relay_silences", "Calls of which neither end had sent anything for the time set"),
    ("plays", "offhook_relay_plays", "Tones and announcements played"),
)


class Stream(msgspec.Struct):
    """A row of `offhook relay`: what one end of a call sends, and what it is sent. `mos` is hundredths."""

    call_id: str
    leg: int
    medium: int
    listens: str
    peer: str
    codec: str
    packets: int
    packets_sent: int
    lost: int
    jitter_us: int
    round_trip_us: int
    mos: int
    last_ago_s: float
    dropped: dict[str, int]


def relay_state(relay: Relay | None) -> str:
    """For `offhook status`."""
    if relay is None:
        return "off"
    if not relay.is_here:
        return "away: session descriptions cross as they are"
    counts = relay.counts
    return f"connected, {len(relay.endpoints)} streams, {counts.ports_free} of {counts.ports_max} ports free"


def streams(relay: Relay) -> list[Stream]:
    """Of every endpoint, in the order in which they were opened."""
    return [_stream(endpoint, relay.figures.get(endpoint.number)) for endpoint in relay.endpoints.values()]


def _stream(endpoint: Endpoint, figures: Figures | None) -> Stream:
    call_id, leg, medium = endpoint.label.split("/")
    listens = host_port(endpoint.host, endpoint.port)
    if figures is None:
        return Stream(call_id, int(leg), int(medium), listens, "", "", 0, 0, 0, 0, 0, 0, 0.0, {})
    return Stream(
        call_id=call_id,
        leg=int(leg),
        medium=int(medium),
        listens=listens,
        peer=host_port(figures.remote_host, figures.remote_port) if figures.remote_host else "",
        codec=figures.codec,
        packets=figures.packets,
        packets_sent=figures.packets_sent,
        lost=figures.lost,
        jitter_us=figures.jitter_us,
        round_trip_us=figures.round_trip_us,
        mos=figures.mos,
        last_ago_s=figures.last_ago_s,
        dropped=figures.dropped,
    )


def relay_metrics(relay: Relay) -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    counts = relay.counts
    yield GaugeMetricFamily("offhook_relay_up", "1 while the relay is connected", value=int(relay.is_here))
    yield GaugeMetricFamily("offhook_relay_streams", "Streams of live calls", value=len(relay.endpoints))
    yield GaugeMetricFamily(
        "offhook_relay_hold_music",
        "Streams on hold that hear music",
        value=sum(1 for endpoint in tuple(relay.endpoints.values()) if endpoint.music),
    )
    ports = GaugeMetricFamily("offhook_relay_ports", "Pairs of ports, by state", labels=["state"])
    ports.add_metric(["free"], counts.ports_free)
    ports.add_metric(["max"], counts.ports_max)
    ports.add_metric(["granted"], relay.ports_granted)
    yield ports
    yield CounterMetricFamily(
        "offhook_relay_unrelayed",
        "Media that crossed without the relay: it was away or full",
        value=relay.unrelayed,
    )
    yield CounterMetricFamily(
        "offhook_relay_refused", "Requests that the relay could not meet", value=relay.refused
    )
    for field, name, words in _COUNTERS:
        yield CounterMetricFamily(name, words, value=getattr(counts, field))
    dropped = CounterMetricFamily(
        "offhook_relay_packets_dropped", "Packets dropped, by reason", labels=["reason"]
    )
    for reason, count in counts.dropped.items():
        dropped.add_metric([reason], count)
    yield dropped
    mos = CounterMetricFamily(
        "offhook_relay_streams_ended", "Streams that ended, by their estimated MOS", labels=["mos"]
    )
    for step, count in counts.mos_buckets.items():
        mos.add_metric([step], count)
    yield mos
