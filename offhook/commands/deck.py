"""`offhook deck`: suppliers' price lists. What calls cost us, what a new list changes, and what is sold below cost."""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from offhook.commands.options import (
    ConfOption,
    DataOption,
    JsonOption,
    conf_dir,
    data_dir,
    load_conf_or_fail,
    whole_number,
)
from offhook.control_client import ask
from offhook.deck_files import DeckFiles, summary
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import columns, print_facts, print_json, print_line, print_table
from rating.calendar import CalendarProblem, parse_start_ms, start_text
from rating.currency import format_nanos
from rating.deck import Deck, DeckPrice
from rating.deck_changes import ChangeKind, DeckChange, changes
from rating.margin import COMPARED_S, Margin, margin_at, margins
from rating.money import format_pounds
from switch.conf_decks import deck_names

if TYPE_CHECKING:
    from rating.tariff import Tariff
    from switch.config import Conf

app = typer.Typer(help="Suppliers' price lists: what calls cost us.", no_args_is_help=True)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The deck: the name of its file in conf/decks.")
]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The supplier's file.")]
FromOption = Annotated[
    str,
    typer.Option(
        "--from", metavar="DATE", help="From when rows hold that say no date. Default: they are refused."
    ),
]
AtOption = Annotated[
    str, typer.Option("--at", metavar="DATE", help="At another time, like 2026-02-01. Default: now.")
]
TariffOption = Annotated[
    str, typer.Option("--tariff", metavar="TARIFF", help="The selling tariff to compare with.")
]
LimitOption = Annotated[
    int, typer.Option("--limit", parser=whole_number(least=1, most=1_000_000), help="Rows to show at most.")
]


class ShownChange(msgspec.Struct):
    """A row of the diff. Prices are of a call of three minutes: nanos of the deck's currency, micros of pounds."""

    kind: str
    prefix: str
    destination: str
    from_ms: int
    before_nanos: int | None
    after_nanos: int | None
    margin_before_micros: int | None = None
    margin_after_micros: int | None = None


@app.callback()
def deck() -> None:
    """Suppliers' price lists: what calls cost us."""


@app.command("list")
def list_decks(data: DataOption = None, conf: ConfOption = None, as_json: JsonOption = False) -> None:
    """List the decks of the configuration."""
    place = conf_dir(data_dir(data), conf)
    rows = [summary(DeckFiles(place, name), _now_ms()) for name in deck_names(place)]
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            row.name, row.currency, row.version, f"{row.prefixes:,}", f"{row.prices:,}", f"{row.scheduled:,}",
            "a file waits" if row.is_waiting else "",
        )
        for row in rows
    ]  # fmt: skip
    heads = columns("deck", "currency", "version", ">prefixes", ">prices", ">scheduled", "")
    print_table(heads, shown, empty=f"no deck yet: {place}/decks/supplier.example.toml says how one begins")


@app.command()
def check(
    name: NameArgument,
    file: FileArgument,
    from_: FromOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
) -> None:
    """Read a supplier's file, and say what is wrong with it. Nothing is changed."""
    files = DeckFiles(conf_dir(data_dir(data), conf), name)
    read = files.read_supplier(file, _from_ms(from_))
    print_line(f"{file}: {len(read.prices):,} prices in {files.layout.currency}, {_skipped(read.skipped)}")


@app.command("import")
def import_file(
    name: NameArgument,
    file: FileArgument,
    from_: FromOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
) -> None:
    """Read a supplier's file, all or nothing, and keep what the deck would be with it until `deck apply`."""
    files = DeckFiles(conf_dir(data_dir(data), conf), name)
    read = files.read_supplier(file, _from_ms(from_))
    then = files.with_file(read)
    found = list(changes(files.deck(files.prices()), files.deck(then)))
    files.keep_waiting(then)
    print_line(f"{len(read.prices):,} prices read, {_skipped(read.skipped)}.")
    print_line(_summed_up(found))
    print_line(
        f"Nothing is in force yet: `offhook deck diff {name}` shows it, `offhook deck apply {name}` does it."
    )


