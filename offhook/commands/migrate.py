"""`offhook migrate`: the schema by itself, where the parts run split up. `offhook up` does it at every start."""

import asyncio

from offhook.commands.options import DataOption, DsnOption, data_dir
from offhook.database import find_dsn
from offhook.output import print_line
from provisioning.logs import configure_logs


def migrate(data: DataOption = None, dsn: DsnOption = "") -> None:
    """Bring the database's schema up to date; `up` does it by itself. Waits until the database is there."""
    # Only here: the migration library and its driver would double the time of every other command.
    from offhook.supervisor.schema import prepare_schema  # noqa: PLC0415

    configure_logs()
    asyncio.run(prepare_schema(find_dsn(data_dir(data), given=dsn)))
    print_line("The schema is up to date.")
