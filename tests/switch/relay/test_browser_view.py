"""What an operator is shown of the browsers' process."""

from media.browser.messages import BrowserCounts
from switch.conf_media import Media
from switch.relay.browser_view import browser_metrics, browsers_state
from tests.switch.calls.test_browser_calls import Bench, with_browsers
from tests.switch.house import House


def test_the_line_of_status() -> None:
    bench = Bench()
    bench.gates.gates.hear(BrowserCounts(gates_max=200), 0.0)
    bench.alice_calls()
    assert browsers_state(bench.relay.relay) == "connected, 1 of 200 in calls"
    bench.gates.gates.lost()
    assert browsers_state(bench.relay.relay) == "away: browsers have no sound with telephones"
    assert browsers_state(House(conf=with_browsers(browsers=False)).exchange.relay) == "off"
    assert Media().browsers


def test_the_metrics() -> None:
    bench = Bench()
    bench.alice_calls()
    counts = BrowserCounts(1, 200, 50, 49, 1, {"gone": 2}, {"stranger": 3})
    bench.gates.gates.hear(counts, 0.0)
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in browser_metrics(bench.gates.gates)
        for sample in metric.samples
    }
    assert found["offhook_browsers_up",] == 1
    assert found["offhook_browser_gates", "in_use"] == 1
    assert found["offhook_browser_gates", "ready"] == 7
    assert found["offhook_browser_packets_total", "from_browsers"] == 50
    assert found["offhook_browser_packets_total", "to_browsers"] == 49
    assert found["offhook_browser_gates_lost_total", "gone"] == 2
    assert found["offhook_browser_packets_dropped_total", "stranger"] == 3
    assert found["offhook_browser_handshakes_total",] == 1