@app.command()
def diff(
    name: NameArgument,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A supplier's file. Default: what waits.", show_default=False),
    ] = None,
    from_: FromOption = "",
    tariff: TariffOption = "",
    limit: LimitOption = 50,
    data: DataOption = None,
    conf: ConfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what would become dearer, cheaper, new and gone, and what that does to the margin. Nothing is changed."""
    place = conf_dir(data_dir(data), conf)
    files = DeckFiles(place, name)
    if file is not None:
        then = files.with_file(files.read_supplier(file, _from_ms(from_)))
    elif (waiting := files.waiting()) is not None:
        then = waiting[0]
    else:
        raise CommandError(f"nothing waits for deck {name}: name a FILE, or `offhook deck import` one")
    present, new = files.deck(files.prices()), files.deck(then)
    found = list(changes(present, new))
    loaded = load_conf_or_fail(place) if tariff else None
    rows = _shown_changes(found, present, new, loaded, tariff)
    if as_json:
        print_json(rows)
        return
    _print_changes(rows, limit, has_margin=loaded is not None)
    print_line(_summed_up(found))
    if loaded is not None:
        fallen = sum(_falls_below_cost(row) for row in rows)
        print_line(
            f"{fallen:,} of them would be sold below cost that are not now (tariff {tariff}, three minutes)."
        )


@app.command()
def apply(name: NameArgument, data: DataOption = None, conf: ConfOption = None) -> None:
    """Make what waits the deck. Prices begin on their own dates; a running exchange takes the file over by itself."""
    place = data_dir(data)
    directory = conf_dir(place, conf)
    files = DeckFiles(directory, name)
    waiting = files.waiting()
    if waiting is None:
        raise CommandError(f"nothing waits for deck {name}: `offhook deck import {name} FILE` first")
    prices, made_of = waiting
    if made_of != files.version:
        text = f"deck {name} has become version {files.version} since the file was imported: import it again"
        raise CommandError(text)
    version = files.apply(prices)
    print_line(f"Deck {name} is version {version}: {len(prices):,} prices.")
    if place.control_socket.exists():
        try:
            result = ask(place, "reload")
        except CommandError as problem:
            print_line(f"The exchange takes it over when it can ({problem}).")
            return
        if not result.get("loaded"):
            problems = "\n".join(result.get("problems", []))
            raise CommandError(
                f"the exchange goes on with the old configuration:\n{problems}", ExitCode.INVALID
            )
        print_line("The exchange has it.")


@app.command()
def show(
    name: NameArgument,
    to: Annotated[str, typer.Option("--to", metavar="NUMBER", help="The price of calls to a number.")] = "",
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="+44...", help="Only prefixes that begin so.")
    ] = "",
    at: AtOption = "",
    limit: LimitOption = 50,
    data: DataOption = None,
    conf: ConfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the prices that hold now, or what a call to one number costs."""
    files = DeckFiles(conf_dir(data_dir(data), conf), name)
    at_ms = _at_ms(at)
    prices = files.prices()
    if to:
        _show_number(files.deck(prices), to, at_ms, as_json=as_json)
        return
    rows = [price for price in prices if price.is_valid_at(at_ms) and price.prefix.startswith(prefix)]
    _print_prices(rows, limit, as_json=as_json, empty="no price holds then")


