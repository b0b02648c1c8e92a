"""The command `offhook`: puts its commands together and turns a failure into one line and an exit code.

Wiring only.
"""

import sys

import typer

from offhook.exit_codes import CommandError, ExitCode
from offhook.lazy_commands import LazyCommands
from offhook.output import print_error

app = typer.Typer(
    name="offhook",
    cls=LazyCommands,
    help="A SIP softswitch: phones register and call, and every call is charged exactly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def offhook() -> None:
    """Nothing of its own: the commands are in LazyCommands."""


def main() -> None:
    """Exit codes: 0 done, 1 refused, 2 wrong usage or configuration, 3 exchange or database out of reach."""
    try:
        app()
    except CommandError as failure:
        sys.stdout.flush()
        print_error(f"offhook: {failure}")
        sys.exit(failure.code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.REFUSED)


if __name__ == "__main__":
    main()
