"""`python -m switch`: run one switch until SIGTERM. Usually started by `offhook up`."""

import argparse
import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

import structlog
import uvloop

from provisioning.logs import configure_logs
from rating.journal.link import JournalRefusedError
from switch.config import ConfProblems, load_conf
from switch.huge_pages import start_advising
from switch.paths import SwitchPaths
from switch.price_files import PriceFiles
from switch.process import SwitchProcess

EXIT_INVALID = 2
EXIT_UNREACHABLE = 3
COLLECT_AFTER = 500_000  # container objects made and not freed since the last look

log = structlog.get_logger("switch")


def main() -> int:
    arguments = _parse_arguments()
    configure_logs()
    os.umask(0o077)
    try:
        conf = load_conf(arguments.conf, PriceFiles(arguments.data / "prices", packs=True))
    except ConfProblems as problems:
        for problem in problems.problems:
            sys.stderr.write(f"{problem}\n")
        return EXIT_INVALID
    paths = SwitchPaths(
        arguments.data,
        arguments.conf,
        arguments.edge_socket,
        arguments.relay_socket,
        arguments.browser_socket,
        arguments.traces_socket,
    )
    start_advising()
    try:
        uvloop.run(_run(SwitchProcess(paths, conf, arguments.dsn)))
    except JournalRefusedError as refusal:
        sys.stderr.write(f"switch: {refusal}\n")
        return EXIT_UNREACHABLE
    except OSError as problem:
        sys.stderr.write(f"switch: {problem}\n")
        return EXIT_UNREACHABLE
    return 0


async def _run(process: SwitchProcess) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    start = asyncio.create_task(process.start(), name="start")
    stop = asyncio.create_task(stopping.wait(), name="stop")
    await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
    if not start.done():
        start.cancel()
    elif not stopping.is_set():
        await start
        _spare_the_collector()
        await stop
    await process.stop()


def _spare_the_collector() -> None:
    """Calls are freed by reference counts; what few cycles there are can wait, and the books are never looked at.

    A call that is up has some hundred containers. With a look after each 100,000, a thousand calls more cost one, which
    held the loop for 60 to 120 ms and was 4 % of all CPU time; so many as here are seldom made and not freed. Without
    the freeze each full collection would walk every line of the books.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m switch", description="One SIP switch of Offhook.")
    parser.add_argument("--data", type=Path, required=True, help="the exchange's data directory")
    parser.add_argument("--conf", type=Path, required=True, help="the operator's configuration directory")
    parser.add_argument("--dsn", default="", help="PostgreSQL, for the books process")
    parser.add_argument(
        "--edge-socket", type=Path, default=None, help="the edge's Unix socket, if there is one"
    )
    parser.add_argument(
        "--relay-socket", type=Path, default=None, help="the relay's Unix socket, if there is one"
    )
    parser.add_argument(
        "--browser-socket", type=Path, default=None, help="the browsers' process's Unix socket, if there is one"
    )
    parser.add_argument(
        "--traces-socket", type=Path, default=None, help="the traces process's Unix socket, if there is one"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