@app.command()
def schedule(
    name: NameArgument,
    limit: LimitOption = 50,
    data: DataOption = None,
    conf: ConfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the prices that begin or end later; they do so by themselves."""
    files = DeckFiles(conf_dir(data_dir(data), conf), name)
    now_ms = _now_ms()
    rows = [
        price
        for price in files.prices()
        if price.from_ms > now_ms or (price.until_ms is not None and price.until_ms > now_ms)
    ]
    rows.sort(
        key=lambda price: (price.from_ms if price.from_ms > now_ms else price.until_ms or 0, price.prefix)
    )
    _print_prices(rows, limit, as_json=as_json, empty="nothing is scheduled")


@app.command("margins")
def show_margins(
    name: NameArgument,
    tariff: Annotated[str, typer.Option("--tariff", metavar="TARIFF", help="The selling tariff.")],
    all_: Annotated[
        bool, typer.Option("--all", help="Every destination, not only those sold below cost.")
    ] = False,
    at: AtOption = "",
    limit: LimitOption = 50,
    data: DataOption = None,
    conf: ConfOption = None,
    as_json: JsonOption = False,
) -> None:
    """List destinations that are sold below cost: net with net, by what a call of three minutes costs."""
    place = conf_dir(data_dir(data), conf)
    files = DeckFiles(place, name)
    loaded = load_conf_or_fail(place)
    sold = _tariff(loaded, tariff)
    found = list(margins(sold, files.deck(files.prices()), loaded.vat, _at_ms(at)))
    rows = [margin for margin in found if margin.micros is not None and (all_ or margin.is_below_cost)]
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            row.prefix,
            row.destination,
            _pounds(row.selling_micros),
            _pounds(row.buying_micros),
            _pounds(row.micros),
        )
        for row in sorted(rows, key=_by_margin)[:limit]
    ]
    heads = columns("prefix", "destination", ">sold, net", ">bought", ">margin")
    print_table(heads, shown, empty="nothing is sold below cost")
    below = sum(margin.is_below_cost for margin in found)
    unknown = sum(margin.selling_micros is not None and margin.buying_micros is None for margin in found)
    print_line(
        f"{below:,} of {len(found):,} prefixes are sold below cost; for {unknown:,} the deck has no price."
    )


def _show_number(deck: Deck, number: str, at_ms: int, *, as_json: bool) -> None:
    price = deck.price_for(number, at_ms)
    if price is None:
        raise CommandError(
            f"deck {deck.name} has no price for {number[:40]!r} then: write it as +441632960123"
        )
    rate = deck.in_pounds(price, at_ms)
    if as_json:
        print_json({"price": msgspec.to_builtins(price), "rate": rate})
        return
    facts = [
        ("prefix", price.prefix),
        ("destination", price.destination),
        ("connect fee", f"{format_nanos(price.connect_nanos)} {deck.currency}"),
        ("per minute", f"{format_nanos(price.per_minute_nanos)} {deck.currency}"),
        ("intervals", f"{price.initial_s} s, then {price.next_s} s"),
        ("holds", _span(price)),
    ]
    if rate is None:
        facts.append(("in pounds", "no exchange rate is known for that day"))
    else:
        facts.append(("connect fee, pounds", format_pounds(rate.connect_fee_micros)))
        facts.append(("per minute, pounds", format_pounds(rate.per_minute_micros)))
    print_facts(facts)


def _print_prices(rows: list[DeckPrice], limit: int, *, as_json: bool, empty: str) -> None:
    if as_json:
        fields = DeckPrice.__struct_fields__
        print_json([{field: getattr(price, field) for field in fields} for price in rows])
        return
    shown = [
        (
            price.prefix, price.destination, format_nanos(price.connect_nanos), format_nanos(price.per_minute_nanos),
            f"{price.initial_s}/{price.next_s}", _span(price),
        )
        for price in rows[:limit]
    ]  # fmt: skip
    print_table(
        columns("prefix", "destination", ">connect", ">per minute", ">intervals", "holds"), shown, empty=empty
    )
    if len(rows) > limit:
        print_line(f"{len(rows) - limit:,} more: --limit shows them.")


def _shown_changes(
    found: list[DeckChange], present: Deck, new: Deck, conf: "Conf | None", tariff: str
) -> list[ShownChange]:
    sold = None if conf is None else _tariff(conf, tariff)
    rows = []
    for change in found:
        row = ShownChange(
            change.kind.value, change.prefix, change.destination, change.from_ms,
            _call_nanos(change.before), _call_nanos(change.after),
        )  # fmt: skip
        if sold is not None and conf is not None:
            at_ms = max(change.from_ms, 0)
            row.margin_before_micros = margin_at(change.prefix, sold, present, conf.vat, at_ms).micros
            row.margin_after_micros = margin_at(change.prefix, sold, new, conf.vat, at_ms).micros
        rows.append(row)
    return rows


def _print_changes(rows: list[ShownChange], limit: int, *, has_margin: bool) -> None:
    """The dearest changes first, kind by kind."""
    order = {kind.value: place for place, kind in enumerate(ChangeKind)}
    rows = sorted(
        rows, key=lambda row: (order[row.kind], -abs((row.after_nanos or 0) - (row.before_nanos or 0)))
    )
    titles = ["", "prefix", "destination", "from", ">before", ">after", ">change"]
    shown = []
    for row in rows[:limit]:
        cells = [
            row.kind, row.prefix, row.destination, start_text(row.from_ms), _nanos(row.before_nanos),
            _nanos(row.after_nanos), _percent(row.before_nanos, row.after_nanos),
        ]  # fmt: skip
        if has_margin:
            cells += [_pounds(row.margin_before_micros), _pounds(row.margin_after_micros)]
        shown.append(cells)
    heads = columns(*titles, *((">margin", ">then") if has_margin else ()))
    print_line(f"Prices of a call of {COMPARED_S // 60} minutes.")
    print_table(heads, shown, empty="nothing changes")
    if len(rows) > limit:
        print_line(f"{len(rows) - limit:,} more: --limit shows them.")


def _summed_up(found: Iterable[DeckChange]) -> str:
    kinds = Counter(change.kind for change in found)
    words = ("dearer", "cheaper", "new", "gone")
    return ", ".join(f"{kinds[kind]:,} {word}" for kind, word in zip(ChangeKind, words, strict=True)) + "."


def _tariff(conf: "Conf", name: str) -> "Tariff":
    found = conf.tariffs.get(name)
    if found is None:
        raise CommandError(f"no tariff {name[:40]!r}: there are {', '.join(conf.tariffs)}", ExitCode.INVALID)
    return found


def _call_nanos(price: DeckPrice | None) -> int | None:
    return None if price is None else price.call_nanos(COMPARED_S)


def _nanos(nanos: int | None) -> str:
    return "" if nanos is None else format_nanos(nanos)


def _pounds(micros: int | None) -> str:
    return "" if micros is None else format_pounds(micros)


def _percent(before: int | None, after: int | None) -> str:
    return "" if not before or after is None else f"{100 * (after - before) / before:+.1f} %"


def _falls_below_cost(row: ShownChange) -> bool:
    before, after = row.margin_before_micros, row.margin_after_micros
    return after is not None and after < 0 and (before is None or before >= 0)


def _by_margin(margin: Margin) -> tuple[int, str]:
    return (margin.micros or 0, margin.prefix)


def _span(price: DeckPrice) -> str:
    since = f"from {start_text(price.from_ms)}"
    return since if price.until_ms is None else f"{since} until before {start_text(price.until_ms)}"


def _skipped(count: int) -> str:
    return f"{count:,} rows left out that have no price"


def _from_ms(text: str) -> int | None:
    return _moment(text, "--from") if text else None


def _at_ms(text: str) -> int:
    return _moment(text, "--at") if text else _now_ms()


def _moment(text: str, option: str) -> int:
    try:
        return parse_start_ms(text)
    except CalendarProblem as problem:
        raise CommandError(f"{option}: {problem}", ExitCode.INVALID) from None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
