"""`offhook subscription ...`: what was sold, how it is charged and changed, and how it ends."""

import datetime
from typing import Annotated

import asyncpg
import typer

from billing.subscriptions import changing, due, renewing, selling, views
from billing.subscriptions.announcing import announce_change
from billing.subscriptions.charging import charge
from billing.subscriptions.subscription import Subscription
from billing.subscriptions.terms import TERM_MONTHS_MAX
from offhook.commands.billing_days import day_or, london_today, parse_day
from offhook.commands.billing_options import load_conf_of_billing
from offhook.commands.options import ConfOption, DataOption, DsnOption, JsonOption, data_dir, whole_number
from offhook.commands.subscription_ends import cancel, cease, quote, stay, written
from offhook.commands.subscription_facts import facts_of, row_of
from offhook.commands.subscription_options import ID_MAX, IdArgument, QuantityOption, print_subscription, run
from offhook.output import columns, print_facts, print_json, print_line, print_table
from rating.money import format_pounds

app = typer.Typer(help="What was sold by the month: contracts and their ends.", no_args_is_help=True)

for command in (quote, cease, written, stay, cancel):
    app.command()(command)


@app.command()
def add(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Who buys it.")],
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="As `offhook product list` shows it.")],
    *,
    starts_on: Annotated[
        str, typer.Option("--start", metavar="DAY", help="The first day that is charged (default: today).")
    ] = "",
    sold_on: Annotated[str, typer.Option("--sold", metavar="DAY", help="The day of the contract.")] = "",
    quantity: QuantityOption = None,
    label: Annotated[str, typer.Option("--for", help="What it is for: a line, a number, a site.")] = "",
    term: Annotated[
        int | None,
        typer.Option(
            "--term",
            parser=whole_number(most=TERM_MONTHS_MAX),
            metavar="MONTHS",
            help="Minimum term (default: the product's).",
        ),
    ] = None,
    told_on: Annotated[
        str, typer.Option("--told", metavar="DAY", help="When they were told of the right to cancel.")
    ] = "",
    is_in_person: Annotated[
        bool, typer.Option("--in-person", help="Sold on your premises: no right to cancel by law.")
    ] = False,
    wants_early_start: Annotated[
        bool,
        typer.Option("--early-start", help="They asked expressly to begin before the right to cancel ends."),
    ] = False,
    is_ordered_only: Annotated[
        bool, typer.Option("--not-provided", help="It is provided later: `offhook subscription provided`.")
    ] = False,
    key: Annotated[
        str | None, typer.Option("--key", help="An id of the order: a repeat with it adds none.")
    ] = None,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Sell a product to an account, and charge what is due today."""
    now = london_today()
    sold = day_or(sold_on, option="--sold", otherwise=now)
    order = selling.Order(
        account=account,
        product=product,
        sold_on=sold,
        starts_on=day_or(starts_on, option="--start", otherwise=max(sold, now)),
        quantity=quantity or 1,
        label=label,
        min_term_months=term,
        told_on=parse_day(told_on, option="--told") if told_on else None,
        is_at_distance=not is_in_person,
        wants_early_start=wants_early_start,
        is_provided=not is_ordered_only,
        key=key,
    )
    law = load_conf_of_billing(data_dir(data), conf).subscriptions

    async def sell(db: asyncpg.Connection) -> Subscription:
        async with db.transaction():
            made = await selling.sell(db, law, order)
            await charge(db, made.id, now)
            return made

    print_subscription(run(data, dsn, sell), as_json=as_json)


@app.command("list")
def list_(
    account: Annotated[
        str, typer.Argument(metavar="[ACCOUNT]", help="Of one account (default: of all).")
    ] = "",
    *,
    has_ended: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List subscriptions."""
    found = run(data, dsn, lambda db: views.list_subscriptions(db, account, has_ended=has_ended))
    if as_json:
        print_json(found)
        return
    heads = columns(">id", "account", "product", ">price", "a", "for", "term until", "charged until", "state")
    print_table(heads, [row_of(one, london_today()) for one in found], empty="There is no subscription.")


