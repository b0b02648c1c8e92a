"""The command `offhook`: puts its commands together and turns a failure into one line and an exit code.

Wiring only.
"""

import sys
from typing import Annotated

import typer

from offhook.exit_codes import CommandError, ExitCode
from offhook.lazy_commands import HELP_COLUMNS_MAX, LazyCommands
from offhook.output import flush_output, print_error, print_line
from provisioning.printable import shorten

app = typer.Typer(
    name="offhook",
    cls=LazyCommands,
    help="A SIP softswitch: phones register and call, and every call is charged exactly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's tables cut the names of options short on a terminal of 80 columns
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_COLUMNS_MAX},
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version as version_of  # noqa: PLC0415 - a command costs what it imports

        print_line(f"offhook {version_of('offhook')}")
        raise typer.Exit


@app.callback()
def offhook(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show which release this is, and exit."
        ),
    ] = False,
) -> None:
    """Nothing else of its own: the commands are in LazyCommands."""


def main() -> None:
    """Exit codes: 0 done, 1 refused, 2 wrong usage or configuration, 3 exchange or database out of reach."""
    try:
        try:
            app()
        finally:
            flush_output()
    except CommandError as failure:
        print_error(f"offhook: {failure}")
        sys.exit(failure.code)
    except UnicodeEncodeError as problem:
        # An argument with bytes that are no UTF-8: nothing here has such a name.
        print_error(f"offhook: found '{shorten(problem.object)}', expected text in UTF-8")
        sys.exit(ExitCode.INVALID)
    except KeyboardInterrupt:
        sys.exit(ExitCode.REFUSED)


if __name__ == "__main__":
    main()
