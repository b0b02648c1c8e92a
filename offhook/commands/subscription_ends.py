"""How a subscription ends: `offhook subscription quote`, `cease`, `written`, `stay`, `cancel`."""

from typing import Annotated

import asyncpg
import typer

from billing.subscriptions import terminating, views
from billing.subscriptions.ending import Quote
from billing.subscriptions.subscription import EndReason, Subscription
from offhook.commands.billing_days import day_or, london_today, parse_day
from offhook.commands.billing_options import load_conf_of_billing
from offhook.commands.options import ConfOption, DataOption, DsnOption, JsonOption, data_dir
from offhook.commands.subscription_facts import quote_facts
from offhook.commands.subscription_options import ByOption, IdArgument, print_subscription, run
from offhook.output import print_facts, print_json, print_line
from rating.money import format_pounds


def quote(
    subscription_id: IdArgument,
    *,
    written: Annotated[
        str, typer.Option("--written", metavar="DAY", help="As if the notice came then (default: today).")
    ] = "",
    wanted: Annotated[str, typer.Option("--on", metavar="DAY", help="Not before that day.")] = "",
    reason: Annotated[EndReason, typer.Option("--reason", help="Whose doing it is.")] = EndReason.NOTICE,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say when it would cease, and the last bill. Changes nothing."""
    written_on = day_or(written, option="--written", otherwise=london_today())
    wanted_on = parse_day(wanted, option="--on") if wanted else None
    found = run(
        data,
        dsn,
        lambda db: terminating.quote_end(
            db, subscription_id, written_on=written_on, reason=reason, wanted_on=wanted_on
        ),
    )
    _print_quote(found, as_json=as_json)


def cease(
    subscription_id: IdArgument,
    by: ByOption,
    *,
    wanted: Annotated[str, typer.Option("--on", metavar="DAY", help="Not before that day.")] = "",
    reason: Annotated[EndReason, typer.Option("--reason", help="Whose doing it is.")] = EndReason.NOTICE,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Note that somebody wants it to end. Nothing ends before `offhook subscription written`."""
    wanted_on = parse_day(wanted, option="--on") if wanted else None
    asked = run(
        data,
        dsn,
        lambda db: terminating.ask_end(
            db, subscription_id, asked_on=london_today(), asked_by=by, reason=reason, wanted_on=wanted_on
        ),
    )
    if as_json:
        print_json(asked)
    elif asked.ceases_on is not None:
        print_line(f"It ceases on {asked.ceases_on.isoformat()} already.")
    else:
        print_line("On record. It ends nothing until the notice is here in writing, by e-mail or letter:")
        print_line(f"  offhook subscription written {subscription_id} WHERE-IT-IS-KEPT")


def written(
    subscription_id: IdArgument,
    evidence: Annotated[str, typer.Argument(metavar="WHERE", help="Where the e-mail or letter is kept.")],
    *,
    received: Annotated[
        str, typer.Option("--received", metavar="DAY", help="When it came (default: today).")
    ] = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Store the written notice: the end is effective, and they are told its day and the last bill."""
    now = london_today()
    written_on = day_or(received, option="--received", otherwise=now)
    seller = load_conf_of_billing(data_dir(data), conf).seller
    final = run(
        data,
        dsn,
        lambda db: terminating.store_evidence(
            db, seller, subscription_id, written_on=written_on, evidence=evidence, today=now
        ),
    )
    _print_quote(final, as_json=as_json)


def stay(
    subscription_id: IdArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """They stay after all: the notice is withdrawn."""
    now = london_today()

    async def withdraw(db: asyncpg.Connection) -> Subscription:
        await terminating.withdraw_end(db, subscription_id, now)
        return (await views.show_subscription(db, subscription_id)).subscription

    print_subscription(run(data, dsn, withdraw), as_json=as_json)


def cancel(
    subscription_id: IdArgument,
    by: ByOption,
    *,
    on: Annotated[str, typer.Option("--on", metavar="DAY", help="When they said it (default: today).")] = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Undo the sale within the right to cancel. What was paid goes back, but for what is due."""
    told_us_on = day_or(on, option="--on", otherwise=london_today())
    law = load_conf_of_billing(data_dir(data), conf).subscriptions
    back = run(
        data,
        dsn,
        lambda db: terminating.cancel(db, law, subscription_id, told_us_on=told_us_on, told_us_by=by),
    )
    if as_json:
        print_json({"subscription_id": subscription_id, "returned_micros": back})
    else:
        print_line(f"Cancelled; {format_pounds(back)} given back.")


def _print_quote(quote: Quote, *, as_json: bool) -> None:
    if as_json:
        print_json(quote)
    else:
        print_facts(quote_facts(quote))
