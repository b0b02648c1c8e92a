"""The command `offhook`: puts its commands together and turns a failure into one line and an exit code.

Wiring only.
"""

import sys

import typer

from offhook.commands import (
    account,
    alarms,
    bans,
    cdr,
    divert,
    exchange,
    line,
    number,
    plan,
    prompt,
    quarantine,
    route,
    trace,
    up,
    voicemail,
)
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import print_error

app = typer.Typer(
    name="offhook",
    help="A SIP softswitch: phones register and call, and every call is charged exactly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up.up)
exchange.add_to(app)
app.add_typer(account.app, name="account")
app.add_typer(line.app, name="line")
app.add_typer(number.app, name="number")
app.add_typer(plan.app, name="plan")
app.add_typer(route.app, name="route")
app.add_typer(divert.app, name="divert")
app.add_typer(cdr.app, name="cdr")
app.add_typer(voicemail.app, name="voicemail")
app.add_typer(prompt.app, name="prompt")
app.add_typer(bans.app, name="bans")
app.add_typer(alarms.app, name="alarms")
app.add_typer(trace.app, name="trace")
app.add_typer(quarantine.app, name="quarantine")


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
