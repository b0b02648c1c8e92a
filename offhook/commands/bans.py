"""Commands about sources that guess passwords: who is banned, and letting them in again."""

import re
from typing import Annotated, Any

import typer

from offhook.commands.options import DataOption, JsonOption, data_dir
from offhook.control_client import ask
from offhook.exit_codes import CommandError, ExitCode
from offhook.live_view import BAN_FIELDS, table_of
from offhook.output import print_json, print_line, print_table
from provisioning.printable import shorten

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_DURATION = re.compile(r"([0-9]{1,8})([smhd])")

app = typer.Typer(
    help="Sources that may not log in for a while, because they guessed.", invoke_without_command=True
)

AddressArgument = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="An IPv4 or IPv6 address, or a source as the list shows it.")
]


@app.callback()
def bans(context: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List them, with what they tried."""
    if context.invoked_subcommand is not None:
        return
    result = ask(data_dir(data), "bans")
    rows = [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []
    if as_json:
        print_json(rows)
        return
    heads, shown = table_of(BAN_FIELDS, rows)
    print_table(heads, shown, empty="Nobody is banned.")


@app.command()
def lift(
    address: Annotated[
        str, typer.Argument(metavar="[ADDRESS]", help="An address, or a source as the list shows it.")
    ] = "",
    is_all: Annotated[bool, typer.Option("--all", help="Every one.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a source in again, or all. What was counted against it is forgotten, too."""
    if bool(address) == is_all:
        raise CommandError("expected an address, or --all", ExitCode.INVALID)
    result: Any = ask(data_dir(data), "lift_ban", address=address)
    if as_json:
        print_json({"lifted": result})
    else:
        print_line("The ban is lifted." if result == 1 else f"{result} bans are lifted.")


@app.command()
def add(
    address: AddressArgument,
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="Like 30m, 12h or 7d.")] = "1h",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ban a source by hand. Phones that are registered from there go on; for more than that, use a firewall."""
    source = ask(data_dir(data), "ban", address=address, for_s=seconds_of(duration))
    if as_json:
        print_json({"source": source})
    else:
        print_line(f"{shorten(str(source))} is banned for {duration}.")


def seconds_of(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise CommandError(
            f"--for {shorten(text)!r}: expected a time such as 90s, 30m, 12h or 7d", ExitCode.INVALID
        )
    return int(match[1]) * UNIT_SECONDS[match[2]]
