"""`offhook bundle ...`: inclusive minutes and discounts of accounts."""

import datetime
import re
from typing import Annotated

import typer

from offhook.commands.account_bundles import left_of, live_rows, what_is_granted
from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir, pounds, whole_number
from offhook.control_client import ask
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_duration, format_moment
from offhook.output import columns, print_facts, print_json, print_line, print_table
from offhook.paths import DataDir
from provisioning.bundle_rows import BundleUseView, BundleView
from provisioning.bundles import (
    INCREMENT_S_MAX,
    LIMIT_MAX,
    PRIORITY_MAX,
    Grant,
    end_named_bundle,
    grant_bundle,
    list_bundles,
    show_bundle,
)
from provisioning.printable import shorten
from rating.bundle_terms import BundleTerms
from rating.calendar import day_in_london
from rating.money import format_pounds

app = typer.Typer(help="Inclusive minutes and discounts of accounts.", no_args_is_help=True)

LIMIT_DEFAULT = 100
MINUTES_MAX = 50_000_000
ID_MAX = (1 << 63) - 1
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")

IdArgument = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=ID_MAX, help="As `offhook bundle list` shows it.")
]


@app.command("list")
def list_(
    account: Annotated[
        str, typer.Argument(metavar="[ACCOUNT]", help="Those of one account (default: of all).")
    ] = "",
    *,
    with_old: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", parser=whole_number(least=1, most=LIMIT_MAX), metavar="NUMBER", help="At most so many."
        ),
    ] = LIMIT_DEFAULT,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List bundles, the latest grant first, with what the books know of their use."""
    found = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: list_bundles(db, account, limit=limit, with_old=with_old),
    )
    if as_json:
        print_json(found)
        return
    heads = columns(">id", "account", "name", "what", "state", "until", "for")
    print_table(heads, [_row(view) for view in found], empty="There is no bundle.")


@app.command()
def show(
    bundle_id: IdArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Show a bundle: its terms, what is left of it, the latest calls that drew on it."""
    place = data_dir(data)
    view, uses = run_on_books(find_dsn(place, given=dsn), lambda db: show_bundle(db, bundle_id))
    live = _live(place, view)
    if as_json:
        print_json({"bundle": view, "uses": uses, "live": live})
        return
    print_facts(_facts(view, live))
    if uses:
        print_line("")
        print_table(
            columns("time", ">leg", ">seconds", ">carried over", "call"),
            [_use(use) for use in uses],
            empty="",
        )


@app.command()
def grant(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help='What it is called on bills, such as "UK 300".')
    ],
    *,
    minutes: Annotated[
        int,
        typer.Option(
            "--minutes", parser=whole_number(most=MINUTES_MAX), metavar="NUMBER", help="Inclusive minutes."
        ),
    ] = 0,
    percent: Annotated[
        int,
        typer.Option(
            "--discount", parser=whole_number(most=100), metavar="PERCENT", help="A discount instead."
        ),
    ] = 0,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            "--group", metavar="GROUP", help="For this group of destinations of the tariff. Repeatable."
        ),
    ] = None,
    prefixes: Annotated[
        list[str] | None,
        typer.Option("--prefix", metavar="PREFIX", help="For numbers that begin so, or on-net. Repeatable."),
    ] = None,
    except_prefixes: Annotated[
        list[str] | None,
        typer.Option("--except", metavar="PREFIX", help="But not for those that begin so. Repeatable."),
    ] = None,
    first: Annotated[
        str, typer.Option("--from", metavar="DAY", help="Its first day, such as 2026-12-01 (default: today).")
    ] = "",
    last: Annotated[
        str,
        typer.Option("--until", metavar="DAY", help="Its last day (default: until it is used up or ended)."),
    ] = "",
    carry_minutes: Annotated[
        int,
        typer.Option(
            "--carry",
            parser=whole_number(most=MINUTES_MAX),
            metavar="MINUTES",
            help="At most so many of what is left over live on, to --carry-until.",
        ),
    ] = 0,
    carry_last: Annotated[
        str, typer.Option("--carry-until", metavar="DAY", help="The last day of what was carried over.")
    ] = "",
    increment_s: Annotated[
        int,
        typer.Option(
            "--increment",
            parser=whole_number(least=1, most=INCREMENT_S_MAX),
            metavar="SECONDS",
            help="It is used up in steps of so many seconds.",
        ),
    ] = 1,
    connect_fee: Annotated[
        str, typer.Option("--connect-fee", help="What a call that begins on it costs once, in pounds.")
    ] = "0",
    priority: Annotated[
        int,
        typer.Option(
            "--priority",
            parser=whole_number(most=PRIORITY_MAX),
            metavar="NUMBER",
            help="Of bundles that expire together the greater comes first.",
        ),
    ] = 0,
    is_fair_use: Annotated[
        bool,
        typer.Option("--fair-use", help="Sold as unlimited: --minutes is the limit, reaching it an alarm."),
    ] = False,
    destinations_max: Annotated[
        int,
        typer.Option(
            "--numbers",
            parser=whole_number(),
            metavar="NUMBER",
            help="It is for so many different numbers; 0 is any.",
        ),
    ] = 0,
    price: Annotated[str, typer.Option("--price", help="What the account pays for it now, in pounds.")] = "0",
    memo: Annotated[str, typer.Option("--memo", help="What it was granted for.")] = "",
    key: Annotated[
        str | None, typer.Option("--key", help="An id of this grant: a repeat with it grants nothing.")
    ] = None,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Grant a bundle. It counts within a second, also for covered calls that are up.

    `offhook bundle grant Shop "UK 300" --minutes 300 --group "UK landlines" --group "UK mobile" --until 2026-12-31`
    """
    today = local_day()
    wanted = Grant(
        name=name,
        first=_day(first, "--from") if first else today,
        end=_day_after(last, "--until"),
        seconds=minutes * 60,
        percent=percent,
        groups=tuple(groups or ()),
        prefixes=tuple(prefixes or ()),
        except_prefixes=tuple(except_prefixes or ()),
        carry_until=_day_after(carry_last, "--carry-until"),
        carry_max_s=carry_minutes * 60,
        increment_s=increment_s,
        connect_fee_micros=pounds(connect_fee, "--connect-fee"),
        priority=priority,
        is_fair_use=is_fair_use,
        destinations_max=destinations_max,
        memo=memo,
    )
    price_micros = pounds(price, "--price")
    view = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: grant_bundle(db, account, wanted, key=key, price_micros=price_micros),
    )
    _print(view, as_json=as_json)


@app.command()
def end(
    bundle_id: IdArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Take a bundle back: nothing more is drawn from it. Calls keep what they have set aside."""
    view = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: end_named_bundle(db, bundle_id))
    _print(view, as_json=as_json)


