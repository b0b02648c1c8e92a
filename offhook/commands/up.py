"""`offhook up`: runs everything in the foreground until it is told to stop."""

import asyncio
import os

from offhook.commands.options import ConfOption, DataOption, DsnOption, data_dir, load_conf_or_fail, warn
from offhook.output import print_line
from offhook.supervisor.conf_home import conf_dir_for
from offhook.supervisor.lock import take_exchange_lock
from offhook.supervisor.plans import PRIVATE_UMASK
from provisioning.logs import configure_logs


def up(data: DataOption = None, conf: ConfOption = None, dsn: DsnOption = "") -> None:
    """Run the exchange: everything, in the foreground. SIGTERM or Ctrl-C ends it cleanly."""
    # Only here: the migration library and its driver would double the time of every other command.
    from offhook.supervisor.exchange import UpPlan, run_exchange  # noqa: PLC0415
    from offhook.supervisor.start_text import start_text  # noqa: PLC0415

    os.umask(PRIVATE_UMASK)
    configure_logs()
    place = data_dir(data)
    lock = take_exchange_lock(place)
    try:
        conf_dir = conf_dir_for(place, named=conf)
        loaded = load_conf_or_fail(conf_dir)
        for warning in loaded.warnings:
            warn(f"{conf_dir}/{warning}")
        plan = UpPlan(data=place, conf_dir=conf_dir, conf=loaded, dsn=dsn or str(loaded.database.dsn))
        asyncio.run(run_exchange(plan, on_ready=lambda: print_line(start_text(plan))))
    finally:
        lock.release()
