"""`offhook fault ...`: what customers report, until it is closed."""

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Annotated, Any, TypeAlias

import asyncpg
import msgspec
import typer

from care import faults
from care.faults import FaultDetails, FaultKind, FaultState, NewFault, Place, Priority, clock_of, entry
from care.faults.conf import Terms, load_terms
from care.faults.entry import Entry
from care.faults.record import EventKind, FaultClock
from care.looks import note_look, note_looks, system_user
from offhook.call_story import explaining
from offhook.commands.call_find import found_heads, found_rows
from offhook.commands.fault_text import fault_facts, fault_rows
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
from offhook.commands.staff_options import StaffOption, WhyOption
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import columns, print_facts, print_json, print_line, print_table
from provisioning.account_names import account_named
from switch.conf_files import ConfProblems

app = typer.Typer(help="Faults that customers report.", no_args_is_help=True)

LIMIT_DEFAULT = 100

Change: TypeAlias = Callable[[asyncpg.Pool], Awaitable[FaultDetails]]
FaultArgument = Annotated[str, typer.Argument(metavar="FAULT", help="Its reference, such as F-7K3Q9.")]
TextArgument = Annotated[str, typer.Argument(metavar="TEXT", help="What was said, done or found.")]


@app.command()
def new(
    words: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="What the customer says.", show_default=False)
    ] = "",
    *,
    at: Annotated[
        str, typer.Option("--at", help='When, as the customer said it: "10:15", "yesterday 2pm".')
    ] = "",
    cli: Annotated[str, typer.Option("--cli", help="Who called.")] = "",
    ddi: Annotated[str, typer.Option("--ddi", help="What was called.")] = "",
    line: Annotated[str, typer.Option("--line", help="The line.")] = "",
    account: Annotated[str, typer.Option("--account", help="The account; left out, it is the line's.")] = "",
    reporter: Annotated[str, typer.Option("--reporter", help="Who reports it.")] = "",
    contact: Annotated[str, typer.Option("--contact", help="Where he can be reached.")] = "",
    kind: Annotated[FaultKind, typer.Option("--kind", help="What is wrong.")] = FaultKind.OTHER,
    is_urgent: Annotated[
        bool, typer.Option("--urgent", help="No service at all, or somebody depends on it.")
    ] = False,
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Open a fault. A call that it can only be about is attached; several are listed."""
    who = staff or system_user()
    report = NewFault(
        reporter=reporter, contact=contact, account=account, line=line, time_code=at, cli=cli, ddi=ddi, kind=kind,
        words=words, is_urgent=is_urgent,
    )  # fmt: skip

    place = data_dir(data)

    async def work(db: asyncpg.Pool) -> faults.Opened:
        await note_look(db, staff=who, what="search", why="a new fault")
        said = explaining(db, place, conf_dir(place, conf))
        return await faults.open_with_calls(db, report, staff=who, explaining=said)

    opened = run_on_books(find_dsn(place, given=dsn), work)
    if as_json:
        print_json({**_as_json(opened.details, _terms(data, conf)), "candidates": opened.candidates})
        return
    reference = opened.details.fault.reference
    print_line(f"Fault {reference} is open, {opened.details.fault.priority.value}.")
    if opened.details.calls:
        print_line(f"Call {opened.details.calls[0].value} is attached.")
    elif opened.candidates:
        print_line(f"It may be one of these: `offhook fault attach {reference} CALL`")
        print_table(found_heads(), found_rows(opened.candidates), empty="")


@app.command("list")
def list_(
    *,
    account: Annotated[str, typer.Option("--account", help="Only this customer's.")] = "",
    state: Annotated[
        list[FaultState] | None,
        typer.Option("--state", help="Only these; repeatable (default: all but closed)."),
    ] = None,
    is_late_only: Annotated[bool, typer.Option("--late", help="Only those past a deadline.")] = False,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", parser=whole_number(least=1, most=1000), metavar="NUMBER", help="At most so many."
        ),
    ] = LIMIT_DEFAULT,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the faults that are open: needs and urgent ones first, then the oldest."""
    terms = _terms(data, conf)
    states = frozenset(state) if state else frozenset(FaultState) - {FaultState.CLOSED}

    async def find(db: asyncpg.Pool) -> list[FaultDetails]:
        if account:
            await account_named(db, account)
        return await faults.list_faults(db, states=states, account=account, limit=limit)

    found = run_on_books(find_dsn(data_dir(data), given=dsn), find)
    shown = [(each, _clock(each, terms)) for each in found]
    if is_late_only:
        shown = [(each, clock) for each, clock in shown if clock.is_late]
    if as_json:
        print_json([_as_json(each, terms) for each, _ in shown])
        return
    heads = columns(
        "fault", "priority", "state", "opened", ">open", "due", "account", "kind", "reported", "where"
    )
    print_table(heads, fault_rows(shown), empty="No fault is open.")


