"""`offhook outage ...`: what is given back for time in which a service was down, proposed and decided."""

import datetime
from typing import Annotated

import typer

from billing.subscriptions import outages
from billing.subscriptions.outages import Outage, OutageCredit
from offhook.commands.billing_days import london_today, parse_day
from offhook.commands.billing_options import connected, load_conf_of_billing, person
from offhook.commands.options import ConfOption, DataOption, DsnOption, JsonOption, data_dir
from offhook.database import find_dsn, run_on_books
from offhook.moments import local_now, parse_moment
from offhook.output import columns, print_json, print_line, print_table
from provisioning.utc import ms_from_time
from rating.money import format_pounds

app = typer.Typer(help="Credits for outages: proposed, and decided by a person.", no_args_is_help=True)

ID_MAX = (1 << 63) - 1

CreditArgument = Annotated[
    int, typer.Argument(metavar="CREDIT", min=1, max=ID_MAX, help="As `offhook outage list` shows it.")
]
SubscriptionArgument = Annotated[
    int, typer.Argument(metavar="SUBSCRIPTION", min=1, max=(1 << 31) - 1, help="Its id.")
]
ByOption = Annotated[str, typer.Option("--by", help="Who decides (default: this machine's user).")]


@app.command()
def propose(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What failed.")],
    since: Annotated[
        str, typer.Option("--from", metavar="TIME", help='Down from: "2026-11-22 09:30" (local).')
    ],
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="Up again at.")],
    *,
    products: Annotated[
        list[str] | None, typer.Option("--product", help="Those who have this product. Repeatable.")
    ] = None,
    accounts: Annotated[list[str] | None, typer.Option("--account", help="This account. Repeatable.")] = None,
    is_everybody: Annotated[bool, typer.Option("--everybody", help="Everything was down.")] = False,
    reported: Annotated[
        str, typer.Option("--reported", metavar="TIME", help="When it was reported (default: at its start).")
    ] = "",
    is_partial: Annotated[
        bool, typer.Option("--partial", help="Something still worked: no automatic compensation.")
    ] = False,
    by: ByOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Put an outage that was your own fault on record, with what it would give back. Nothing is paid yet."""
    outage = Outage(
        starts_ms=_ms(since, "--from"),
        ends_ms=_ms(until, "--to"),
        words=text,
        made_by=by or person(),
        products=tuple(products or ()),
        accounts=tuple(accounts or ()),
        is_everybody=is_everybody,
        reported_ms=_ms(reported, "--reported") if reported else None,
        is_total=not is_partial,
    )
    place = data_dir(data)
    billing = load_conf_of_billing(place, conf).subscriptions
    found = run_on_books(
        find_dsn(place, given=dsn), connected(lambda db: outages.propose(db, billing, outage))
    )
    _print(found, as_json=as_json)


@app.command()
def appointment(
    subscription_id: SubscriptionArgument,
    missed: Annotated[str, typer.Option("--missed", metavar="DAY", help="The day on which nobody came.")],
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Propose the automatic compensation for a missed appointment."""
    place = data_dir(data)
    billing, missed_on = load_conf_of_billing(place, conf).subscriptions, parse_day(missed, option="--missed")
    found = run_on_books(
        find_dsn(place, given=dsn),
        connected(lambda db: outages.propose_appointment(db, billing, subscription_id, missed_on)),
    )
    _print([found], as_json=as_json)


@app.command()
def start(
    subscription_id: SubscriptionArgument,
    promised: Annotated[str, typer.Option("--promised", metavar="DAY", help="When it should have begun.")],
    started: Annotated[str, typer.Option("--started", metavar="DAY", help="When it began.")],
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Propose the automatic compensation for a late start."""
    place = data_dir(data)
    billing = load_conf_of_billing(place, conf).subscriptions
    days: tuple[datetime.date, datetime.date] = (
        parse_day(promised, option="--promised"),
        parse_day(started, option="--started"),
    )
    found = run_on_books(
        find_dsn(place, given=dsn),
        connected(
            lambda db: outages.propose_start(
                db, billing, subscription_id, promised_on=days[0], started_on=days[1]
            )
        ),
    )
    _print([found], as_json=as_json)


@app.command()
def approve(
    credit: CreditArgument,
    by: ByOption = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give a credit. It is given once."""
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        connected(lambda db: outages.approve(db, credit, decided_by=by or person(), today=london_today())),
    )
    _print([found], as_json=as_json)


@app.command()
def decline(
    credit: CreditArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")],
    by: ByOption = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give no credit, and keep the reason."""
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        connected(
            lambda db: outages.decline(
                db, credit, decided_by=by or person(), reason=reason, today=london_today()
            )
        ),
    )
    _print([found], as_json=as_json)


@app.command("list")
def list_(
    outage: Annotated[
        int | None,
        typer.Argument(metavar="[OUTAGE]", min=1, max=ID_MAX, help="Of one outage (default: all)."),
    ] = None,
    *,
    is_open_only: Annotated[bool, typer.Option("--open", help="Those that nobody has decided.")] = False,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List credits: proposed, approved, declined."""
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        connected(lambda db: outages.list_credits(db, outage_id=outage, is_open_only=is_open_only)),
    )
    _print(found, as_json=as_json)


def _ms(text: str, option: str) -> int:
    return ms_from_time(parse_moment(text, now=local_now(), option=option))


def _print(credits_: list[OutageCredit], *, as_json: bool) -> None:
    if as_json:
        print_json(credits_)
        return
    heads = columns(">credit", ">outage", "account", ">subscription", "kind", ">amount", "state", "by", "how")
    rows = [
        [
            str(credit.id),
            "" if credit.outage_id is None else str(credit.outage_id),
            credit.account,
            str(credit.subscription_id),
            credit.kind,
            format_pounds(credit.amount_micros),
            credit.state,
            credit.decided_by or "",
            "; ".join(credit.computation) + (f" ({credit.reason})" if credit.reason else ""),
        ]
        for credit in credits_
    ]
    print_table(heads, rows, empty="There is no credit.")
    if any(credit.state == "proposed" for credit in credits_):
        print_line(
            "Decide each: `offhook outage approve CREDIT`, `offhook outage decline CREDIT --reason ...`."
        )
