"""What the edge counts, as the operator sees it: Prometheus names and the lines of `offhook status`.

Labels come from our own words and the operator's own files, so nothing from the wire can grow a series.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from switch.edge.certificates import expiry_text
from switch.edge.messages import EdgeCounts

# Why connections were not let in, and why they were closed by us: label and counter.
REFUSED = {
    "too_many": "refused_total_limit",
    "too_many_of_source": "refused_source_limit",
    "too_many_handshakes": "refused_handshakes",
    "link_local": "refused_link_local",
    "no_certificate": "refused_no_certificate",
    "websocket": "refused_websocket",
    "peer_certificate": "refused_peer_certificate",
}
CLOSED = {
    "broken_stream": "closed_broken_stream",
    "half_message": "closed_half_message",
    "silent": "closed_silent",
    "idle": "closed_idle",
    "not_reading": "closed_not_reading",
    "handshake_time": "closed_handshake",
    "tls": "closed_tls",
}


def edge_metrics(counts: EdgeCounts) -> Iterator[Metric]:
    connections = GaugeMetricFamily("offhook_edge_connections", "Open connections", labels=["transport"])
    accepted = _by_transport("offhook_edge_accepted", "Connections from peers")
    opened = _by_transport("offhook_edge_opened", "Connections to peers")
    ended = _by_transport("offhook_edge_ended", "Connections that are over, whoever closed them")
    received = _by_transport("offhook_edge_messages_received", "SIP messages from connections")
    sent = _by_transport("offhook_edge_messages_sent", "SIP messages to connections")
    for one in counts.transports:
        label = [one.transport.lower()]
        connections.add_metric(label, one.connections)
        accepted.add_metric(label, one.accepted)
        opened.add_metric(label, one.opened)
        ended.add_metric(label, one.closed)
        received.add_metric(label, one.messages_in)
        sent.add_metric(label, one.messages_out)
    yield from (connections, accepted, opened, ended, received, sent)
    yield _by_reason("offhook_edge_refused", "Connections and peers refused, by reason", counts, REFUSED)
    yield _by_reason("offhook_edge_closed", "Connections closed by the edge, by reason", counts, CLOSED)
    yield CounterMetricFamily(
        "offhook_edge_dials_failed", "Connections not opened", value=counts.dials_failed
    )
    yield CounterMetricFamily("offhook_edge_pings", "Keep-alives answered", value=counts.pings)
    yield CounterMetricFamily(
        "offhook_edge_messages_dropped", "Messages too old for the switch", value=counts.messages_dropped
    )
    yield from _certificates(counts)


def edge_status(counts: EdgeCounts) -> dict[str, object]:
    """Connections by transport, and until when each certificate is good."""
    shown: dict[str, object] = {
        "connections": {one.transport.lower(): one.connections for one in counts.transports},
        "certificates": {one.file: expiry_text(one.not_after_s) for one in counts.certificates},
    }
    if counts.files_refused:
        shown["tls_files_refused"] = dict(counts.files_refused)
    return shown


def _certificates(counts: EdgeCounts) -> Iterator[Metric]:
    expiry = GaugeMetricFamily(
        "offhook_tls_certificate_expiry_timestamp_seconds",
        "When a certificate in use ends, UTC",
        labels=["file"],
    )
    for one in counts.certificates:
        expiry.add_metric([one.file], one.not_after_s)
    yield expiry
    yield GaugeMetricFamily(
        "offhook_tls_files_refused", "Files of [tls] that cannot be used", value=len(counts.files_refused)
    )


def _by_transport(name: str, text: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=["transport"])


def _by_reason(name: str, text: str, counts: EdgeCounts, fields: dict[str, str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=["reason"])
    for reason, field in fields.items():
        family.add_metric([reason], getattr(counts, field))
    return family
