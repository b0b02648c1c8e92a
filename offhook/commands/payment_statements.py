"""`offhook payment import-statement`, `unmatched`, `match`: money that a bank statement shows."""

from pathlib import Path
from typing import Annotated

import asyncpg
import msgspec
import typer

from offhook.commands.billing_options import load_billing_or_fail, person
from offhook.commands.options import (
    ConfOption,
    DataOption,
    DsnOption,
    JsonOption,
    conf_dir,
    data_dir,
    problem_text,
    whole_number,
)
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import columns, print_json, print_line, print_table
from provisioning.account_names import account_named
from rating.money import format_pounds
from switch.conf_files import ConfProblems


def import_statement(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The bank's CSV.", exists=True, dir_okay=False)
    ],
    *,
    mapping: Annotated[str, typer.Option("--mapping", help="The layout: conf/statements/NAME.toml.")],
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take in a bank statement: what quotes an invoice is credited, the rest is listed. Twice does no harm."""
    from billing.payments.statement import FILE_BYTES_MAX, read_statement  # noqa: PLC0415
    from billing.payments.statement_lines import import_lines  # noqa: PLC0415
    from billing.payments.statement_mapping import load_mapping  # noqa: PLC0415

    place = data_dir(data)
    loaded = load_billing_or_fail(place, conf)
    directory = conf_dir(place, conf)
    try:
        layout = load_mapping(directory, mapping)
    except ConfProblems as found:
        lines = "\n".join(problem_text(directory, problem) for problem in found.problems)
        raise CommandError(f"the mapping is not valid:\n{lines}", ExitCode.INVALID) from None
    with file.open("rb") as stream:
        content = stream.read(FILE_BYTES_MAX + 1)

    async def take_in(db: asyncpg.Pool) -> object:
        return await import_lines(db, loaded.conf, read_statement(content, layout), file=file.name[:100])

    done = run_on_books(find_dsn(place, given=dsn), take_in)
    if as_json:
        print_json(done)
        return
    facts: dict[str, int] = msgspec.to_builtins(done)
    print_line(
        f"{facts['lines']} lines of money in, {facts['new']} of them new; {facts['matched']} credited,"
        f" {facts['unmatched']} to be matched (`offhook payment unmatched`)."
    )


def unmatched(data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False) -> None:
    """List the lines of bank statements that nobody could match, with what they may be for."""
    from billing.payments.statement_lines import list_lines  # noqa: PLC0415

    found = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: list_lines(db, state="unmatched"))
    if as_json:
        print_json(found)
        return
    rows = [
        [
            str(each.id),
            each.booked_on.isoformat(),
            format_pounds(each.amount_micros),
            each.payer,
            each.text,
            each.suggested,
        ]
        for each in found
    ]
    heads = columns(">line", "booked", ">amount", "payer", "text", "perhaps")
    print_table(heads, rows, empty="Every line of the statements is matched.")


def match(
    line: Annotated[int, typer.Argument(metavar="LINE", parser=whole_number(least=1))],
    *,
    invoice: Annotated[str, typer.Option("--invoice", help="The invoice that it pays.")] = "",
    account: Annotated[str, typer.Option("--account", help="Whose money it is.")] = "",
    is_ignored: Annotated[bool, typer.Option("--ignore", help="It is no customer's money.")] = False,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Decide on a line of a bank statement: an invoice, an account, or nobody's."""
    if bool(invoice) + bool(account) + is_ignored != 1:
        raise CommandError("one of --invoice, --account and --ignore", ExitCode.INVALID)
    place = data_dir(data)
    loaded = load_billing_or_fail(place, conf)

    async def decide(db: asyncpg.Pool) -> object:
        from billing.payments.statement_lines import credit_line, ignore_line, invoice_account  # noqa: PLC0415

        if is_ignored:
            await ignore_line(db, line, by=person())
            return None
        quoted = ""
        if invoice:
            account_id, quoted = await invoice_account(db, invoice)
        else:
            account_id = (await account_named(db, account)).id
        return await credit_line(db, loaded.conf, line, account_id, quoted=quoted, by=person())

    done = run_on_books(find_dsn(place, given=dsn), decide)
    if as_json:
        print_json(done)
    else:
        print_line(f"Line {line} {'ignored' if is_ignored else 'credited'}.")
