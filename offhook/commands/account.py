"""`offhook account ...`: who pays, and how much is left."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from offhook.commands.account_bundles import bundle_facts, details_with_bundles
from offhook.commands.account_safety import safety_facts
from offhook.commands.credit_gate import (
    CheckOption,
    OverrideOption,
    check_credit,
    ground_for_new,
    ground_of,
    open_credit,
    pass_gate,
)
from offhook.commands.options import (
    ConfOption,
    DataOption,
    DsnOption,
    JsonOption,
    SettingsArgument,
    conf_dir,
    data_dir,
    load_conf_or_fail,
    pounds,
    settings_text,
    whole_number,
)
from offhook.control_client import ask
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError
from offhook.moments import format_moment
from offhook.output import columns, print_facts, print_json, print_line, print_table
from offhook.paths import DataDir
from offhook.tariff_choice import VAT_WORDS, TariffChoice, choose_tariff
from provisioning import service
from provisioning.model import AccountKind
from provisioning.views import AccountDetails, AccountView, TopUp
from rating.money import VatMode, format_pounds

app = typer.Typer(help="Who pays: prepaid and postpaid accounts.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
NO_LIMIT = "as configured"
NO_ACCOUNT = "There is no account yet: `offhook account add NAME`."


@app.command()
def add(
    name: NameArgument,
    *,
    is_postpaid: Annotated[bool, typer.Option("--postpaid/--prepaid", help="Pays later, or ahead.")] = False,
    credit: Annotated[str, typer.Option("--credit", help="Opening credit in pounds, such as 10.00.")] = "0",
    credit_limit: Annotated[
        str, typer.Option("--credit-limit", help="How far a postpaid account may go below zero, in pounds.")
    ] = "0",
    has_vat: Annotated[
        bool | None,
        typer.Option("--inc-vat/--ex-vat", help="Prices with or without VAT (default: as its tariff)."),
    ] = None,
    tariff: Annotated[
        str | None, typer.Option("--tariff", help="Its price list (default: the only one that fits).")
    ] = None,
    calls_max: Annotated[
        int,
        typer.Option(
            "--max-calls",
            parser=whole_number(),
            metavar="NUMBER",
            help="Calls at once; 0 is the configured limit.",
        ),
    ] = 0,
    credit_check: CheckOption = "",
    override: OverrideOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add an account. One that pays later needs a credit check on record, or your word (--override)."""
    kind = AccountKind.POSTPAID if is_postpaid else AccountKind.PREPAID
    credit_micros = pounds(credit, "--credit")
    limit_micros = pounds(credit_limit, "--credit-limit")
    ground = ground_for_new(limit_micros, check=credit_check, override=override) if is_postpaid else None
    place = data_dir(data)
    address = find_dsn(place, given=dsn)
    vat = None if has_vat is None else (VatMode.INC_VAT if has_vat else VatMode.EX_VAT)
    chosen = _choose(conf_dir(place, conf), kind=kind, vat=vat, tariff=tariff)
    view = run_on_books(
        address,
        lambda db: service.add_account(
            db,
            name,
            kind=kind,
            vat=chosen.vat,
            tariff=chosen.tariff,
            credit_limit_micros=0 if ground is not None else limit_micros,
            opening_credit_micros=credit_micros,
            calls_max=calls_max,
        ),
    )
    if ground is not None:
        added, found = view, ground
        view = run_on_books(address, lambda db: open_credit(db, added, found))
    if as_json:
        print_json(view)
        return
    print_line(f"Account {view.account.name} added.")
    print_facts(_facts(view))


@app.command("list")
def list_(data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False) -> None:
    """List the accounts with their balances as far as the books know them."""
    views = run_on_books(find_dsn(data_dir(data), given=dsn), service.list_accounts)
    if as_json:
        print_json(views)
        return
    heads = columns("name", "kind", "tariff", ">balance", ">credit limit", ">lines", ">numbers", "state")
    print_table(heads, [_row(view) for view in views], empty=NO_ACCOUNT)


