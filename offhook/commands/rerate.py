"""`offhook rerate`: calls of a period rated again, and the proof that each costs what its tariff says."""

from collections.abc import Mapping
from typing import Annotated

import asyncpg
import typer

from offhook.commands.options import (
    ConfOption,
    DataOption,
    DsnOption,
    JsonOption,
    conf_dir,
    data_dir,
    load_conf_or_fail,
    whole_number,
)
from offhook.comparison_output import comparison_json, print_comparison, print_problems
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_moment
from offhook.output import columns, print_json, print_line, print_table
from offhook.periods import Period, parse_period
from offhook.progress import Report, progress_bar
from offhook.tariff_meant import Meant, tariff_meant
from provisioning.account_names import account_named, account_names
from provisioning.rerating.comparison import Comparison, check
from provisioning.rerating.legs import Scope
from provisioning.rerating.repricing import Choice
from provisioning.rerating.run import Order, Rerated, RunView, list_runs, rerate
from provisioning.rerating.tariff_versions import keep_version, version_by
from provisioning.utc import ms_from_time
from rating.money import format_pounds

RUNS_SHOWN = 50

FromOption = Annotated[str, typer.Option("--from", metavar="DATE", help="The first day, in London.")]
ToOption = Annotated[str, typer.Option("--to", metavar="DATE", help="The last day.")]
AccountOption = Annotated[str, typer.Option("--account", metavar="NAME", help="Only calls that it pays for.")]


def rerate_command(
    *,
    since: FromOption = "",
    until: ToOption = "",
    account: AccountOption = "",
    tariff: Annotated[
        str,
        typer.Option(
            "--tariff",
            metavar="NAME[@VERSION]|FILE",
            help="By this tariff: the calls that were charged by one of its name, or all calls of --account. Default:"
            " each call by the tariff of its record, as loaded last.",
        ),
    ] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with each entry.")] = "",
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    is_check: Annotated[
        bool, typer.Option("--check", help="Prove that each charge is what its own tariff version says.")
    ] = False,
    lists_runs: Annotated[bool, typer.Option("--list", help="List the runs there were.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", parser=whole_number(least=1, most=10_000), metavar="NUMBER", help="With --list.")
    ] = RUNS_SHOWN,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Rate the calls of a period again.

    Each charge that changes is given back and taken anew by two entries of the ledger; records stay as they are. What
    stands on an invoice is corrected on the next one. Repeating it, or ordering it again after it was stopped, moves
    nothing twice.
    """
    home = data_dir(data)
    books = find_dsn(home, given=dsn)
    if lists_runs:
        _list(books, limit, as_json=as_json)
        return
    if not since or not until:
        raise CommandError("say which calls: --from DATE --to DATE", ExitCode.INVALID)
    period = parse_period(since, until)
    if is_check:
        with progress_bar("checking") as report:
            found = run_on_books(books, lambda db: _check(db, period, account, report))
        _print_check(found, as_json=as_json)
        return
    if not reason:
        raise CommandError("--reason: say why; it is kept with each entry", ExitCode.INVALID)
    folder = conf_dir(home, conf)
    meant = tariff_meant(tariff, load_conf_or_fail(folder), folder) if tariff else None

    with progress_bar("re-rating") as report:

        async def work(db: asyncpg.Pool) -> tuple[Rerated, dict[int, str]]:
            order = await _order(db, period, account, meant, reason, is_dry=is_dry)
            return await rerate(db, order, report, is_dry=is_dry), await account_names(db)

        done, names = run_on_books(books, work)
    _print_done(done, names, is_dry=is_dry, as_json=as_json)


async def _order(
    db: asyncpg.Pool, period: Period, account: str, meant: Meant | None, reason: str, *, is_dry: bool
) -> Order:
    """A tariff at hand is kept in the books, so that what it charges can be proved later."""
    account_id = (await account_named(db, account)).id if account else None
    if meant is None:
        return Order(Scope(*period, account_id), Choice(), reason)
    scope = Scope(*period, account_id, "" if account else meant.name)
    if is_dry and meant.tariff is not None:
        return Order(scope, meant.choice, reason)
    async with db.acquire() as connection:
        if meant.text:
            await keep_version(connection, meant.name, meant.version, meant.text)
        version = await version_by(connection, meant.name, meant.version)
    return Order(scope, Choice(meant.name, version, meant.vat), reason)


async def _check(db: asyncpg.Pool, period: Period, account: str, report: Report | None) -> Comparison:
    account_id = (await account_named(db, account)).id if account else None
    return await check(db, Scope(*period, account_id), report)


def _print_check(found: Comparison, *, as_json: bool) -> None:
    if as_json:
        print_json({"legs": found.legs, "differences": found.problems_count, "problems": found.problems})
    else:
        print_problems(found)
        verdict = f"{found.problems_count} differ" if found.problems_count else "each costs what its own tariff says"
        print_line(f"{found.legs} charged legs: {verdict}")
    if found.problems_count:
        raise typer.Exit(ExitCode.REFUSED)


def _print_done(done: Rerated, names: Mapping[int, str], *, is_dry: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                **comparison_json(done.comparison, names),
                "run": done.run_id,
                "is_dry_run": is_dry,
                "changed": done.changed,
                "invoiced": done.invoiced,
            }
        )
        return
    print_comparison(done.comparison, names, only_changed=True)
    print_problems(done.comparison)
    for invoice, legs in sorted(done.invoiced.items()):
        print_line(f"invoice {invoice} has {legs} of them at the old price: the correction is on the next invoice")
    what = "would change" if is_dry else "changed"
    run = "" if is_dry else f", run {done.run_id}{' (gone on with)' if done.is_resumed else ''}"
    print_line(f"{done.comparison.legs} charged legs, {done.changed} {what}{run}")


def _list(books: str, limit: int, *, as_json: bool) -> None:
    runs = run_on_books(books, lambda db: list_runs(db, limit))
    if as_json:
        print_json(runs)
        return
    heads = columns(">run", "started", "state", "from", "to", "account", "tariff", ">changed", ">difference",
                    ">set aside", "reason")  # fmt: skip
    print_table(heads, [_row(run) for run in runs], empty="Nothing was ever re-rated.")


def _row(run: RunView) -> list[str]:
    since, until, started = (format_moment(ms_from_time(at)) for at in (run.since, run.until, run.started_at))
    tariff = f"{run.tariff}@{run.tariff_version}" if run.tariff else "as loaded last"
    state = "done" if run.finished_at is not None else "interrupted"
    return [str(run.id), started, state, since, until, run.account or "all", tariff, str(run.changed),
            format_pounds(run.diff_micros), str(run.set_aside), run.reason]  # fmt: skip
