"""`offhook rate ...`: why a call costs what it costs, what calls would have cost, and price lists for customers."""

import datetime
import enum
from pathlib import Path
from typing import Annotated

import asyncpg
import msgspec
import typer

from billing.conf import NoBillingFile, load_billing
from billing.dated import NothingYet
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
from offhook.comparison_output import comparison_csv, comparison_json, print_comparison, print_problems
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import local_now
from offhook.output import columns, print_facts, print_json, print_line, print_table
from offhook.periods import Period, parse_period
from offhook.price_list import (
    PriceRow,
    price_list_csv,
    price_list_json,
    price_list_page,
    price_row,
    price_rows,
)
from offhook.progress import Report, progress_bar
from offhook.rate_explained import Asked, Told, explain
from offhook.tariff_meant import Meant, tariff_meant, text_of
from provisioning.account_names import account_named, account_names, account_of_line, is_assigned, is_line
from provisioning.bundle_rows import load_bundles
from provisioning.model import Account
from provisioning.rerating.buying import compare_buying
from provisioning.rerating.comparison import Comparison, compare
from provisioning.rerating.legs import Scope
from provisioning.rerating.tariff_versions import version_by
from rating.calendar import CalendarProblem, day_in_london, parse_start_ms
from rating.charge import CALL_S_MAX
from rating.deck import Deck
from rating.london_day import london_day
from rating.money import VatMode, format_pounds
from rating.rate import ON_NET
from rating.rehearsed_call import BundleNow
from rating.tariff import Tariff
from switch.calls.number_plan import E164, Short, read_dialled
from switch.conf_files import ConfProblems
from switch.config import Conf

app = typer.Typer(help="Prices: why, what if, and for whom.", no_args_is_help=True)

AtOption = Annotated[
    str, typer.Option("--at", metavar="TIME", help='When, in London, like "2026-12-25 10:15". Default: now.')
]
OnOption = Annotated[str, typer.Option("--on", metavar="DATE", help="The prices of this day. Default: today.")]


class Format(enum.StrEnum):
    CSV = "csv"
    JSON = "json"
    HTML = "html"


@app.callback()
def rate() -> None:
    """Prices: why, what if, and for whom."""


