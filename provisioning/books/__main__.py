"""The books process: PostgreSQL on one side, the switch that started it on the other. Wiring only.

It ends by the end of its stream (the switch is gone) or by Stop, not by the signals of a terminal or a
supervisor, which reach the whole group: at a stop the switch still has calls to settle and records to ship. A
password for PostgreSQL comes in the environment (PGPASSWORD) or in .pgpass, never on the command line that
everybody can read.
"""

import argparse
import os
import signal
from pathlib import Path

import uvloop

from provisioning.books.channel import Channel
from provisioning.books.keeper import Keeper
from provisioning.books.outbox import Outbox
from provisioning.logs import configure_logs
from provisioning.registration_row import HISTORY_DAYS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="provisioning.books", description="The books' process; the switch starts it."
    )
    parser.add_argument("--fd", type=int, required=True, help="the socket to the switch")
    parser.add_argument("--dsn", required=True, help="PostgreSQL, as a URL")
    parser.add_argument("--journal", type=Path, required=True, help="the journal's SQLite file")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="the books' copy for a start without PostgreSQL"
    )
    parser.add_argument(
        "--history-days", type=int, default=HISTORY_DAYS, help="how long registrations' history is kept"
    )
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)  # the checkpoint holds what logs phones in
    configure_logs()
    uvloop.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    channel = await Channel.open(arguments.fd)
    outbox = Outbox(arguments.journal)
    try:
        await Keeper(
            arguments.dsn,
            outbox=outbox,
            checkpoint=arguments.checkpoint,
            channel=channel,
            history_days=arguments.history_days,
        ).run()
    finally:
        outbox.close()
        await channel.close()


if __name__ == "__main__":
    main()
