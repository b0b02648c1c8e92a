"""The port that Prometheus reads a process at."""

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.registry import Collector

log = structlog.get_logger("metrics")


def serve_metrics(collector: Collector, host: str, port: int) -> None:
    """From a thread of its own. An address that somebody else has costs the metrics and nothing else: it is logged,
    and Prometheus says that they are missing."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    try:
        start_http_server(port, host, registry)
    except OSError as problem:
        log.error("metrics_unserved", address=f"{host}:{port}", problem=problem.strerror or str(problem))
