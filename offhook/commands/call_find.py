"""`offhook call find`: from a time, a CLI and a DDI to the calls."""

from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime
from typing import Annotated

import asyncpg
import typer

from care.live import SwitchCalls
from care.looks import TEXT_CHARS_MAX, note_look, note_looks, system_user
from care.search.find import find_understood, page_after
from care.search.live import find_live
from care.search.question import LIMIT_DEFAULT, LIMIT_MAX, CallFound, CallKind, CallQuestion, Order
from care.search.understanding import understand
from care.switch_asking import SwitchSilentError
from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir, warn, whole_number
from offhook.commands.staff_options import StaffOption, WhyOption
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_duration, format_moment, local_now
from offhook.output import Column, columns, print_json, print_line, print_table
from provisioning.account_names import account_named
from provisioning.printable import escape_control
from provisioning.problems import InvalidValue
from rating.charge import CALL_S_MAX
from rating.money import format_pounds
from switch.calls.open_call import OPEN

SECONDS = whole_number(most=CALL_S_MAX)


def find(
    *,
    at: Annotated[
        str,
        typer.Option("--at", help='About when: "10:15", "22/11 10:15", "yesterday 2:15pm"; Europe/London.'),
    ] = "",
    tolerance_s: Annotated[
        int | None,
        typer.Option(
            "--tolerance",
            parser=whole_number(least=1, most=86_400),
            metavar="SECONDS",
            help="How far from it (15 minutes; with seconds in the time, 2 minutes).",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", help="From then on, instead of --at: a time, a day, 90m, 7d.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Before this time.")] = "",
    cli: Annotated[
        str,
        typer.Option(
            "--cli", help='Who called: a number in any writing, "01632...", "...0123", a line, "withheld".'
        ),
    ] = "",
    ddi: Annotated[str, typer.Option("--ddi", help="What was called, in the same ways; a short code.")] = "",
    number: Annotated[str, typer.Option("--number", help="Either of the two.")] = "",
    line: Annotated[str, typer.Option("--line", help="Calls that this line made or that came to it.")] = "",
    account: Annotated[str, typer.Option("--account", help="Calls of this account, or paid by it.")] = "",
    trunk: Annotated[
        str, typer.Option("--trunk", help="Calls that came or were tried over this trunk.")
    ] = "",
    call_id: Annotated[str, typer.Option("--call-id", help="The call's id.")] = "",
    sip_call_id: Annotated[str, typer.Option("--sip-call-id", help="The SIP Call-ID of any leg.")] = "",
    cause: Annotated[
        str,
        typer.Option("--cause", help="A SIP status, a Q.850 cause, or words of the reason; of that --trunk."),
    ] = "",
    outcome: Annotated[
        str, typer.Option("--outcome", help="As it is listed: answered, busy, no_credit, ...")
    ] = "",
    short: Annotated[bool, typer.Option("--short", help="Answered, and over within 10 seconds.")] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Came to nothing, and not because nobody answered.")
    ] = False,
    one_way: Annotated[bool, typer.Option("--one-way", help="One end's sound never came.")] = False,
    bad_sound: Annotated[
        bool, typer.Option("--bad-sound", help="Loss, jitter, or sound one way only.")
    ] = False,
    longer_than: Annotated[
        int | None, typer.Option("--longer-than", parser=SECONDS, metavar="SECONDS", show_default=False)
    ] = None,
    shorter_than: Annotated[
        int | None,
        typer.Option(
            "--shorter-than", parser=SECONDS, metavar="SECONDS", help="And answered.", show_default=False
        ),
    ] = None,
    order: Annotated[Order, typer.Option("--order", help="Which come first.")] = Order.LATEST,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", parser=whole_number(least=1, most=LIMIT_MAX), metavar="NUMBER", help="At most so many."
        ),
    ] = LIMIT_DEFAULT,
    after: Annotated[
        str, typer.Option("--after", help="The page after this; printed below a full page.")
    ] = "",
    staff: StaffOption = "",
    why: WhyOption = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Find calls by what a customer says of them. One row a call; it says how the question was understood.

    A bare time is Europe/London, today's or else yesterday's; the hour that October has twice is searched twice.
    """
    asked_kinds = (
        (short, CallKind.SHORT), (failed, CallKind.FAILED), (one_way, CallKind.ONE_WAY), (bad_sound, CallKind.BAD_SOUND)
    )  # fmt: skip
    question = CallQuestion(
        at=at, tolerance_s=tolerance_s, since=since, until=until, cli=cli, ddi=ddi, number=number, line=line,
        account=account, trunk=trunk, call_id=call_id, sip_call_id=sip_call_id, cause=cause, outcome=outcome,
        kinds=frozenset(kind for is_asked, kind in asked_kinds if is_asked),
        longer_than_s=longer_than, shorter_than_s=shorter_than, order=order, limit=limit, after=after,
    )  # fmt: skip
    try:
        asked = understand(question, datetime.now(UTC))
    except InvalidValue as problem:
        raise CommandError(str(problem), ExitCode.INVALID) from None
    who, place = staff or system_user(), data_dir(data)

    async def work(db: asyncpg.Pool) -> list[CallFound]:
        await note_look(db, staff=who, what="search", why=_asked(why, asked.words))
        calls = await find_understood(db, asked)
        await note_looks(db, staff=who, what="found", call_ids=[call.call_id for call in calls], why=why)
        return calls

    async def work_on_live(db: asyncpg.Pool) -> list[CallFound]:
        calls = await find_live(db, asked, SwitchCalls(place.control_socket))
        for call in calls:
            account_id = (await account_named(db, call.account)).id if call.account else None
            await note_look(
                db, staff=who, what="found", account_id=account_id, call_id=call.call_id, why=why
            )
        return calls

    dsn_found = find_dsn(place, given=dsn)
    calls, up, silent = run_on_books(dsn_found, lambda db: _both(work(db), work_on_live(db)))
    known = {call.call_id for call in calls}
    up = [call for call in up if call.call_id not in known]
    following = page_after(question, calls)
    if silent:
        warn(f"calls that are up are not searched: {silent}")
    if as_json:
        after = following.after if following else ""
        print_json({"understood": asked.words, "up": up, "calls": calls, "after": after})
        return
    print_line(f"Searched: {asked.words}")
    print_table(found_heads(), found_rows([*up, *calls]), empty="No call is like that.")
    if following is not None:
        print_line(f"There may be more: --after {following.after}")


def _asked(why: str, words: str) -> str:
    """What for, and what was asked, as long as a look's reason can be."""
    text = escape_control(f"{why}: {words}" if why else words)
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[: TEXT_CHARS_MAX - 3]}..."


