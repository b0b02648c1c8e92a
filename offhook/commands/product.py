"""`offhook product ...`: what is sold by the month, its prices and its terms."""

from typing import Annotated

import typer

from billing.subscriptions import products
from billing.subscriptions.announcing import Announced, announce_price
from billing.subscriptions.months import words
from billing.subscriptions.periods import BillingPeriod, ChargeDay
from billing.subscriptions.products import Amounts, DatedPrice, Product
from billing.subscriptions.terms import (
    NOTICE_DAYS_MAX,
    OWN_CANCEL_DAYS_MAX,
    TERM_MONTHS_MAX,
    EarlyTerminationKind,
    Renewal,
    Terms,
    WithoutCredit,
)
from offhook.commands.billing_days import day_or, london_today
from offhook.commands.billing_options import connected, load_conf_of_billing
from offhook.commands.options import ConfOption, DataOption, DsnOption, JsonOption, data_dir, whole_number
from offhook.commands.product_terms import (
    INCLUDE_EXPECTED,
    LEAVING_EXPECTED,
    amounts_of,
    read_included,
    read_leaving,
)
from offhook.database import find_dsn, run_on_books
from offhook.output import columns, print_facts, print_json, print_line, print_table
from rating.money import format_pounds

app = typer.Typer(help="What is sold by the month: prices and terms.", no_args_is_help=True)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The product's short name, such as line-12.")
]
FromOption = Annotated[str, typer.Option("--from", metavar="DAY", help="From which day on (default: today).")]
IncVatOption = Annotated[str, typer.Option("--inc-vat", metavar="POUNDS", help="The price with VAT.")]
ExVatOption = Annotated[str, typer.Option("--ex-vat", metavar="POUNDS", help="The price without VAT.")]


@app.command()
def add(
    name: NameArgument,
    *,
    title: Annotated[
        str, typer.Option("--title", help="What customers read on bills (default: the name).")
    ] = "",
    family: Annotated[
        str,
        typer.Option("--family", help="What it is compared with when customers are told of better prices."),
    ] = "",
    inc_vat: IncVatOption = "",
    ex_vat: ExVatOption = "",
    since: FromOption = "",
    setup_inc_vat: Annotated[
        str, typer.Option("--setup-inc-vat", metavar="POUNDS", help="Once, with VAT.")
    ] = "",
    setup_ex_vat: Annotated[
        str, typer.Option("--setup-ex-vat", metavar="POUNDS", help="Once, without.")
    ] = "",
    keeps_setup: Annotated[
        bool,
        typer.Option("--keeps-setup", help="Set-up is a service of its own, and paid also if cancelled."),
    ] = False,
    period: Annotated[
        BillingPeriod, typer.Option("--period", help="What a price is for.")
    ] = BillingPeriod.MONTH,
    charge_day: Annotated[
        ChargeDay, typer.Option("--charged-on", help="The day of the start, or the first of the month.")
    ] = ChargeDay.ANNIVERSARY,
    term: Annotated[
        int,
        typer.Option(
            "--term", parser=whole_number(most=TERM_MONTHS_MAX), metavar="MONTHS", help="Minimum term."
        ),
    ] = 0,
    notice: Annotated[
        int,
        typer.Option(
            "--notice", parser=whole_number(most=NOTICE_DAYS_MAX), metavar="DAYS", help="Notice period."
        ),
    ] = 30,
    leaving: Annotated[
        str, typer.Option("--leaving", help=f"What leaving within the term costs: {LEAVING_EXPECTED}.")
    ] = "none",
    told: Annotated[
        str, typer.Option("--told", help="The words by which customers are told what leaving costs.")
    ] = "",
    includes: Annotated[
        list[str] | None,
        typer.Option("--include", help=f"A bundle that each period brings: {INCLUDE_EXPECTED}. Repeatable."),
    ] = None,
    carries_over: Annotated[
        bool, typer.Option("--carry-over", help="What is left lives one more period.")
    ] = False,
    refunds_unused: Annotated[
        bool, typer.Option("--refunds-unused", help="An end within a paid period gives back the rest.")
    ] = False,
    renewal: Annotated[
        Renewal, typer.Option("--after-term", help="A new term needs a consent.")
    ] = Renewal.ROLLING,
    own_cancel: Annotated[
        int,
        typer.Option(
            "--own-cancel",
            parser=whole_number(most=OWN_CANCEL_DAYS_MAX),
            metavar="DAYS",
            help="Days in which others than consumers may cancel, unless it was provided.",
        ),
    ] = 0,
    without_credit: Annotated[
        WithoutCredit, typer.Option("--without-credit", help="A prepaid account owes, or the service waits.")
    ] = WithoutCredit.OWE,
    is_compensated: Annotated[
        bool, typer.Option("--compensated", help="It is in the scheme of automatic compensation.")
    ] = False,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add a product with its first price."""
    terms = Terms(
        billing_period=period,
        charge_day=charge_day,
        min_term_months=term,
        notice_days=notice,
        included=tuple(read_included(text, carries_over=carries_over) for text in includes or ()),
        early_termination=read_leaving(leaving, told),
        refunds_unused=refunds_unused,
        renewal=renewal,
        own_cancel_days=own_cancel,
        keeps_setup=keeps_setup,
        without_credit=without_credit,
        is_compensated=is_compensated,
    )
    price = DatedPrice(
        day_or(since, option="--from", otherwise=london_today()), amounts_of(inc_vat, ex_vat, "--inc-vat")
    )
    setup = amounts_of(setup_inc_vat, setup_ex_vat, "--setup-inc-vat")
    added = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        connected(
            lambda db: products.add_product(
                db, name, title=title or name, family=family, terms=terms, price=price, setup=setup
            )
        ),
    )
    _print(added, as_json=as_json)


@app.command()
def price(
    name: NameArgument,
    *,
    inc_vat: IncVatOption = "",
    ex_vat: ExVatOption = "",
    since: FromOption = "",
    is_for_existing: Annotated[
        bool,
        typer.Option("--existing", help="Also for those who have it: each is told, where the law allows it."),
    ] = False,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Set the price from a day on. What was sold keeps its own unless --existing says otherwise."""
    dated = DatedPrice(
        day_or(since, option="--from", otherwise=london_today()), amounts_of(inc_vat, ex_vat, "--inc-vat")
    )
    place = data_dir(data)
    address = find_dsn(place, given=dsn)
    if not is_for_existing:
        changed = run_on_books(
            address, connected(lambda db: products.set_price(db, name, dated, london_today()))
        )
        _print(changed, as_json=as_json)
        return
    billing = load_conf_of_billing(place, conf)
    done = run_on_books(
        address, connected(lambda db: announce_price(db, billing, name, dated, london_today()))
    )
    _print_announced(done, as_json=as_json)


@app.command("list")
def list_(data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False) -> None:
    """List the products with the prices of today."""
    found = run_on_books(find_dsn(data_dir(data), given=dsn), connected(products.list_products))
    if as_json:
        print_json(found)
        return
    heads = columns("name", "title", ">inc VAT", ">ex VAT", "a", ">term", ">notice", "family", "state")
    print_table(
        heads, [_row(product) for product in found], empty="There is no product: `offhook product add`."
    )


@app.command()
def show(
    name: NameArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Show a product: its terms and all of its prices."""
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn), connected(lambda db: products.find_product(db, name))
    )
    _print(found, as_json=as_json)


@app.command()
def withdraw(
    name: NameArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Sell it no more. What was sold goes on."""
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn), connected(lambda db: products.withdraw(db, name))
    )
    _print(found, as_json=as_json)


