"""The options of commands that look at customers' calls: who looks, and what for. Each look is on record."""

from typing import Annotated

import typer

StaffOption = Annotated[
    str,
    typer.Option(
        "--staff",
        envvar="OFFHOOK_STAFF",
        metavar="NAME",
        help="Who you are (default: this machine's user); it is kept with what you looked at.",
        show_default=False,
    ),
]
WhyOption = Annotated[
    str,
    typer.Option("--why", metavar="TEXT", help="What for, a fault's reference as a rule; it is kept, too."),
]
