"""`offhook alarms ...`: what looked like fraud or came near a cap, and lifting the bar that was set for it."""

from typing import Annotated, Any

import typer

from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir, whole_number
from offhook.control_client import ask
from offhook.database import find_dsn, run_on_books
from offhook.moments import format_moment
from offhook.output import columns, print_json, print_line, print_table
from provisioning.alarms import LIMIT_MAX, AlarmView, list_alarms
from provisioning.printable import shorten

app = typer.Typer(help="What looked like fraud, or came near a spending cap.", no_args_is_help=True)

LIMIT_DEFAULT = 50


@app.command("list")
def list_(
    account: Annotated[
        str, typer.Argument(metavar="[ACCOUNT]", help="Those of one account (default: of all).")
    ] = "",
    limit: Annotated[
        int,
        typer.Option(
            "--limit", parser=whole_number(least=1, most=LIMIT_MAX), metavar="NUMBER", help="At most so many."
        ),
    ] = LIMIT_DEFAULT,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List them, the latest first."""
    found = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: list_alarms(db, limit, account))
    if as_json:
        print_json(found)
        return
    heads = columns("time", "account", "rule", "barred until", "what")
    print_table(heads, [_row(alarm) for alarm in found], empty="There was no alarm.")


@app.command()
def bars(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the accounts that are barred automatically now. It asks the running exchange."""
    result: Any = ask(data_dir(data), "fraud_bars")
    rows = [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []
    if as_json:
        print_json(rows)
        return
    shown = [
        [
            str(row["account"]),
            str(row["rule"]),
            format_moment(row["since_ms"]),
            format_moment(row["until_ms"]),
        ]
        for row in rows
    ]
    print_table(
        columns("account", "rule", "since", "until"), shown, empty="No account is barred automatically."
    )


@app.command()
def clear(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lift the automatic bar of an account. What was counted against it is forgotten, too."""
    was_barred: Any = ask(data_dir(data), "clear_alarms", name=account)
    if as_json:
        print_json({"lifted": was_barred})
    elif was_barred:
        print_line(f"{shorten(account)} may call abroad and high-cost destinations again.")
    else:
        print_line(f"{shorten(account)} was not barred; what was counted is forgotten.")


def _row(alarm: AlarmView) -> list[str]:
    until = "" if alarm.bar_until_ms is None else format_moment(alarm.bar_until_ms)
    account = alarm.account or (f"number {alarm.account_id}" if alarm.account_id else "the exchange")
    return [format_moment(alarm.at_ms), account, alarm.rule, until, alarm.words]
