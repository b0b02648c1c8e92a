"""`offhook route explain`: what the running exchange would do with a call, step by step, without making one."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from offhook.commands.options import DataOption, JsonOption, data_dir
from offhook.control_client import ask
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import parse_moment
from offhook.output import columns, print_json, print_line, print_table
from switch.journey.time_sets import LONDON

app = typer.Typer(help="Where calls go, and why.", no_args_is_help=True)


@app.callback()
def route() -> None:
    """Where calls go, and why."""


@app.command()
def explain(
    caller: Annotated[
        str, typer.Option("--from", metavar="USER|NUMBER|withheld", help="Who calls: a line, or a number.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="NUMBER", help="What is dialled, as a caller would.")],
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME", help='When, in London, like "2026-12-25 10:15". Default: now.'),
    ] = "",
    trunk: Annotated[
        str, typer.Option("--trunk", metavar="NAME", help="The trunk by which the call comes in.")
    ] = "",
    came: Annotated[
        str,
        typer.Option(
            "--if",
            metavar="WHAT=RESULT,...",
            help="What comes of a move: line, number, group, queue, menu, voicemail, announce, or a line, number or"
            " trunk by name = no_answer (the default), busy, unreachable, declined, failed, answered; menu=2"
            " presses 2.",
        ),
    ] = "",
    call_id: Annotated[
        str,
        typer.Option(
            "--call-id", metavar="CALL-ID", help="The Call-ID of a call that was made: a split falls out as it did."
        ),
    ] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell every step of a call's way: number, caller, rules, price, plan, trunks. Nobody is called."""
    now = datetime.now(ZoneInfo(LONDON))
    moment = parse_moment(at, now=now, option="--at") if at else now
    question = {
        "caller": caller,
        "to": to,
        "trunk": trunk,
        "at_ms": round(moment.astimezone(UTC).timestamp() * 1000),
        "came": _conditions(came),
        "call_id": call_id,
    }
    steps = ask(data_dir(data), "explain", question=question)
    if as_json:
        print_json({"steps": steps})
        return
    for step in steps:
        print_line(step)


@app.command()
def quality(data: DataOption = None, as_json: JsonOption = False) -> None:
    """How each trunk has done for each route in the last hours: tries, ASR, ACD, PDD."""
    rows = ask(data_dir(data), "route_quality")
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            row["trunk"],
            row["route"],
            f"{row['tries']:.1f}",
            _figure(row["asr_percent"], "%"),
            _figure(row["acd_s"], "s"),
            _figure(row["pdd_ms"], "ms"),
            "yes" if row["is_judged"] else "too few tries",
        )
        for row in rows
    ]
    heads = columns("trunk", "route", ">tries", ">ASR", ">ACD", ">PDD", "judged")
    print_table(heads, shown, empty="no calls by trunks since the exchange was started")


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.0f} {unit}"


def _conditions(text: str) -> dict[str, str]:
    """ "line=busy,menu=2"."""
    came: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        what, equals, value = part.partition("=")
        if not equals or not what or not value:
            raise CommandError(f"--if {part[:40]!r}: expected WHAT=RESULT, like line=busy", ExitCode.INVALID)
        came[what] = value
    return came
