"""`offhook call ...`: what became of a call, and making one. Each command has a file of its own (lazy_commands.py)."""

import typer

from offhook.lazy_commands import LazyCallCommands

app = typer.Typer(
    cls=LazyCallCommands, help="Calls: find one, see what happened, dial one.", no_args_is_help=True
)


@app.callback()
def call() -> None:
    """Nothing of its own: the commands are in LazyCallCommands."""
