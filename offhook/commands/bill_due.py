"""Of `offhook bill` (bill.py): the daily work by hand, and what billing has to say to customers."""

import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import asyncpg
import typer

from offhook.commands.billing_options import load_billing_or_fail
from offhook.commands.options import ConfOption, DataOption, DsnOption, JsonOption, data_dir, whole_number
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import columns, print_json, print_line, print_table

ZONE: Final = ZoneInfo("Europe/London")
MAILS_MAX: Final = 10_000


def due(
    on: Annotated[str, typer.Option("--on", help="As if it were this day, such as 2026-12-01.")] = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Do the daily work of all areas now. Whatever has been done before is not done again."""
    from billing.due import run_all_due  # noqa: PLC0415 - libraries of providers come with it

    try:
        today = datetime.date.fromisoformat(on) if on else datetime.datetime.now(ZONE).date()
    except ValueError:
        raise CommandError("--on: expected a day such as 2026-12-01", ExitCode.INVALID) from None
    place = data_dir(data)
    loaded = load_billing_or_fail(place, conf)
    done = run_on_books(
        find_dsn(place, given=dsn),
        lambda db: run_all_due(db, loaded.conf, today, loaded.providers, loaded.complaints),
    )
    if as_json:
        print_json(done)
    else:
        for area in done:
            for line in area.lines:
                print_line(f"{area.area}: {line}")
        if not any(area.lines for area in done):
            print_line("Nothing was due.")
    if problems := [f"{area.area}: {area.problem}" for area in done if area.problem]:
        raise CommandError("\n".join(problems))


def mails(
    is_all: Annotated[bool, typer.Option("--all", help="Those that were sent, too.")] = False,
    retries: Annotated[bool, typer.Option("--retry", help="Try those again that were given up.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", parser=whole_number(least=1, most=MAILS_MAX), metavar="N")
    ] = 100,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List mails to customers that wait or were given up, with what the server said."""

    async def find(db: asyncpg.Pool) -> list[dict[str, object]]:
        if retries:
            await db.execute(
                "UPDATE mails SET gave_up_at = NULL, next_try_at = now(), queued_at = now()"
                " WHERE gave_up_at IS NOT NULL"
            )
        rows = await db.fetch(
            "SELECT id, recipient, subject, queued_at, tries, last_answer,"
            " CASE WHEN sent_at IS NOT NULL THEN 'sent' WHEN gave_up_at IS NOT NULL THEN 'given up' ELSE 'waits' END"
            " AS state FROM mails WHERE $1 OR sent_at IS NULL ORDER BY id DESC LIMIT $2",
            is_all,
            limit,
        )
        return [dict(row) for row in rows]

    found = run_on_books(find_dsn(data_dir(data), given=dsn), find)
    if as_json:
        print_json(found)
        return
    names = ("id", "recipient", "subject", "state", "tries", "last_answer")
    rows = [[str(row[name]) for name in names] for row in found]
    print_table(columns(">id", "to", "subject", "state", ">tries", "answer"), rows, empty="No mail waits.")
