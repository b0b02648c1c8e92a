"""A port for Prometheus that somebody else has costs the metrics, and no page."""

import errno
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from portal import process as portal_process
from portal.conf import PortalConf
from portal.process import PortalProcess
from switch.conf_values import Address


def test_a_taken_port_for_metrics_costs_no_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def taken(*_arguments: object) -> None:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    monkeypatch.setattr(portal_process, "start_http_server", taken)
    process = PortalProcess(dsn="", conf_dir=tmp_path, data_dir=tmp_path, conf=PortalConf())
    with capture_logs() as said:
        process._serve_metrics(Address("127.0.0.1", 9467))
    assert said == [
        {
            "event": "portal_metrics_unserved",
            "log_level": "error",
            "address": "127.0.0.1:9467",
            "problem": "Address already in use",
        }
    ]
