"""`offhook complaint ...`: what customers complain of, until it is closed, and the letter that the law asks for."""

import datetime
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import asyncpg
import msgspec
import typer

from care.looks import note_look, system_user
from offhook.commands.complaint_text import complaint_facts, complaint_rows, next_due
from offhook.commands.options import (
    ConfOption,
    DataOption,
    DsnOption,
    JsonOption,
    conf_dir,
    data_dir,
    problem_text,
    warn,
    whole_number,
)
from offhook.commands.staff_options import StaffOption, WhyOption
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import columns, print_facts, print_json, print_line, print_table
from provisioning import complaints
from provisioning.account_names import account_named
from provisioning.complaints import (
    Channel,
    ComplaintClock,
    ComplaintDetails,
    ComplaintState,
    ComplaintTerms,
    Ending,
    NewComplaint,
    clock_of,
    entry,
)
from provisioning.complaints.clock import london_day
from provisioning.complaints.entry import Entry
from provisioning.complaints.reference import read_reference
from provisioning.printable import escape_control
from provisioning.utc import time_from_ms
from rating.calendar import CalendarProblem, parse_start_ms
from switch.conf_files import ConfProblems

if TYPE_CHECKING:
    from billing.complaints.conf import ComplaintsConf
    from billing.conf import Seller

app = typer.Typer(help="Complaints of customers, by when what is due of them.", no_args_is_help=True)

LIMIT_DEFAULT = 100

Work: TypeAlias = Callable[[asyncpg.Pool], Awaitable[ComplaintDetails]]
ComplaintArgument = Annotated[
    str, typer.Argument(metavar="COMPLAINT", help="Its reference, such as C-7K3Q9.")
]
TextArgument = Annotated[str, typer.Argument(metavar="TEXT", help="What was said or done.")]
OptionalText = Annotated[
    str, typer.Argument(metavar="[TEXT]", help="What was said or done.", show_default=False)
]
AtOption = Annotated[
    str,
    typer.Option(
        "--at", metavar="TIME", help="When, in London, such as 2026-06-01 or 2026-06-01T09:30 (default: now)."
    ),
]