@app.command("explain")
def explain_(
    *,
    to: Annotated[str, typer.Option("--to", metavar="NUMBER", help="What is dialled, as a caller would.")],
    duration: Annotated[
        int,
        typer.Option(
            "--duration", parser=whole_number(most=CALL_S_MAX), metavar="SECONDS", help="How long the call lasts."
        ),
    ],
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Who pays.")] = "",
    line: Annotated[str, typer.Option("--from", metavar="LINE", help="The line that calls; its account pays.")] = "",
    at: AtOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Tell every step from the number and the seconds to the price. Nobody is called, and nothing is moved."""
    if bool(account) == bool(line):
        raise CommandError("say who pays: --account NAME, or --from LINE", ExitCode.INVALID)
    home = data_dir(data)
    folder = conf_dir(home, conf)
    loaded = load_conf_or_fail(folder)
    at_ms = _moment_ms(at, "--at")

    async def ask(db: asyncpg.Pool) -> Asked:
        payer = await (account_of_line(db, line) if line else account_named(db, account))
        return await _asked(db, payer, loaded, to=to, at_ms=at_ms, duration_s=duration)

    asked = run_on_books(find_dsn(home, given=dsn), ask)
    asked = _with_vat(asked, folder)
    text = text_of(asked.account.tariff, loaded) if asked.account.tariff in loaded.tariffs else ""
    told = explain(asked, loaded.tariffs, text, loaded.routing.plan)
    if as_json:
        print_json(_told_json(told))
    else:
        print_facts([(step.about, step.words) for step in told.steps])
    if told.refused:
        raise typer.Exit(ExitCode.REFUSED)


async def _asked(
    db: asyncpg.Pool, account: Account, conf: Conf, *, to: str, at_ms: int, duration_s: int
) -> Asked:
    """A line's name comes before a number, as in a call."""
    async with db.acquire() as connection:
        balances = [each for each in await load_bundles(connection) if each.terms.account_id == account.id]
    bundles = tuple(BundleNow(each.terms, each.used_s, each.carried_s, each.destinations) for each in balances)
    if await is_line(db, to):
        return Asked(to, account, at_ms, duration_s, is_line=True, is_on_net=True, bundles=bundles)
    destination = read_dialled(to, conf.routing.plan).destination
    is_here = isinstance(destination, E164) and await is_assigned(db, destination.number)
    decks = () if is_here or not isinstance(destination, E164 | Short) else _decks(destination.number, conf)
    return Asked(to, account, at_ms, duration_s, is_on_net=is_here, bundles=bundles, decks=decks)


def _decks(number: str, conf: Conf) -> tuple[tuple[str, Deck], ...]:
    """Of the trunks that calls there may leave by, as routing.toml names them."""
    names = conf.routing.targets(number)
    by_trunk = ((name, conf.decks.get(conf.trunks[name].deck)) for name in names if name in conf.trunks)
    return tuple((name, deck) for name, deck in by_trunk if deck is not None)


def _with_vat(asked: Asked, folder: Path) -> Asked:
    try:
        billing = load_billing(folder)
    except (NoBillingFile, ConfProblems):
        return asked
    day = datetime.date.fromordinal(london_day(asked.at_ms))
    try:
        return msgspec.structs.replace(asked, vat_basis_points=billing.vat.at(day).percent)
    except NothingYet:
        return asked


def _told_json(told: Told) -> dict[str, object]:
    charge = told.charge
    return {
        "number": told.number,
        "class": told.number_class,
        "tariff": told.tariff,
        "version": told.tariff_version,
        "prefix": told.rate_prefix,
        "line": told.line,
        "billed_s": charge.billed_s,
        "connect_fee_micros": charge.connect_fee_micros,
        "usage_micros": charge.usage_micros,
        "access_charge_micros": charge.access_charge_micros,
        "service_charge_micros": charge.service_charge_micros,
        "attempt_micros": told.attempt_micros,
        "total_micros": told.total_micros,
        "refused": told.refused,
        "steps": told.steps,
    }


@app.command()
def simulate(
    *,
    since: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day, in London.")],
    until: Annotated[str, typer.Option("--to", metavar="DATE", help="The last day.")],
    tariff: Annotated[
        str,
        typer.Option(
            "--tariff", metavar="NAME[@VERSION]|FILE", help="The other tariff: of conf/, as it was, or a file."
        ),
    ] = "",
    deck: Annotated[
        str, typer.Option("--deck", metavar="NAME", help="Instead: what the calls cost us, by this supplier's deck.")
    ] = "",
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Only calls that it pays for.")] = "",
    has_vat: Annotated[
        bool | None, typer.Option("--inc-vat/--ex-vat", help="Of a file that conf/ does not know.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """What the calls of a period would have cost by another tariff or deck, per account and destination."""
    if bool(tariff) == bool(deck):
        raise CommandError("say by what: --tariff NAME, NAME@VERSION or FILE, or --deck NAME", ExitCode.INVALID)
    home = data_dir(data)
    period = parse_period(since, until)
    vat = None if has_vat is None else VatMode.INC_VAT if has_vat else VatMode.EX_VAT
    folder = conf_dir(home, conf)
    loaded = load_conf_or_fail(folder)
    by: Meant | Deck = _deck(deck, loaded) if deck else tariff_meant(tariff, loaded, folder, vat)
    with progress_bar("calls") as report:
        found, names = run_on_books(
            find_dsn(home, given=dsn), lambda db: _simulate(db, period, account, by, report)
        )
    if as_json:
        print_json(comparison_json(found, names))
    elif as_csv:
        print_line(comparison_csv(found, names))
    else:
        print_comparison(found, names)
        print_problems(found)


async def _simulate(
    db: asyncpg.Pool, period: Period, account: str, meant: Meant | Deck, report: Report | None
) -> tuple[Comparison, dict[int, str]]:
    scope = Scope(*period, (await account_named(db, account)).id if account else None)
    if isinstance(meant, Deck):
        return await compare_buying(db, scope, meant, report), await account_names(db)
    choice = meant.choice
    if meant.tariff is None:
        async with db.acquire() as connection:
            version = await version_by(connection, meant.name, meant.version)
        choice = msgspec.structs.replace(choice, version=version)
    return await compare(db, scope, choice, report), await account_names(db)


def _deck(name: str, conf: Conf) -> Deck:
    if name not in conf.decks:
        names = ", ".join(sorted(conf.decks)) or "none"
        raise CommandError(f"there is no deck {name[:60]!r}: {names}", ExitCode.INVALID)
    return conf.decks[name]


@app.command("list")
def list_(
    *,
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Whose prices.")],
    to: Annotated[str, typer.Option("--to", metavar="NUMBER", help="Only the price of this number.")] = "",
    on: OnOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """A customer's own prices: those of its tariff that hold on a day, or the one of a number."""
    home = data_dir(data)
    loaded = load_conf_or_fail(conf_dir(home, conf))
    at_ms = _moment_ms(on, "--on")

    async def find(db: asyncpg.Pool) -> tuple[Account, bool]:
        payer = await account_named(db, account)
        destination = read_dialled(to, loaded.routing.plan).destination
        is_here = isinstance(destination, E164) and await is_assigned(db, destination.number)
        return payer, is_here or bool(to and await is_line(db, to))

    payer, is_on_net = run_on_books(find_dsn(home, given=dsn), find)
    tariff = loaded.tariffs.get(payer.tariff)
    if tariff is None:
        raise CommandError(f"tariff {payer.tariff} of account {payer.name} is not in conf/")
    if not to:
        rows = price_rows(tariff, at_ms)
    else:
        destination = read_dialled(to, loaded.routing.plan).destination
        number = destination.number if isinstance(destination, E164 | Short) else ""
        found = tariff.rate_for(ON_NET if is_on_net else number, at_ms)
        rows = [] if found is None else [price_row(found)]
    if as_json:
        print_json(price_list_json(tariff, rows, day_in_london(at_ms)))
        return
    nothing = "Free: both ends are of this exchange." if is_on_net else "Nothing has a price then."
    heads = columns("kind", "prefix", "destination", ">connect", ">a minute", "charged in", "valid", "more")
    print_table(heads, [_row(row) for row in rows], empty=nothing)


def _row(row: PriceRow) -> list[str]:
    return [
        row.kind,
        row.prefix,
        row.destination,
        format_pounds(row.connect_fee_micros),
        format_pounds(row.per_minute_micros),
        f"{row.initial_s} s + {row.next_s} s",
        row.dates,
        row.more,
    ]


@app.command()
def export(
    *,
    tariff: Annotated[str, typer.Option("--tariff", metavar="NAME", help="The tariff, as conf/ has it.")],
    on: OnOption = "",
    format_: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.CSV,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Into this file. Default: print it.")
    ] = None,
    data: DataOption = None,
    conf: ConfOption = None,
) -> None:
    """A price list to publish: what holds on a day, with the tariff's version."""
    loaded = load_conf_or_fail(conf_dir(data_dir(data), conf))
    found = loaded.tariffs.get(tariff)
    if found is None:
        names = ", ".join(sorted(loaded.tariffs)) or "none"
        raise CommandError(f"there is no tariff {tariff[:60]!r}: {names}", ExitCode.INVALID)
    at_ms = _moment_ms(on, "--on")
    rows, day = price_rows(found, at_ms), day_in_london(at_ms)
    if format_ is Format.JSON and out is None:
        print_json(price_list_json(found, rows, day))
        return
    text = _export_text(format_, found, rows, day)
    if out is None:
        print_line(text)
    else:
        out.write_text(f"{text}\n", encoding="utf-8", newline="")


def _export_text(format_: Format, tariff: Tariff, rows: list[PriceRow], day: str) -> str:
    match format_:
        case Format.CSV:
            return price_list_csv(rows)
        case Format.HTML:
            return price_list_page(tariff, rows, day)
        case Format.JSON:
            return msgspec.json.format(msgspec.json.encode(price_list_json(tariff, rows, day)), indent=2).decode()


def _moment_ms(text: str, option: str) -> int:
    """A date or time of London; none is now."""
    if not text:
        return round(local_now().timestamp() * 1000)
    try:
        return parse_start_ms(text)
    except CalendarProblem as problem:
        raise CommandError(f"{option}: {problem}", ExitCode.INVALID) from None
