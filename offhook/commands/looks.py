"""`offhook looks list`: who has looked at whose calls."""

from typing import Annotated

import asyncpg
import typer

from care.looks import LIMIT_MAX, Look, list_looks
from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir, whole_number
from offhook.database import find_dsn, run_on_books
from offhook.moments import format_moment
from offhook.output import columns, print_json, print_table
from provisioning.account_names import account_named

app = typer.Typer(help="Who of the staff has looked at whose calls.", no_args_is_help=True)

LIMIT_DEFAULT = 50


@app.command("list")
def list_(
    *,
    staff: Annotated[str, typer.Option("--staff", help="Only what this person looked at.")] = "",
    account: Annotated[str, typer.Option("--account", help="Only looks at this customer's calls.")] = "",
    call_id: Annotated[str, typer.Option("--call-id", help="Only looks at this call.")] = "",
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
    """List who has looked at what, the latest first."""

    async def find(db: asyncpg.Pool) -> list[Look]:
        if account:
            await account_named(db, account)
        return await list_looks(db, staff=staff, account=account, call_id=call_id, limit=limit)

    found = run_on_books(find_dsn(data_dir(data), given=dsn), find)
    if as_json:
        print_json(found)
        return
    heads = columns("looked", "who", "at", "account", "call", "why")
    rows = [
        [format_moment(each.at_ms), each.staff, each.what, each.account, each.call_id, each.why]
        for each in found
    ]
    print_table(heads, rows, empty="Nobody has looked at anything.")
