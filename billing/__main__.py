"""The billing process: `python -m billing --data DIR --conf DIR --dsn DSN`. Wiring only.

It reads billing.toml and billing_secrets.toml itself. The password of the DSN comes by PGPASSWORD.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import structlog
import uvloop

from billing.conf import NoBillingFile
from billing.process import BillingProcess, Loaded, load
from provisioning.logs import configure_logs
from switch.conf_files import ConfProblems

EXIT_REFUSED = 1
EXIT_INVALID = 2

log = structlog.get_logger("billing")


def main() -> int:
    arguments = _parse_arguments()
    configure_logs()
    os.umask(0o077)
    try:
        loaded = load(arguments.conf)
    except ConfProblems as problems:
        log.error("billing_conf_invalid", problems=[str(problem) for problem in problems.problems])
        return EXIT_INVALID
    except NoBillingFile as problem:
        log.error("billing_conf_missing", problem=str(problem))
        return EXIT_INVALID
    try:
        uvloop.run(_serve(arguments, loaded))
    except OSError as problem:
        log.error("billing_cannot_listen", problem=str(problem))
        return EXIT_REFUSED
    return 0


async def _serve(arguments: argparse.Namespace, loaded: Loaded) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    control_socket = arguments.data / "control.sock"
    process = BillingProcess(
        dsn=arguments.dsn, conf_dir=arguments.conf, control_socket=control_socket, loaded=loaded
    )
    await process.run(stop)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m billing", description="Payments, mails and daily work.")
    parser.add_argument("--data", type=Path, required=True, help="the exchange's data directory")
    parser.add_argument("--conf", type=Path, required=True, help="the operator's configuration directory")
    parser.add_argument("--dsn", required=True, help="PostgreSQL")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