def local_day() -> datetime.date:
    """Today in London, where bundles begin and end."""
    at_ms = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
    return datetime.date.fromisoformat(day_in_london(at_ms))


def _day(text: str, option: str) -> datetime.date:
    try:
        if _DAY.fullmatch(text):
            return datetime.date.fromisoformat(text)
    except ValueError:
        pass
    raise CommandError(f"{option} {shorten(text)!r}: expected a day such as 2026-12-31", ExitCode.INVALID)


def _day_after(text: str, option: str) -> datetime.date | None:
    """People name the last day that is in it."""
    try:
        return _day(text, option) + datetime.timedelta(days=1) if text else None
    except OverflowError:
        raise CommandError(f"{option} {text}: expected an earlier day", ExitCode.INVALID) from None


def _print(view: BundleView, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        print_facts(_facts(view, None))


def _row(view: BundleView) -> list[str]:
    terms = view.terms
    return [
        str(terms.id),
        view.account,
        terms.name,
        what_is_granted(view),
        view.state,
        format_moment(terms.over_at_ms),
        _destinations(terms),
    ]


def _facts(view: BundleView, live: dict[str, object] | None) -> list[tuple[str, str]]:
    terms = view.terms
    facts = [
        ("bundle", str(terms.id)),
        ("account", view.account),
        ("name", terms.name),
        ("state", view.state),
        ("for", _destinations(terms)),
        ("from", format_moment(terms.valid_from_ms)),
        ("until", format_moment(terms.expires_at_ms) or "it is ended"),
    ]
    if terms.is_discount:
        facts.append(("discount", f"{terms.percent} %"))
    else:
        facts += _minutes_facts(view, live)
    if view.ended_at_ms is not None:
        facts.append(("ended", format_moment(view.ended_at_ms)))
    return [*facts, ("granted", format_moment(view.granted_at_ms)), ("memo", view.memo)]


def _minutes_facts(view: BundleView, live: dict[str, object] | None) -> list[tuple[str, str]]:
    terms = view.terms
    held_s = live.get("reserved_s") if live is not None else None
    facts = [
        (
            "minutes",
            format_duration(terms.granted_s) + (", the limit of fair use" if terms.is_fair_use else ""),
        ),
        ("used", format_duration(view.used_s)),
        ("left", format_duration(left_of(view, live))),
    ]
    if isinstance(held_s, int):
        facts.append(("held by calls", format_duration(held_s)))
    if terms.carry_max_s:
        until = format_moment(terms.carry_until_ms)
        used = format_duration(view.carried_s)
        facts.append(
            ("carried over", f"at most {format_duration(terms.carry_max_s)}, until {until}; used {used}")
        )
    if terms.destinations_max:
        facts.append(("numbers", f"{view.destinations} of {terms.destinations_max}"))
    return [
        *facts,
        ("steps", f"{terms.increment_s} s"),
        ("connect fee", format_pounds(terms.connect_fee_micros)),
        ("priority", str(terms.priority)),
    ]


def _destinations(terms: BundleTerms) -> str:
    wanted = ", ".join((*terms.groups, *terms.prefixes))
    return wanted + (f" except {', '.join(terms.except_prefixes)}" if terms.except_prefixes else "")


def _use(use: BundleUseView) -> list[str]:
    return [format_moment(use.at_ms), str(use.leg), str(use.seconds), str(use.carried_s), use.call_id]


def _live(place: DataDir, view: BundleView) -> dict[str, object] | None:
    """What the running switch knows beyond the books; None without one."""
    try:
        found = ask(place, "account", name=view.account)
    except CommandError:
        return None
    return live_rows(found).get(view.terms.id) if isinstance(found, dict) else None
