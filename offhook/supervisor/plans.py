"""The command line, environment and manners of stopping of each part of an exchange. Pure."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from offhook.database import without_password
from offhook.paths import DataDir
from offhook.postgres.embedded import EmbeddedPostgres
from offhook.supervisor.part import PartPlan
from switch.conf_media import Media
from switch.conf_values import WILDCARDS, Address
from switch.sip.host import is_loopback, is_same_family

# Everything an exchange writes is its own: journals, sockets, the copied configuration with its secrets.
PRIVATE_UMASK = 0o077

# The switch ends its calls and ships their records; with PostgreSQL gone it gives up shipping before this.
SWITCH_STOP_S = 60.0
EDGE_STOP_S = 5.0
RELAY_STOP_S = 5.0
BROWSER_STOP_S = 5.0
# What the switch has just given is written first.
TRACES_STOP_S = 10.0
# What is being recorded is ended and made safe.
VOICEMAIL_STOP_S = 10.0
# What it is doing is undone by its transaction, or done again at the next start.
BILLING_STOP_S = 15.0
# Pages that are being made are made.
PORTAL_STOP_S = 10.0
# A fast shutdown writes out what is in memory; past this an immediate one is as safe and recovers at the next
# start.
POSTGRES_STOP_S = 60.0


def postgres_plan(embedded: EmbeddedPostgres) -> PartPlan:
    user = embedded.user
    return PartPlan(
        name="postgres",
        command=embedded.command(),
        environment=embedded.environment(),
        directory="/",
        stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
        stop_wait_s=POSTGRES_STOP_S,
        last_resort_signal=signal.SIGQUIT,  # immediate shutdown: recovers at the next start
        uid=user.uid if user.is_other else None,
        gid=user.gid if user.is_other else None,
        logs_stderr=True,
        before_start=embedded.open_passages,
    )


def edge_plan(data: DataDir, conf_dir: Path) -> PartPlan:
    command = [*_python("switch.edge"), "--socket", str(data.edge_socket), "--conf", str(conf_dir)]
    return PartPlan(
        name="edge",
        command=command,
        environment=_environment(),
        directory=str(data.root),
        stop_wait_s=EDGE_STOP_S,
    )


def relay_plan(data: DataDir, conf_dir: Path, media: Media, *, voicemail: Address | None) -> PartPlan:
    """Voicemail on a loopback address is reached from one only."""
    listen = [*media.listen]
    if voicemail is not None and is_loopback(voicemail.host) and not _hears_at(listen, voicemail.host):
        listen.append(voicemail.host)
    command = [*_python("media.relay"), "--socket", str(data.relay_socket)]
    command += ["--listen", *listen, "--ports", str(media.ports)]
    if media.hold_music_file:
        command += ["--hold-music", str(conf_dir / media.hold_music_file)]
    return PartPlan(
        name="relay",
        command=command,
        environment=_environment(),
        directory=str(data.root),
        stop_wait_s=RELAY_STOP_S,
    )


def browser_plan(data: DataDir, media: Media) -> PartPlan:
    """It needs no address for telephones: the relay meets it on the loopback address."""
    command = [*_python("media.browser"), "--socket", str(data.browser_socket)]
    command += ["--listen", *media.listen, "--ports", str(media.browser_ports)]
    return PartPlan(
        name="browser",
        command=command,
        environment=_environment(),
        directory=str(data.root),
        stop_wait_s=BROWSER_STOP_S,
    )


def traces_plan(data: DataDir) -> PartPlan:
    """It has its settings from the switch: among them is a password, and a command line is public."""
    return PartPlan(
        name="traces",
        command=[*_python("traces"), "--socket", str(data.traces_socket), "--folder", str(data.traces)],
        environment=_environment(),
        directory=str(data.root),
        stop_wait_s=TRACES_STOP_S,
    )


def switch_plan(data: DataDir, *, conf_dir: Path, dsn: str) -> PartPlan:
    sockets = ["--edge-socket", str(data.edge_socket), "--relay-socket", str(data.relay_socket)]
    sockets += ["--browser-socket", str(data.browser_socket), "--traces-socket", str(data.traces_socket)]
    return _on_books("switch", SWITCH_STOP_S, sockets, data=data, conf_dir=conf_dir, dsn=dsn)


def billing_plan(data: DataDir, *, conf_dir: Path, dsn: str) -> PartPlan:
    return _on_books("billing", BILLING_STOP_S, data=data, conf_dir=conf_dir, dsn=dsn)


def portal_plan(data: DataDir, *, conf_dir: Path, dsn: str) -> PartPlan:
    return _on_books("portal", PORTAL_STOP_S, data=data, conf_dir=conf_dir, dsn=dsn)


def _on_books(
    name: str, stop_wait_s: float, more: Sequence[str] = (), *, data: DataDir, conf_dir: Path, dsn: str
) -> PartPlan:
    """A part that speaks with PostgreSQL. The password goes by the environment, which only this user can read; a
    command line is public.
    """
    public_dsn, password = without_password(dsn)
    environment = _environment()
    if password:
        environment["PGPASSWORD"] = password
    command = [*_python(name), "--data", str(data.root), "--conf", str(conf_dir), "--dsn", public_dsn, *more]
    return PartPlan(
        name=name,
        command=command,
        environment=environment,
        directory=str(data.root),
        stop_wait_s=stop_wait_s,
    )


def _hears_at(listen: list[str], host: str) -> bool:
    return host in listen or any(each in WILDCARDS and is_same_family(each, host) for each in listen)


def voicemail_plan(data: DataDir, *, conf_dir: Path, switches: list[Address]) -> PartPlan:
    """`switches` are the addresses that the switch calls it from; it serves no others."""
    command = [*_python("voicemail"), "--data", str(data.root), "--conf", str(conf_dir)]
    for address in switches:
        command += ["--switch", str(address)]
    return PartPlan(
        name="voicemail",
        command=command,
        environment=_environment(),
        directory=str(data.root),
        stop_wait_s=VOICEMAIL_STOP_S,
    )


def _python(module: str) -> list[str]:
    """-P: a directory named `switch` where the operator happens to stand must not be imported instead."""
    return [sys.executable, "-P", "-m", module]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}