@app.command()
def show(
    subscription_id: IdArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Show a subscription: its contract, its latest charges, what was told."""
    found = run(data, dsn, lambda db: views.show_subscription(db, subscription_id))
    if as_json:
        print_json(found)
        return
    print_facts(facts_of(found.subscription, found.ending, london_today()))
    if found.charges:
        print_line("")
        rows = [
            [row.period_from.isoformat(), row.what, format_pounds(row.amount_micros), row.words]
            for row in found.charges
        ]
        print_table(columns("from", "what", ">amount", "for"), rows, empty="")
    if found.notices:
        print_line("")
        _print_notices(found.notices)


@app.command()
def provided(
    subscription_id: IdArgument,
    on: Annotated[
        str, typer.Option("--on", metavar="DAY", help="Since when it works (default: today).")
    ] = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Note that the service was provided: your own right to cancel ends with it."""
    since = day_or(on, option="--on", otherwise=london_today())
    print_subscription(
        run(data, dsn, lambda db: selling.provide(db, subscription_id, since)), as_json=as_json
    )


@app.command()
def told(
    subscription_id: IdArgument,
    on: Annotated[str, typer.Option("--on", metavar="DAY", help="When (default: today).")] = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Note that they were told of the right to cancel: its days are counted from then."""
    since = day_or(on, option="--on", otherwise=london_today())
    print_subscription(
        run(data, dsn, lambda db: selling.tell_of_rights(db, subscription_id, since)), as_json=as_json
    )


@app.command()
def change(
    subscription_id: IdArgument,
    *,
    product: Annotated[str | None, typer.Option("--product", help="Another product.")] = None,
    quantity: QuantityOption = None,
    since: Annotated[str, typer.Option("--from", metavar="DAY", help="From then on (default: today).")] = "",
    is_agreed: Annotated[
        bool, typer.Option("--agreed", help="It may cost less although the minimum term lasts.")
    ] = False,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Another product or quantity from a day on. What is paid in advance is set off by days."""
    now = london_today()
    first = day_or(since, option="--from", otherwise=now)
    changed = run(
        data,
        dsn,
        lambda db: changing.change(
            db,
            subscription_id,
            today=now,
            first=first,
            product=product,
            quantity=quantity,
            is_agreed=is_agreed,
        ),
    )
    print_subscription(changed, as_json=as_json)


@app.command()
def renew(
    subscription_id: IdArgument,
    months: Annotated[
        int,
        typer.Option(
            "--term", parser=whole_number(least=1, most=TERM_MONTHS_MAX), metavar="MONTHS", help="How long."
        ),
    ],
    consent: Annotated[str, typer.Option("--consent", help="Where the customer's consent is kept.")],
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """A new minimum term that the customer has agreed to."""
    law = load_conf_of_billing(data_dir(data), conf).subscriptions
    renewed = run(
        data,
        dsn,
        lambda db: renewing.renew(
            db, law, subscription_id, months=months, agreed_on=london_today(), consent=consent
        ),
    )
    print_subscription(renewed, as_json=as_json)


@app.command()
def announce(
    subscription_id: IdArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What will change, as the customer reads it.")],
    since: Annotated[str, typer.Option("--from", metavar="DAY", help="When it will change.")],
    *,
    is_harmless: Annotated[
        bool,
        typer.Option("--harmless", help="It takes nothing from them: no month of notice, no right to leave."),
    ] = False,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Tell a customer of a change of the contract. One to their detriment gives the right to leave for it."""
    effective_on, now = parse_day(since, option="--from"), london_today()
    billing = load_conf_of_billing(data_dir(data), conf)
    done = run(
        data,
        dsn,
        lambda db: announce_change(
            db,
            billing,
            subscription_id,
            said=text,
            effective_on=effective_on,
            today=now,
            is_detrimental=not is_harmless,
        ),
    )
    if as_json:
        print_json(done)
    elif done.exit_until is None:
        print_line("Told.")
    else:
        print_line(f"Told. They may leave for it until {done.exit_until.isoformat()}.")


@app.command()
def notices(
    subscription_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", min=1, max=ID_MAX, help="Of one (default: of all).")
    ] = None,
    *,
    is_due: Annotated[bool, typer.Option("--send", help="Send those that are due now first.")] = False,
    is_unposted_only: Annotated[
        bool, typer.Option("--to-post", help="Letters that nobody has posted.")
    ] = False,
    posted: Annotated[
        int | None,
        typer.Option("--posted", metavar="NOTICE", min=1, help="Note that this letter was posted."),
    ] = None,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List what customers were told of their contracts; --json has the texts."""
    billing = load_conf_of_billing(data_dir(data), conf) if is_due else None

    async def work(db: asyncpg.Connection) -> list[views.NoticeView]:
        if billing is not None:
            await due.send_notices(db, billing, london_today())
        if posted is not None:
            await views.mark_posted(db, posted, london_today())
        return await views.list_notices(
            db, subscription_id=subscription_id, is_unposted_only=is_unposted_only
        )

    found = run(data, dsn, work)
    if as_json:
        print_json(found)
    else:
        _print_notices(found)


def _print_notices(found: list[views.NoticeView]) -> None:
    heads = columns(">id", "account", ">subscription", "kind", "about", "sent", "way", "posted", "to")
    rows = [
        [
            str(notice.id),
            notice.account,
            str(notice.subscription_id),
            notice.kind,
            notice.about,
            notice.sent_on.isoformat(),
            notice.way,
            _day(notice.posted_on),
            notice.address,
        ]
        for notice in found
    ]
    print_table(heads, rows, empty="Nobody was told anything.")


def _day(found: datetime.date | None) -> str:
    return "" if found is None else found.isoformat()
