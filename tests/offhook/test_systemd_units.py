"""The systemd units: what they start exists, and what they promise is written down."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from offhook.supervisor.plans import (
    BILLING_STOP_S,
    BROWSER_STOP_S,
    EDGE_STOP_S,
    PORTAL_STOP_S,
    POSTGRES_STOP_S,
    RELAY_STOP_S,
    SWITCH_STOP_S,
    VOICEMAIL_STOP_S,
)

UNITS = sorted((Path(__file__).parents[2] / "systemd").glob("*.service"))
UNPRIVILEGED = (
    "offhook-billing.service",
    "offhook-browser.service",
    "offhook-portal.service",
    "offhook-relay.service",
    "offhook-voicemail.service",
)
HARDENING = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "UMask=0077",
)


def test_there_is_a_unit_for_everything_and_for_each_part() -> None:
    assert [unit.name for unit in UNITS] == [
        "offhook-billing.service",
        "offhook-browser.service",
        "offhook-edge.service",
        "offhook-portal.service",
        "offhook-relay.service",
        "offhook-switch.service",
        "offhook-voicemail.service",
        "offhook.service",
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_hardened_and_runs_as_its_own_user(unit: Path) -> None:
    lines = unit.read_text().split("\n")
    assert "User=offhook" in lines
    assert not [promise for promise in HARDENING if promise not in lines]
    capability = "" if unit.name in UNPRIVILEGED else "CAP_NET_BIND_SERVICE"
    assert f"AmbientCapabilities={capability}" in lines
    assert f"CapabilityBoundingSet={capability}" in lines


def test_the_supervisor_gets_longer_to_stop_than_its_parts_together() -> None:
    unit = next(unit for unit in UNITS if unit.name == "offhook.service").read_text()
    (allowed,) = re.findall(r"TimeoutStopSec=(\d+)", unit)
    beside = (VOICEMAIL_STOP_S, BILLING_STOP_S, PORTAL_STOP_S, EDGE_STOP_S, RELAY_STOP_S, BROWSER_STOP_S)
    assert int(allowed) > SWITCH_STOP_S + POSTGRES_STOP_S + sum(beside)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_no_fault(unit: Path, tmp_path: Path) -> None:
    checked = tmp_path / unit.name
    checked.write_text(re.sub(r"/opt/offhook/bin/\w+", "/bin/true", unit.read_text()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(checked)], capture_output=True, text=True, check=False
    )
    assert unit.name not in done.stderr
