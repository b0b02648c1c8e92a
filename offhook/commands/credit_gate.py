"""The gate before credit: what `offhook account` asks for before somebody may pay later."""

from typing import Annotated

import asyncpg
import typer

from billing.credit_checks import NO_CHECK, CheckResult, CreditCheck, checks_of, record_check, require_check
from offhook.commands.billing_options import person
from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir, pounds
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_moment
from offhook.output import columns, print_json, print_line, print_table
from provisioning import service
from provisioning.account_names import account_named
from provisioning.views import AccountView
from rating.money import format_pounds

CheckOption = Annotated[
    str,
    typer.Option("--credit-check", metavar="SOURCE", help="A positive check: who found it, and its reference."),
]
OverrideOption = Annotated[
    str, typer.Option("--override", metavar="REASON", help="Credit without a check, on your word.")
]


def ground_of(limit_micros: int, *, check: str, override: str) -> CreditCheck | None:
    """What was said on the command line for credit; None of nothing."""
    if check and override:
        raise CommandError("either --credit-check or --override", ExitCode.INVALID)
    if check:
        return CreditCheck(CheckResult.POSITIVE, limit_micros, check, person())
    return CreditCheck(CheckResult.OVERRIDE, limit_micros, override, person()) if override else None


def ground_for_new(limit_micros: int, *, check: str, override: str) -> CreditCheck:
    """A new account that pays later needs one. Raises CommandError."""
    ground = ground_of(limit_micros, check=check, override=override)
    if ground is None:
        raise CommandError(NO_CHECK)
    return ground


async def open_credit(db: asyncpg.Pool, view: AccountView, ground: CreditCheck) -> AccountView:
    """The check on record first, then its limit: whoever is killed between them has given nobody credit."""
    await record_check(db, view.account.id, ground)
    if not ground.limit_micros:
        return view
    return await service.set_account(db, view.account.name, credit_limit_micros=ground.limit_micros)


async def pass_gate(db: asyncpg.Pool, name: str, limit_micros: int, ground: CreditCheck | None) -> None:
    """Before an account's limit is changed. Raises Refused; a lower limit needs nothing."""
    account = (await service.show_account(db, name)).view.account
    if limit_micros <= account.credit_limit_micros:
        return
    if ground is not None:
        await record_check(db, account.id, ground)
    await require_check(db, account.id, limit_micros)


def check_credit(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")],
    *,
    result: Annotated[str, typer.Option("--result", help="positive or negative; none: list the checks.")] = "",
    limit: Annotated[str, typer.Option("--limit", help="Up to what credit limit it is good, in pounds.")] = "0",
    source: Annotated[str, typer.Option("--source", help="Who found it, and its reference.")] = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Record a credit check, or list those of an account. They are kept for ever."""
    if result not in ("", "positive", "negative"):
        raise CommandError("--result: expected positive or negative", ExitCode.INVALID)
    limit_micros = pounds(limit, "--limit")

    async def work(db: asyncpg.Pool) -> list[CreditCheck]:
        account_id = (await account_named(db, name)).id
        if result:
            await record_check(db, account_id, CreditCheck(CheckResult(result), limit_micros, source, person()))
        return await checks_of(db, account_id)

    found = run_on_books(find_dsn(data_dir(data), given=dsn), work)
    if as_json:
        print_json(found)
        return
    if result:
        print_line("Recorded.")
    rows = [
        [
            "" if each.checked_at is None else format_moment(round(each.checked_at.timestamp() * 1000)),
            each.result.value,
            format_pounds(each.limit_micros),
            each.source,
            each.by,
        ]
        for each in found
    ]
    print_table(columns("time", "result", ">up to", "source", "by"), rows, empty="There is no credit check.")
