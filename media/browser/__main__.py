"""The browsers' process: `python -m media.browser --socket PATH --listen ADDRESS... --ports FIRST-LAST`. Wiring only.

It joins the sound of browsers (ICE, DTLS-SRTP) to plain RTP for the relay. The switch connects to its Unix socket.
"""

import argparse
import asyncio
import ipaddress
import os
import secrets
import signal
import sys
from pathlib import Path

import structlog
import uvloop

from media.browser.process import BrowserProcess
from media.relay.port_pool import ports_of
from provisioning.descriptor_limit import raise_descriptor_limit
from provisioning.logs import configure_logs

EPOCH_BYTES = 4
EXIT_REFUSED = 1
INNER_HOST = "127.0.0.1"

log = structlog.get_logger("media.browser")


def main() -> int:
    arguments = _parse_arguments()
    configure_logs()
    os.umask(0o077)
    raise_descriptor_limit()
    try:
        uvloop.run(_run(arguments))
    except OSError as problem:
        log.error("browsers_cannot_be_served", problem=str(problem))
        return EXIT_REFUSED
    return 0


async def _run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    first, last = arguments.ports
    process = BrowserProcess(
        epoch=secrets.token_hex(EPOCH_BYTES),
        listen=arguments.listen,
        ports=range(first, last + 1),
        inner_host=INNER_HOST,
    )
    await process.serve(arguments.socket, stop)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m media.browser", description="The sound of browsers")
    parser.add_argument("--socket", required=True, type=Path, help="Unix socket that the switch connects to")
    parser.add_argument(
        "--listen", required=True, nargs="+", type=_address, help="addresses that browsers reach"
    )
    parser.add_argument("--ports", required=True, type=ports_of, help='UDP ports, like "30000-30999"')
    return parser.parse_args()


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


if __name__ == "__main__":
    sys.exit(main())
