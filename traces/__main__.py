"""The process for traces: `python -m traces --socket PATH --folder PATH`. Wiring only; the switch tells the rest."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import structlog
import uvloop

from provisioning.logs import configure_logs
from traces.process import TracesProcess
from traces.store import TraceStore

EXIT_REFUSED = 1

log = structlog.get_logger("traces")


def main() -> int:
    arguments = _parse_arguments()
    configure_logs()
    os.umask(0o077)
    try:
        uvloop.run(_run(arguments))
    except OSError as problem:
        log.error("traces_cannot_be_served", problem=str(problem))
        return EXIT_REFUSED
    return 0


async def _run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await TracesProcess(TraceStore(arguments.folder)).serve(arguments.socket, stop)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m traces", description="Stores the traces of calls")
    parser.add_argument("--socket", required=True, type=Path, help="Unix socket that the switch connects to")
    parser.add_argument("--folder", required=True, type=Path, help="where the files of traces are")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