@app.command()
def show(
    reference: FaultArgument,
    *,
    staff: StaffOption = "",
    why: WhyOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show all of a fault. That you looked is on record."""

    async def work(db: asyncpg.Pool) -> FaultDetails:
        found = await faults.find_fault(db, reference)
        await note_look(
            db, staff=staff or system_user(), what="fault", account_id=found.fault.account_id,
            why=" ".join([found.fault.reference, why]).strip(),
        )  # fmt: skip
        return found

    _show(run_on_books(find_dsn(data_dir(data), given=dsn), work), data, conf, as_json=as_json)


@app.command()
def attach(
    reference: FaultArgument,
    call_id: Annotated[str, typer.Argument(metavar="CALL", help="As `offhook call find` shows it.")],
    *,
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Attach a call to a fault, with the explanation that is given of it now."""
    who = staff or system_user()
    place = data_dir(data)

    async def work(db: asyncpg.Pool) -> FaultDetails:
        said = await explaining(db, place, conf_dir(place, conf))(call_id)
        await note_looks(db, staff=who, what="fault", call_ids=[call_id], why=reference)
        return await faults.add(db, reference, entry.call(call_id, said), staff=who)

    _change(work, data, conf, dsn, as_json=as_json)


@app.command()
def note(
    reference: FaultArgument,
    words: TextArgument,
    *,
    to_customer: Annotated[bool, typer.Option("--told", help="This is what the customer was told.")] = False,
    state: Annotated[
        FaultState | None, typer.Option("--state", help="And it is now ...", show_default=False)
    ] = None,
    priority: Annotated[
        Priority | None,
        typer.Option("--priority", help="And it has now the priority ...", show_default=False),
    ] = None,
    place: Annotated[
        Place | None, typer.Option("--where", help="And the fault lies ...", show_default=False)
    ] = None,
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Note something, and how the fault stands by it. Notes are never altered."""

    def entries() -> Iterator[Entry]:
        yield entry.note(words, to_customer=to_customer)
        if place is not None:
            yield entry.place(place)
        if priority is not None:
            yield entry.priority(priority)
        if state is not None:
            yield entry.state(state)

    _change(_adding(reference, entries, staff), data, conf, dsn, as_json=as_json)


@app.command()
def check(
    reference: FaultArgument,
    words: TextArgument,
    *,
    answers: Annotated[
        int | None,
        typer.Option(
            "--answers", parser=whole_number(least=1), metavar="CHECK", help="This is what came of that check.",
            show_default=False,
        ),
    ] = None,
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Ask the customer for a simple check, or note what came of it."""

    def entries() -> list[Entry]:
        return [entry.check(words) if answers is None else entry.checked(answers, words)]

    _change(_adding(reference, entries, staff), data, conf, dsn, as_json=as_json)


@app.command()
def close(
    reference: FaultArgument,
    place: Annotated[Place, typer.Option("--where", help="Where it lay; not-found where nobody can say.")],
    words: Annotated[str, typer.Argument(metavar="[TEXT]", help="What was found.", show_default=False)] = "",
    *,
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Close a fault with what was found, and where it lay."""
    closing = _adding(reference, lambda: entry.closing(place, words), staff)
    _change(closing, data, conf, dsn, as_json=as_json)


def _adding(reference: str, entries: Callable[[], Iterable[Entry]], staff: str) -> Change:
    """They are made where what is wrong with them is told."""

    async def work(db: asyncpg.Pool) -> FaultDetails:
        return await faults.add(db, reference, *entries(), staff=staff or system_user())

    return work


def _change(
    work: Change,
    data: DataOption,
    conf: ConfOption,
    dsn: str,
    *,
    as_json: bool,
) -> None:
    changed = run_on_books(find_dsn(data_dir(data), given=dsn), work)
    if as_json:
        print_json(_as_json(changed, _terms(data, conf)))
        return
    last = changed.events[-1]
    about = f"; check {last.id}" if last.event is EventKind.CHECK else ""
    print_line(f"Fault {changed.fault.reference}: {changed.fault.state.value}{about}.")


def _show(found: FaultDetails, data: DataOption, conf: ConfOption, *, as_json: bool) -> None:
    terms = _terms(data, conf)
    if as_json:
        print_json(_as_json(found, terms))
    else:
        print_facts(fault_facts(found, _clock(found, terms)))


def _as_json(found: FaultDetails, terms: Terms) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(found.fault)
    return {**fields, "clock": _clock(found, terms), "events": found.events, "checks": found.checks}


def _clock(found: FaultDetails, terms: Terms) -> FaultClock:
    return clock_of(found.fault, found.events, terms[found.fault.priority], time.time_ns() // 1_000_000)


def _terms(data: DataOption, conf: ConfOption) -> Terms:
    folder = conf_dir(data_dir(data), conf)
    try:
        return load_terms(folder)
    except ConfProblems as found:
        lines = "\n".join(problem_text(folder, problem) for problem in found.problems)
        raise CommandError(f"the configuration is not valid:\n{lines}", ExitCode.INVALID) from None