@app.command()
def show(
    name: NameArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Show an account: its balance, its lines and numbers, its latest movements."""
    place = data_dir(data)
    details, bundles = run_on_books(find_dsn(place, given=dsn), lambda db: details_with_bundles(db, name))
    live = _live(place, details.view.account.name)
    if as_json:
        print_json({**msgspec.to_builtins(details), "bundles": bundles, "live": live})
        return
    facts = [*_facts(details.view), *_live_facts(live), *safety_facts(live), *bundle_facts(bundles, live)]
    print_facts([*facts, *_owned_facts(details)])
    if details.movements:
        print_line("")
        rows = [
            [format_moment(row.at_ms), row.kind, format_pounds(row.amount_micros), row.memo or row.call_id]
            for row in details.movements
        ]
        print_table(columns("time", "kind", ">amount", "for"), rows, empty="")


@app.command("set")
def set_(
    name: NameArgument,
    settings: SettingsArgument = None,
    *,
    tariff: Annotated[str | None, typer.Option("--tariff", help="Its price list from now on.")] = None,
    credit_limit: Annotated[
        str | None, typer.Option("--credit-limit", help="How far it may go below zero, in pounds.")
    ] = None,
    calls_max: Annotated[
        int | None,
        typer.Option(
            "--max-calls",
            parser=whole_number(),
            metavar="NUMBER",
            help="Calls at once; 0 is the configured limit.",
        ),
    ] = None,
    credit_check: CheckOption = "",
    override: OverrideOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Change an account. What is not named stays.

    Settings are KEY=VALUE, for lists KEY+=VALUE and KEY-=VALUE, too: `offhook account set Shop daily_cap=25.00
    bars+=premium`. A key that there is not is answered with all that there are.
    """
    limit_micros = None if credit_limit is None else pounds(credit_limit, "--credit-limit")
    place = data_dir(data)
    address = find_dsn(place, given=dsn)
    if tariff is not None:
        account = run_on_books(address, lambda db: service.show_account(db, name)).view.account
        _choose(conf_dir(place, conf), kind=account.kind, vat=account.vat, tariff=tariff)
    if limit_micros is not None:
        wanted, ground = limit_micros, ground_of(limit_micros, check=credit_check, override=override)
        run_on_books(address, lambda db: pass_gate(db, name, wanted, ground))
    view = run_on_books(
        address,
        lambda db: service.set_account(
            db,
            name,
            tariff=tariff,
            credit_limit_micros=limit_micros,
            calls_max=calls_max,
            settings=settings or (),
        ),
    )
    _print_view(view, as_json=as_json)


app.command("check-credit")(check_credit)


@app.command()
def topup(
    name: NameArgument,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="In pounds, such as 10.00.")],
    *,
    memo: Annotated[str, typer.Option("--memo", help="What it was for.")] = "",
    key: Annotated[
        str | None, typer.Option("--key", help="An id of this payment: a repeat with it adds nothing.")
    ] = None,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add credit. It counts within a second, also for calls that are up."""
    micros = pounds(amount, "AMOUNT")
    done: TopUp = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: service.top_up(db, name, micros, memo=memo, idempotency_key=key),
    )
    if as_json:
        print_json(done)
        return
    said = "was added before under this key" if done.is_repeat else "added"
    balance = format_pounds(done.balance_micros)
    print_line(f"{format_pounds(done.amount_micros)} {said}; the balance is {balance}.")


@app.command()
def suspend(
    name: NameArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Stop new calls, except emergency ones. Calls that are up go on."""
    view = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: service.suspend_account(db, name))
    _print_view(view, as_json=as_json)


@app.command()
def resume(
    name: NameArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Let a suspended account call again."""
    view = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: service.resume_account(db, name))
    _print_view(view, as_json=as_json)


def _choose(directory: Path, *, kind: AccountKind, vat: VatMode | None, tariff: str | None) -> TariffChoice:
    conf = load_conf_or_fail(directory)
    known = {name: found.vat for name, found in conf.tariffs.items()}
    return choose_tariff(known, kind=kind, vat=vat, named=tariff)


def _print_view(view: AccountView, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        print_facts(_facts(view))


def _facts(view: AccountView) -> list[tuple[str, str]]:
    account = view.account
    facts = [
        ("account", account.name),
        ("kind", account.kind.value),
        ("state", _state(view)),
        ("tariff", f"{account.tariff} ({VAT_WORDS[account.vat]})"),
        ("balance", format_pounds(view.balance_micros)),
    ]
    if account.kind is AccountKind.POSTPAID:
        facts.append(("credit limit", format_pounds(account.credit_limit_micros)))
    facts.append(("calls at once", str(account.calls_max) if account.calls_max else NO_LIMIT))
    facts.append(("settings", settings_text(account.settings)))
    return facts


def _row(view: AccountView) -> list[str]:
    account = view.account
    return [
        account.name,
        account.kind.value,
        account.tariff,
        format_pounds(view.balance_micros),
        format_pounds(account.credit_limit_micros) if account.kind is AccountKind.POSTPAID else "",
        str(view.lines),
        str(view.numbers),
        _state(view),
    ]


def _state(view: AccountView) -> str:
    if view.account.is_suspended:
        return "suspended"
    restriction = view.account.settings.restriction
    return f"restricted for debt: {restriction}" if restriction else "active"


def _owned_facts(details: AccountDetails) -> list[tuple[str, str]]:
    facts = [("lines", ", ".join(details.lines) or "none"), ("numbers", ", ".join(details.numbers) or "none")]
    return [*facts, ("since", format_moment(details.view.created_at_ms))]


def _live(place: DataDir, name: str) -> dict[str, object] | None:
    """What the running switch knows beyond the books: usage not shipped yet, and what live calls hold."""
    try:
        live = ask(place, "account", name=name)
    except CommandError:
        return None  # the books have answered; without the exchange there is nothing live
    return live if isinstance(live, dict) else None


def _live_facts(live: dict[str, object] | None) -> list[tuple[str, str]]:
    names = (
        ("balance_micros", "live balance"),
        ("reserved_micros", "held by calls"),
        ("available_micros", "available"),
    )
    if live is None:
        return []
    amounts = ((title, live.get(key)) for key, title in names)
    return [(title, format_pounds(amount)) for title, amount in amounts if isinstance(amount, int)]
