"""The billing process without a database: what it does when something on this machine is taken."""

import errno
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from billing import process as billing_process
from billing.process import BillingProcess, load
from offhook.supervisor.conf_home import packaged_conf
from switch.conf_values import Address


def test_a_taken_port_for_metrics_costs_the_metrics_and_no_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def taken(*_arguments: object) -> None:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    monkeypatch.setattr(billing_process, "start_http_server", taken)
    process = BillingProcess(
        dsn="", conf_dir=tmp_path, control_socket=tmp_path / "control.sock", loaded=load(packaged_conf())
    )
    with capture_logs() as said:
        process._serve_metrics(Address("127.0.0.1", 9466))
    assert said == [
        {
            "event": "billing_metrics_unserved",
            "log_level": "error",
            "address": "127.0.0.1:9466",
            "problem": "Address already in use",
        }
    ]
