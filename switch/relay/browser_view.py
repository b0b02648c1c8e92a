"""What an operator is shown of the browsers' process: its state in a line, and the metrics."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from switch.relay.browser_gates import BrowserGates
from switch.relay.relay import Relay


def browsers_state(relay: Relay | None) -> str:
    """For `offhook status`."""
    gates = None if relay is None else relay.gates
    if gates is None:
        return "off"
    if not gates.is_here:
        return "away: browsers have no sound with telephones"
    return f"connected, {gates.in_use} of {gates.counts.gates_max} in calls"


def browser_metrics(gates: BrowserGates) -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    counts = gates.counts
    yield GaugeMetricFamily(
        "offhook_browsers_up", "1 while the browsers' process is connected", value=1 if gates.is_here else 0
    )
    states = GaugeMetricFamily("offhook_browser_gates", "Gates of browsers, by state", labels=["state"])
    states.add_metric(["in_use"], gates.in_use)
    states.add_metric(["ready"], gates.ready)
    states.add_metric(["max"], counts.gates_max)
    yield states
    yield CounterMetricFamily(
        "offhook_browser_handshakes", "Browsers that were found and joined", value=counts.connected
    )
    yield CounterMetricFamily(
        "offhook_browser_gates_missing",
        "Descriptions of browsers that crossed as they were: no gate was free",
        value=gates.missing,
    )
    packets = CounterMetricFamily("offhook_browser_packets", "Packets, by direction", labels=["direction"])
    packets.add_metric(["from_browsers"], counts.packets_in)
    packets.add_metric(["to_browsers"], counts.packets_out)
    yield packets
    lost = CounterMetricFamily("offhook_browser_gates_lost", "Browsers lost, by reason", labels=["reason"])
    for reason, count in counts.lost.items():
        lost.add_metric([reason], count)
    yield lost
    dropped = CounterMetricFamily(
        "offhook_browser_packets_dropped", "Packets dropped, by reason", labels=["reason"]
    )
    for reason, count in counts.dropped.items():
        dropped.add_metric([reason], count)
    yield dropped
