"""The edge process: `python -m switch.edge --socket PATH --tcp HOST:PORT ...`. Wiring only.

It holds the TCP connections, so that they outlive a restart of the switch, and so that a slow or hostile
stream never delays a call. The switch connects to its Unix socket.
"""

import argparse
import asyncio
import contextlib
import os
import resource
import secrets
import signal
import socket
import sys
from pathlib import Path

import structlog
import uvloop

from provisioning.logs import configure_logs
from switch.edge.edge import Edge
from switch.edge.limits import LISTEN_BACKLOG, EdgeLimits
from switch.edge.socket_path import short_socket_path

EPOCH_BYTES = 4
EXIT_REFUSED = 1

log = structlog.get_logger("switch.edge")


def main() -> int:
    arguments = _parse_arguments()
    configure_logs()
    os.umask(0o077)
    _raise_descriptor_limit()
    limits = EdgeLimits(
        connections_max=arguments.connections_max,
        connections_per_source_max=arguments.connections_per_source_max,
    )
    try:
        uvloop.run(_serve(Path(arguments.socket), arguments.tcp, limits))
    except OSError as problem:
        log.error("edge_cannot_listen", problem=str(problem))
        return EXIT_REFUSED
    return 0


def _parse_arguments() -> argparse.Namespace:
    defaults = EdgeLimits()
    parser = argparse.ArgumentParser(prog="python -m switch.edge", description="The switch's TCP connections")
    parser.add_argument("--socket", required=True, help="Unix socket that the switch connects to")
    parser.add_argument("--tcp", action="append", default=[], type=_address, metavar="HOST:PORT")
    parser.add_argument("--connections-max", type=int, default=defaults.connections_max)
    parser.add_argument("--connections-per-source-max", type=int, default=defaults.connections_per_source_max)
    return parser.parse_args()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}: expected HOST:PORT")
    return host, int(port)


def _raise_descriptor_limit() -> None:
    """Each connection is a descriptor; the usual soft limit of 1,024 is for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(socket_path: Path, addresses: list[tuple[str, int]], limits: EdgeLimits) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    edge = Edge(limits, epoch=secrets.token_hex(EPOCH_BYTES), loop=loop)
    servers: list[asyncio.AbstractServer] = []
    with _bind_unix(socket_path) as listener:
        servers.append(await loop.create_unix_server(edge.link.protocol, sock=listener))
        for host, port in addresses:
            servers.append(await loop.create_server(edge.inbound, host, port, backlog=LISTEN_BACKLOG))
            log.info("edge_listening", tcp=f"{host}:{port}")
        await stop.wait()
        for server in servers:
            server.close()
        await edge.close()
    socket_path.unlink(missing_ok=True)


def _bind_unix(path: Path) -> socket.socket:
    """Takes the place of a dead edge's socket; refuses when a living one answers on it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_socket_path(path) as short:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(short)
            except (FileNotFoundError, ConnectionRefusedError):
                path.unlink(missing_ok=True)
            else:
                raise OSError(f"another edge is running on {path}")
        listener.bind(short)
    return listener


if __name__ == "__main__":
    sys.exit(main())
