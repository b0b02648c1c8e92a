"""`offhook call keep ID`: the trace of a call without a fault is stored all the same."""

from typing import Annotated

import typer

from offhook.commands.options import DataOption, data_dir
from offhook.control_client import ask
from offhook.output import print_line
from provisioning.printable import shorten


def keep(
    call_id: Annotated[str, typer.Argument(metavar="CALL", help="As `offhook calls` or a record shows it.")],
    data: DataOption = None,
) -> None:
    """Keep the trace of a call that is up or has ended lately."""
    ask(data_dir(data), "keep_trace", call_id=call_id)
    print_line(f"the trace of call {shorten(call_id)} is kept")