@app.command("open")
def open_(
    words: Annotated[str, typer.Argument(metavar="TEXT", help="What the customer complains of.")],
    *,
    received: Annotated[
        str,
        typer.Option(
            "--received", metavar="TIME",
            help="When it reached you, in London, such as 2026-06-01 (default: now). All limits run from it.",
        ),
    ] = "",
    account: Annotated[str, typer.Option("--account", help="The account; left out, it is the fault's.")] = "",
    fault: Annotated[str, typer.Option("--fault", help="The fault that it is about, such as F-7K3Q9.")] = "",
    reporter: Annotated[str, typer.Option("--reporter", help="Who complains.")] = "",
    contact: Annotated[
        str, typer.Option("--contact", help="Where he can be reached; the letter goes there if it is a mail address.")
    ] = "",
    channel: Annotated[Channel, typer.Option("--by", help="How it came.")] = Channel.PHONE,
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Put a complaint on record. Its reference is for the customer."""
    loaded = _load(data, conf)

    async def work(db: asyncpg.Pool) -> ComplaintDetails:
        new = NewComplaint(
            words=words, reporter=reporter, contact=contact, account=account, fault=fault, channel=channel,
            received_at=_moment(received, "--received"),
        )  # fmt: skip
        return await complaints.open_complaint(db, new, staff=staff or system_user())

    opened = run_on_books(find_dsn(data_dir(data), given=dsn), work)
    clock = _clock(opened, loaded.terms)
    if as_json:
        print_json(_as_json(opened, clock))
        return
    due = next_due(clock)
    print_line(f"Complaint {opened.complaint.reference} is open{': ' + due if due else ''}.")
    if clock.letter_due_on is not None and not loaded.scheme.is_whole:
        from billing.complaints.letter import NO_SCHEME  # noqa: PLC0415 - a command costs what it imports

        warn(f"no letter can be sent: {NO_SCHEME}")


@app.command("list")
def list_(
    *,
    account: Annotated[str, typer.Option("--account", help="Only this customer's.")] = "",
    state: Annotated[
        list[ComplaintState] | None,
        typer.Option("--state", help="Only these; repeatable (default: all but closed)."),
    ] = None,
    is_overdue_only: Annotated[
        bool, typer.Option("--overdue", help="Only those past the acknowledgement's or the letter's time.")
    ] = False,
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
    """List the complaints that are not closed: what is due first comes first."""
    terms = _load(data, conf).terms
    states = frozenset(state) if state else frozenset(ComplaintState) - {ComplaintState.CLOSED}

    async def find(db: asyncpg.Pool) -> list[ComplaintDetails]:
        if account:
            await account_named(db, account)
        return await complaints.list_complaints(db, states=states, account=account)

    found = run_on_books(find_dsn(data_dir(data), given=dsn), find)
    shown = complaints.most_pressing_first(found, terms, _now())
    shown = [(each, clock) for each, clock in shown if clock.is_overdue or not is_overdue_only][:limit]
    if as_json:
        print_json([_as_json(each, clock) for each, clock in shown])
        return
    heads = columns("complaint", "state", "received", "due", "", "account", "reporter", "words")
    print_table(
        heads, complaint_rows(shown), empty="No complaint is overdue." if is_overdue_only else "No complaint."
    )


@app.command()
def show(
    reference: ComplaintArgument,
    *,
    staff: StaffOption = "",
    why: WhyOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show all of a complaint. That you looked is on record."""
    terms = _load(data, conf).terms

    async def work(db: asyncpg.Pool) -> ComplaintDetails:
        found = await complaints.find_complaint(db, reference)
        await note_look(
            db, staff=staff or system_user(), what="complaint", account_id=found.complaint.account_id,
            why=" ".join([found.complaint.reference, why]).strip(),
        )  # fmt: skip
        return found

    found = run_on_books(find_dsn(data_dir(data), given=dsn), work)
    clock = _clock(found, terms)
    if as_json:
        print_json(_as_json(found, clock))
    else:
        print_facts(complaint_facts(found, clock))


@app.command()
def note(
    reference: ComplaintArgument,
    words: TextArgument,
    *,
    to_customer: Annotated[bool, typer.Option("--told", help="This is what the customer was told.")] = False,
    is_reopening: Annotated[
        bool, typer.Option("--reopen", help="And it is open again: the customer is not content.")
    ] = False,
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Note something. Notes are never altered."""
    if is_reopening and to_customer:
        raise CommandError("--told and --reopen are two notes", ExitCode.INVALID)

    def made() -> Entry:
        return entry.reopened(words) if is_reopening else entry.note(words, to_customer=to_customer)

    _change(_adding(reference, made, staff), data, conf, dsn, as_json=as_json)


@app.command()
def ack(
    reference: ComplaintArgument,
    words: OptionalText = "",
    *,
    at: AtOption = "",
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Note that the customer was told that the complaint has come, and what happens next."""
    made = _adding(reference, lambda: entry.acknowledged(words, _moment(at, "--at")), staff)
    _change(made, data, conf, dsn, as_json=as_json)


@app.command()
def outcome(
    reference: ComplaintArgument,
    words: TextArgument,
    *,
    at: AtOption = "",
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Note the outcome that the customer was told. The time runs on until he is content."""
    made = _adding(reference, lambda: entry.outcome(words, _moment(at, "--at")), staff)
    _change(made, data, conf, dsn, as_json=as_json)


@app.command()
def deadlock(
    reference: ComplaintArgument,
    words: OptionalText = "",
    *,
    at: AtOption = "",
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """The customer is not content with the outcome, and there will be no other: the letter goes out at once."""
    made = _adding(reference, lambda: entry.deadlock(words, _moment(at, "--at")), staff)
    books, terms = find_dsn(data_dir(data), given=dsn), _load(data, conf).terms
    changed = run_on_books(books, made)
    problem = ""
    if changed.complaint.has_adr and not changed.complaint.has_letter:
        try:
            _mail(changed.complaint.reference, staff, data, conf, dsn)
        except CommandError as refused:  # the deadlock is on record, whatever becomes of the letter
            problem = str(refused)
        changed = run_on_books(books, lambda db: complaints.find_complaint(db, reference))
    _print_changed(changed, terms, as_json=as_json)
    if problem:
        warn(f"the letter is not sent: {problem}")


@app.command()
def letter(
    reference: ComplaintArgument,
    *,
    is_printed: Annotated[
        bool, typer.Option("--print", help="Print it, for the post. It counts as sent with --posted.")
    ] = False,
    is_posted: Annotated[bool, typer.Option("--posted", help="It was posted, or handed over.")] = False,
    at: AtOption = "",
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
) -> None:
    """Send the letter that tells of the scheme, by mail; the daily work does that by itself when it is due."""
    if is_printed and is_posted:
        raise CommandError("--print or --posted: it is posted after it was printed", ExitCode.INVALID)
    if at and not is_posted:
        raise CommandError("--at is for --posted", ExitCode.INVALID)
    if is_printed:
        _print_letter(reference, data, conf, dsn)
    elif is_posted:
        _note_posted(reference, at, staff, data, conf, dsn)
    else:
        print_line(f"The letter is on its way to {_mail(reference, staff, data, conf, dsn)}.")


@app.command()
def close(
    reference: ComplaintArgument,
    ending: Annotated[
        Ending,
        typer.Option(
            "--as",
            help="resolved or withdrawn: the customer says so. letter-sent: it is the scheme's from here. final: told"
            " the last word, of a business without a right to the letter.",
        ),
    ],
    words: OptionalText = "",
    *,
    staff: StaffOption = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Close a complaint. Its record is removed when the time is over for which records are kept."""
    _change(_adding(reference, lambda: entry.closed(ending, words), staff), data, conf, dsn, as_json=as_json)


# --- the letter


def _mail(reference: str, staff: str, data: DataOption, conf: ConfOption, dsn: str) -> str:
    """To where."""
    from billing.complaints.letter import mail_letter  # noqa: PLC0415 - a command costs what it imports

    loaded, seller = _load(data, conf), _seller(data, conf)

    async def work(db: asyncpg.Pool) -> str:
        told = read_reference(reference)
        return await mail_letter(db, told, loaded, seller, staff=staff or system_user(), on=_today())

    return run_on_books(find_dsn(data_dir(data), given=dsn), work)


def _note_posted(reference: str, at: str, staff: str, data: DataOption, conf: ConfOption, dsn: str) -> None:
    from billing.complaints.letter import note_posted  # noqa: PLC0415

    loaded, seller = _load(data, conf), _seller(data, conf)

    async def work(db: asyncpg.Pool) -> None:
        told, when = read_reference(reference), _moment(at, "--at") or _now()
        await note_posted(db, told, loaded, seller, staff=staff or system_user(), at=when)

    run_on_books(find_dsn(data_dir(data), given=dsn), work)
    print_line("It is on record that the letter was posted.")


def _print_letter(reference: str, data: DataOption, conf: ConfOption, dsn: str) -> None:
    from billing.complaints.letter import letter_to_print  # noqa: PLC0415

    loaded, seller = _load(data, conf), _seller(data, conf)

    async def work(db: asyncpg.Pool) -> tuple[ComplaintDetails, Any]:
        found = await complaints.find_complaint(db, reference)
        return found, await letter_to_print(db, found.complaint.reference, loaded, seller, _today())

    found, printed = run_on_books(find_dsn(data_dir(data), given=dsn), work)
    complaint = found.complaint
    if complaint.wants_large_print:
        warn("this customer wants letters in large print")
    for line in (complaint.addressee, *complaint.address, "", printed.subject, "", *printed.text.split("\n")):
        print_line(escape_control(line))


# --- what the commands have in common


def _adding(reference: str, made: Callable[[], Entry], staff: str) -> Work:
    """It is made where what is wrong with it is told."""

    async def work(db: asyncpg.Pool) -> ComplaintDetails:
        return await complaints.add(db, reference, made(), staff=staff or system_user())

    return work


def _change(work: Work, data: DataOption, conf: ConfOption, dsn: str, *, as_json: bool) -> None:
    terms = _load(data, conf).terms
    _print_changed(run_on_books(find_dsn(data_dir(data), given=dsn), work), terms, as_json=as_json)


def _print_changed(changed: ComplaintDetails, terms: ComplaintTerms, *, as_json: bool) -> None:
    clock = _clock(changed, terms)
    if as_json:
        print_json(_as_json(changed, clock))
        return
    complaint = changed.complaint
    parts = [complaint.state.value, next_due(clock)]
    if complaint.letter_on is not None:
        parts.append(f"letter of {complaint.letter_on.isoformat()}")
    print_line(f"Complaint {complaint.reference}: {'; '.join(part for part in parts if part)}.")


def _as_json(found: ComplaintDetails, clock: ComplaintClock) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(found.complaint)
    return {
        **fields,
        "has_adr": found.complaint.has_adr,
        "clock": {**msgspec.to_builtins(clock), "is_overdue": clock.is_overdue},
        "events": found.events,
    }


def _clock(found: ComplaintDetails, terms: ComplaintTerms) -> ComplaintClock:
    return clock_of(found.complaint, terms, _now())


def _moment(text: str, option: str) -> datetime.datetime | None:
    """London's date or time; None where nothing was typed."""
    if not text:
        return None
    try:
        return time_from_ms(parse_start_ms(text))
    except CalendarProblem as problem:
        raise CommandError(f"{option}: {problem}", ExitCode.INVALID) from None


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _today() -> datetime.date:
    return london_day(_now())


def _load(data: DataOption, conf: ConfOption) -> "ComplaintsConf":
    from billing.complaints.conf import load_complaints  # noqa: PLC0415 - a command costs what it imports

    folder = conf_dir(data_dir(data), conf)
    try:
        return load_complaints(folder)
    except ConfProblems as found:
        raise _not_valid(folder, found) from None


def _seller(data: DataOption, conf: ConfOption) -> "Seller":
    from offhook.commands.billing_options import load_conf_of_billing  # noqa: PLC0415

    return load_conf_of_billing(data_dir(data), conf).seller


def _not_valid(folder: Path, found: ConfProblems) -> CommandError:
    lines = "\n".join(problem_text(folder, problem) for problem in found.problems)
    return CommandError(f"the configuration is not valid:\n{lines}", ExitCode.INVALID)