def _print(product: Product, *, as_json: bool) -> None:
    if as_json:
        print_json(product)
        return
    print_facts(_facts(product))
    print_line("")
    rows = [
        [dated.first.isoformat(), _shown(dated.price.inc_vat_micros), _shown(dated.price.ex_vat_micros)]
        for dated in product.prices
    ]
    print_table(columns("from", ">inc VAT", ">ex VAT"), rows, empty="")


def _print_announced(done: Announced, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    print_line(f"{len(done.told)} subscriptions were told.")
    for subscription_id, why in done.refused:
        print_line(f"subscription {subscription_id} keeps its price: {why}")


def _facts(product: Product) -> list[tuple[str, str]]:
    terms = product.terms
    early = terms.early_termination
    facts = [
        ("product", product.name),
        ("title", product.title),
        ("family", product.family or "none"),
        ("state", "withdrawn" if product.is_withdrawn else "on sale"),
        ("charged", f"by the {terms.billing_period}, in advance, on the {_CHARGED[terms.charge_day]}"),
        ("set-up", _amounts(product.setup) + (", a service of its own" if terms.keeps_setup else "")),
        ("minimum term", f"{terms.min_term_months} months" if terms.min_term_months else "none"),
        ("after the term", "a new one with consent" if terms.renewal is Renewal.NEW_TERM else "rolling"),
        ("notice", f"{terms.notice_days} days"),
        ("unused", "given back" if terms.refunds_unused else "not given back"),
        ("own right to cancel", f"{terms.own_cancel_days} days" if terms.own_cancel_days else "none"),
        ("without credit", terms.without_credit.value),
        ("compensation scheme", "yes" if terms.is_compensated else "no"),
    ]
    if early.kind is not EarlyTerminationKind.NONE:
        figure = (
            f"{early.percent} %"
            if early.percent
            else _amounts(Amounts(early.inc_vat_micros, early.ex_vat_micros))
        )
        facts.append(("leaving early", f"{early.kind}, {figure}: {early.told}"))
    for included in terms.included:
        where = ", ".join((*included.groups, *included.prefixes))
        facts.append(("included", f"{included.bundle}: {included.seconds // 60} minutes to {where}"))
    return facts


_CHARGED = {ChargeDay.ANNIVERSARY: "day of its start", ChargeDay.FIRST: "first of the month"}


def _row(product: Product) -> list[str]:
    now = [dated for dated in product.prices if dated.first <= london_today()]
    current = now[-1].price if now else Amounts()
    later = [dated for dated in product.prices if dated.first > london_today()]
    state = (
        "withdrawn" if product.is_withdrawn else f"new price {words(later[0].first)}" if later else "on sale"
    )
    return [
        product.name,
        product.title,
        _shown(current.inc_vat_micros),
        _shown(current.ex_vat_micros),
        product.terms.billing_period.value,
        str(product.terms.min_term_months),
        str(product.terms.notice_days),
        product.family,
        state,
    ]


def _amounts(amounts: Amounts) -> str:
    shown = [
        f"{format_pounds(micros)} {how} VAT"
        for micros, how in ((amounts.inc_vat_micros, "including"), (amounts.ex_vat_micros, "excluding"))
        if micros is not None
    ]
    return ", ".join(shown) or "none"


def _shown(micros: int | None) -> str:
    return "" if micros is None else format_pounds(micros)
