"""The edge process: `python -m switch.edge --socket PATH --conf DIRECTORY`. Wiring only.

It holds the connections of TCP, TLS and WebSocket, so that they outlive a restart of the switch, and so that a slow or
hostile stream never delays a call. The switch connects to its Unix socket. What it listens on, and with which
certificates, it reads itself from offhook.toml.
"""

import argparse
import asyncio
import os
import secrets
import signal
import socket
import sys
from functools import partial
from pathlib import Path

import structlog
import uvloop

from provisioning.descriptor_limit import raise_descriptor_limit
from provisioning.logs import configure_logs
from provisioning.socket_path import listen_at
from switch.conf_edge import EdgeConf, load_edge_conf
from switch.conf_files import ConfProblems
from switch.conf_values import Address
from switch.edge.edge import Edge
from switch.edge.limits import LISTEN_BACKLOG, EdgeLimits
from switch.edge.live_conf import LiveConf
from switch.sip.flow import TCP, TLS, WS, WSS

EPOCH_BYTES = 4
EXIT_REFUSED = 1
EXIT_INVALID = 2

log = structlog.get_logger("switch.edge")


def main() -> int:
    arguments = _parse_arguments()
    configure_logs()
    os.umask(0o077)
    raise_descriptor_limit()
    try:
        conf = load_edge_conf(arguments.conf)
        uvloop.run(_serve(arguments.socket, arguments.conf, conf))
    except ConfProblems as problems:
        log.error("edge_conf_invalid", problems=[str(problem) for problem in problems.problems])
        return EXIT_INVALID
    except OSError as problem:
        log.error("edge_cannot_listen", problem=str(problem))
        return EXIT_REFUSED
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m switch.edge", description="The switch's connections")
    parser.add_argument("--socket", required=True, type=Path, help="Unix socket that the switch connects to")
    parser.add_argument("--conf", required=True, type=Path, help="directory of offhook.toml")
    return parser.parse_args()


async def _serve(socket_path: Path, folder: Path, conf: EdgeConf) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    limits = EdgeLimits(
        connections_max=conf.listen.connections_max,
        connections_per_source_max=conf.listen.connections_per_source_max,
    )
    edge = Edge(limits, epoch=secrets.token_hex(EPOCH_BYTES), loop=loop)
    live_conf = LiveConf(folder, conf, edge)
    await live_conf.load()
    servers: list[asyncio.AbstractServer] = []
    with listen_at(socket_path, "edge") as listener:
        servers.append(await loop.create_unix_server(edge.link.protocol, sock=listener))
        for transport, address in _listeners(conf):
            factory = partial(edge.inbound, transport)
            servers.append(await loop.create_server(factory, sock=_bind_tcp(address), backlog=LISTEN_BACKLOG))
            log.info("edge_listening", transport=transport, address=str(address))
        watching = loop.create_task(live_conf.watch(), name="live conf")
        await stop.wait()
        watching.cancel()
        for server in servers:
            server.close()
        await edge.close()
    socket_path.unlink(missing_ok=True)


def _listeners(conf: EdgeConf) -> list[tuple[str, Address]]:
    listen = conf.listen
    streams = ((TCP, listen.tcp), (TLS, listen.tls), (WS, listen.ws), (WSS, listen.wss))
    return [(transport, address) for transport, addresses in streams for address in addresses]


def _bind_tcp(address: Address) -> socket.socket:
    """IPv4 or IPv6 alone: a peer's address has one spelling. Raises OSError."""
    is_ipv6 = ":" in address.host
    listener = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_ipv6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.host, address.port))
    except OSError as error:
        listener.close()
        raise OSError(f"{address}: {error.strerror or error}") from None
    return listener


if __name__ == "__main__":
    sys.exit(main())
