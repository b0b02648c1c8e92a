"""The portal process: `python -m portal --data DIR --conf DIR --dsn DSN`. Wiring only.

It reads portal.toml itself. The password of the DSN comes by PGPASSWORD.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import structlog
import uvloop

from portal.conf import load_portal
from portal.process import PortalProcess
from provisioning.logs import configure_logs
from switch.conf_files import ConfProblems

EXIT_REFUSED = 1
EXIT_INVALID = 2

log = structlog.get_logger("portal")


def main() -> int:
    arguments = _parse_arguments()
    configure_logs()
    os.umask(0o077)
    try:
        conf = load_portal(arguments.conf)
    except ConfProblems as problems:
        log.error("portal_conf_invalid", problems=[str(problem) for problem in problems.problems])
        return EXIT_INVALID
    process = PortalProcess(dsn=arguments.dsn, conf_dir=arguments.conf, data_dir=arguments.data, conf=conf)
    try:
        uvloop.run(_serve(process))
    except OSError as problem:
        log.error("portal_cannot_listen", problem=str(problem))
        return EXIT_REFUSED
    return 0


async def _serve(process: PortalProcess) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await process.run(stop)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m portal", description="Web pages for staff.")
    parser.add_argument("--data", type=Path, required=True, help="the exchange's data directory")
    parser.add_argument("--conf", type=Path, required=True, help="the operator's configuration directory")
    parser.add_argument("--dsn", required=True, help="PostgreSQL")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
