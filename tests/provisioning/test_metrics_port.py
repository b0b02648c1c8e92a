"""A port for Prometheus that somebody else has costs the metrics, and no work."""

import socket
import urllib.request
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from structlog.testing import capture_logs

from provisioning.metrics_port import serve_metrics

HOST = "127.0.0.1"


class OneGauge(Collector):
    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("offhook_example", "One", value=1)


def test_what_the_collector_says_is_served() -> None:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    serve_metrics(OneGauge(), HOST, port)
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=5) as answer:
        assert b"offhook_example 1.0" in answer.read()


def test_a_taken_port_is_said_and_nothing_is_raised() -> None:
    with socket.socket() as taken, capture_logs() as said:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        serve_metrics(OneGauge(), HOST, port)
    problem = {"address": f"{HOST}:{port}", "problem": "Address already in use"}
    assert said == [{"event": "metrics_unserved", "log_level": "error", **problem}]