async def _both(
    on_record: Awaitable[list[CallFound]], live: Awaitable[list[CallFound]]
) -> tuple[list[CallFound], list[CallFound], str]:
    """What is on record, what is up, and why that is not known. A call that ends in between is on record, or up."""
    try:
        up, silent = await live, ""
    except SwitchSilentError as problem:
        up, silent = [], str(problem)
    return await on_record, up, silent


def found_heads() -> list[Column]:
    return columns(
        f"setup ({local_now().tzname()})", "call", "from", "to", "account", "answered by", ">legs", ">talked", ">cost",
        "outcome", "reason", "sound",
    )  # fmt: skip


def found_rows(calls: Iterable[CallFound]) -> list[list[str]]:
    return [_row(call) for call in calls]


def _outcome(call: CallFound) -> str:
    if call.outcome != OPEN:
        return call.outcome
    return "still up" if call.answered_at_ms is not None else "still ringing"


def _row(call: CallFound) -> list[str]:
    return [
        format_moment(call.setup_at_ms),
        call.call_id,
        call.cli or call.line or next(iter(call.trunks), ""),
        call.destination or call.dialled,
        call.account if call.payer in ("", call.account) else f"{call.account} ({call.payer})",
        call.answered_by,
        str(call.legs),
        "" if call.answered_at_ms is None else format_duration(call.duration_ms // 1000),
        format_pounds(call.cost_micros) if call.cost_micros else "",
        _outcome(call),
        call.reason,
        "one way" if call.is_one_way else "bad" if call.has_bad_sound else "",
    ]
