"""Commands about the exchange as a whole: status, reload and live tables."""

from typing import Annotated, Any

import typer

from offhook.commands.options import DataOption, JsonOption, data_dir, warn
from offhook.control_client import ask
from offhook.exit_codes import CommandError, ExitCode
from offhook.live_view import (
    CALL_FIELDS,
    MESSAGE_FIELDS,
    QUEUE_FIELDS,
    REGISTRATION_FIELDS,
    REMINDER_FIELDS,
    STREAM_FIELDS,
    SUBSCRIPTION_FIELDS,
    fact_rows,
    table_of,
)
from offhook.output import print_facts, print_json, print_line, print_table
from provisioning.printable import shorten

calls_app = typer.Typer(help="Live calls, with their cost so far.", invoke_without_command=True)


def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show how the running exchange is."""
    result = ask(data_dir(data), "status")
    if as_json:
        print_json(result)
    else:
        print_facts(fact_rows(result))


def reload(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Take over changed configuration files now. Invalid ones are refused, and the old ones stay in force."""
    result = ask(data_dir(data), "reload")
    is_loaded = bool(result.get("loaded"))
    if as_json:
        print_json(result)
    elif is_loaded:
        for warning in result.get("warnings", []):
            warn(warning)
        print_line("The configuration is in force.")
        if needing := result.get("needs_restart"):
            print_line(f"These take effect at the next start: {', '.join(needing)}.")
    if not is_loaded:
        problems = "\n".join(result.get("problems", []))
        text = f"the configuration is not valid, and the old one stays in force:\n{problems}"
        raise CommandError(text, ExitCode.INVALID)


@calls_app.callback()
def calls(context: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List live calls, with their cost so far."""
    if context.invoked_subcommand is not None:
        return
    result = _rows(ask(data_dir(data), "calls"))
    if as_json:
        print_json(result)
        return
    heads, rows = table_of(CALL_FIELDS, result)
    print_table(heads, rows, empty="No call is up.")


@calls_app.command()
def end(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="The call's id, as `offhook calls` shows it.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hang up a call on both sides; it is charged up to now."""
    result = ask(data_dir(data), "end_call", call_id=call_id)
    if as_json:
        print_json(result)
    else:
        print_line("The call is ended.")


def registrations(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List what is registered, and where."""
    result = _rows(ask(data_dir(data), "registrations"))
    if as_json:
        print_json(result)
        return
    heads, rows = table_of(REGISTRATION_FIELDS, result)
    print_table(heads, rows, empty="Nothing is registered.")


def subscriptions(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List what phones watch: colleagues, mailboxes, their own registration."""
    result = _rows(ask(data_dir(data), "subscriptions"))
    if as_json:
        print_json(result)
        return
    heads, rows = table_of(SUBSCRIPTION_FIELDS, result)
    print_table(heads, rows, empty="Nothing is watched.")


def messages(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the lines that messages wait for, and how many; never what they say."""
    result = _rows(ask(data_dir(data), "messages"))
    if as_json:
        print_json(result)
        return
    heads, rows = table_of(MESSAGE_FIELDS, result)
    print_table(heads, rows, empty="No message waits.")


def reminders(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the reminder calls that lines have asked for (*55*)."""
    result = _rows(ask(data_dir(data), "reminders"))
    if as_json:
        print_json(result)
        return
    heads, rows = table_of(REMINDER_FIELDS, result)
    print_table(heads, rows, empty="No reminder is set.")


def relay(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the live streams of sound: what each end of a call sends, how well, and what was dropped."""
    result = _rows(ask(data_dir(data), "relay"))
    if as_json:
        print_json(result)
        return
    heads, rows = table_of(STREAM_FIELDS, result)
    print_table(heads, rows, empty="No sound goes through the relay.")


def dial(
    line: Annotated[str, typer.Argument(help="The line that is rung first, and pays.")],
    number: Annotated[str, typer.Argument(help="What it would dial.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ring a line and then call a number for it (click to dial)."""
    rung = ask(data_dir(data), "call", user=line, name=number)
    if as_json:
        print_json({"line": rung})
    else:
        print_line(f"Line {shorten(str(rung))} is being rung.")


def queues(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the queues of plans: who waits, how long, and what became of those who waited."""
    result = _rows(ask(data_dir(data), "queues"))
    if as_json:
        print_json(result)
        return
    heads, rows = table_of(QUEUE_FIELDS, result)
    print_table(heads, rows, empty="No call has come to a queue.")


def _rows(result: Any) -> list[dict[str, Any]]:
    return [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []
