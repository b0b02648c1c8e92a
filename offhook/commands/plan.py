"""`offhook plan ...`: what happens to calls to a number, as its customer wrote it (docs/plans.md)."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from offhook.commands.options import (
    ConfOption,
    DataOption,
    DsnOption,
    JsonOption,
    conf_dir,
    data_dir,
    warn,
)
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_moment
from offhook.output import columns, print_facts, print_json, print_line, print_table
from offhook.shipped_prompts import shipped_prompts
from provisioning import service
from provisioning.plans.plan import (
    ExternalNumber,
    Group,
    Line,
    Menu,
    Node,
    Plan,
    Queue,
    Split,
    nexts,
    prompts_of,
    time_sets_of,
)
from provisioning.plans.plan_text import (
    TEXT_BYTES_MAX,
    PlanProblem,
    PlanProblems,
    examine_plan,
    unused_nodes,
)
from provisioning.views import NumberView, PlanView
from switch.conf_files import UnreadableFile, open_optional_file, read_text
from switch.conf_lines import KeyLines
from switch.conf_time_sets import TIME_SETS_FILE, read_time_sets

app = typer.Typer(help="What happens to calls to a number: plans of accounts.", no_args_is_help=True)

AccountOption = Annotated[str, typer.Option("--account", help="The account whose plan it is.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The plan.")]
FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE.toml", help="The plan, as docs/plans.md explains it.")
]


@app.command("import")
def import_(
    file: FileArgument,
    account: AccountOption,
    name: Annotated[str, typer.Option("--name", help="What the plan is called (default: as the file).")] = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take over a plan, as a new one or in place of the one of that name. Calls go by it at once."""
    text = _read(file)
    place = data_dir(data)
    prompts = shipped_prompts()

    async def work(db: asyncpg.Pool) -> PlanView | list[PlanProblem]:
        try:
            return await service.import_plan(db, account, name or file.stem, text, prompts=prompts)
        except PlanProblems as found:
            return found.problems

    done = run_on_books(find_dsn(place, given=dsn), work)
    if isinstance(done, list):
        raise CommandError(_located(file, text, done), ExitCode.INVALID)
    for warning in findings(done.plan, conf_dir(place, conf)):
        warn(f"{file}: {warning}")
    if as_json:
        print_json(done)
    else:
        print_line(f"Plan {done.name} of {done.account} is in force in version {done.version}.")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.toml...", help="Plans.")],
    data: DataOption = None,
    conf: ConfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check plans without a database: every mistake with file, line, node and key. Exit code 2 if there is one."""
    place = conf_dir(data_dir(data), conf)
    problems: dict[str, list[str]] = {}
    for file in files:
        text = _read(file)
        plan, found = examine_plan(text)
        if plan is not None:
            found = found + _unknown_prompts(plan)
        problems[str(file)] = _located(file, text, found).split("\n") if found else []
        for warning in findings(plan, place) if plan is not None else ():
            warn(f"{file}: {warning}")
    bad = [line for lines in problems.values() for line in lines]
    if as_json:
        print_json({"problems": problems})
    elif not bad:
        print_line(f"{len(files)} plan{'s are' if len(files) > 1 else ' is'} valid.")
    if bad:
        raise CommandError("\n".join(bad), ExitCode.INVALID)


@app.command()
def export(
    name: NameArgument,
    account: AccountOption,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.toml]", help="Where to; else it is printed.")
    ] = None,
    data: DataOption = None,
    dsn: DsnOption = "",
) -> None:
    """Write a plan as it was imported."""
    view = _view(account, name, data, dsn)
    if file is not None:
        try:
            file.write_bytes(view.text.encode())
        except OSError as problem:
            raise CommandError(f"{file}: {problem.strerror or problem}") from None
    elif sys.stdout.isatty():
        for line in view.text.split("\n"):
            print_line(line if line.isprintable() else ascii(line)[1:-1])
    else:
        sys.stdout.buffer.write(view.text.encode())
        sys.stdout.flush()


@app.command()
def show(
    name: NameArgument,
    account: AccountOption,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show a plan: its nodes, where each leads, and the numbers that lead to it."""
    view = _view(account, name, data, dsn)
    if as_json:
        print_json(view)
        return
    plan = view.plan
    print_facts(
        [
            (
                "plan",
                f"{view.name} of {view.account}, version {view.version} of {format_moment(view.changed_at_ms)}",
            ),
            ("about", plan.about or "-"),
            ("numbers", ", ".join(view.numbers) or "none: `offhook plan assign NUMBER NAME`"),
            ("start", plan.start),
            ("fallback", plan.fallback or "none"),
        ]
    )
    places = {name: place for place, name in enumerate(tomllib.loads(view.text))}  # the books keep no order
    nodes = sorted(plan.nodes.items(), key=lambda each: places.get(each[0], len(places)))
    rows = [[node_name, *_row(node)] for node_name, node in nodes]
    print_table(columns("node", "what", "next"), rows, empty="")


@app.command("list")
def list_(
    account: Annotated[str | None, typer.Option("--account", help="Only this account's.")] = None,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the plans."""
    views = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: service.list_plans(db, account))
    if as_json:
        print_json(views)
        return
    rows = [
        [
            view.account,
            view.name,
            str(view.version),
            format_moment(view.changed_at_ms),
            _numbers(view.numbers),
        ]
        for view in views
    ]
    heads = columns("account", "plan", ">version", "since", "numbers")
    print_table(heads, rows, empty="No account has a plan: `offhook plan import FILE.toml --account NAME`.")


@app.command()
def delete(
    name: NameArgument,
    account: AccountOption,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Delete a plan that no number and no other plan leads to."""
    view = run_on_books(
        find_dsn(data_dir(data), given=dsn), lambda db: service.delete_plan(db, account, name)
    )
    if as_json:
        print_json(view)
    else:
        print_line(f"Plan {view.name} of {view.account} is gone.")


@app.command()
def assign(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="A number, or a range of numbers.")],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The plan, of the account that owns it.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Let the number ring its line again.")] = False,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let calls to a number go by a plan. Its line stays the one that owns it, pays and presents it."""
    if (name is None) is not none:
        raise CommandError("name a plan, or say --none", ExitCode.INVALID)
    views = run_on_books(
        find_dsn(data_dir(data), given=dsn), lambda db: service.assign_plan(db, number, name)
    )
    if as_json:
        print_json(views if len(views) > 1 else views[0])
    else:
        print_line(_assigned(views))


def findings(plan: Plan, conf: Path) -> list[str]:
    """What is legal but unwise: unknown time sets, nodes that no call comes to."""
    file = open_optional_file(conf, TIME_SETS_FILE)
    sets = read_time_sets(file)
    return [
        *(
            f"[{node}] the time set {name} is not in {conf / TIME_SETS_FILE}: it is never that time"
            for name, node in time_sets_of(plan).items()
            if name not in sets
        ),
        *(f"[{node}] no call comes to this node" for node in unused_nodes(plan)),
    ]


def _unknown_prompts(plan: Plan) -> list[PlanProblem]:
    known = shipped_prompts()
    expected = 'a prompt of the exchange, or "own.NAME"'
    return [
        PlanProblem(node, "", f"the prompt '{prompt}'", expected)
        for prompt, node in prompts_of(plan).items()
        if prompt not in known
    ]


def _view(account: str, name: str, data: Path | None, dsn: str) -> PlanView:
    return run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: service.show_plan(db, account, name))


def _read(file: Path) -> str:
    try:
        return read_text(file, bytes_max=TEXT_BYTES_MAX)
    except FileNotFoundError:
        raise CommandError(f"{file}: no such file", ExitCode.INVALID) from None
    except UnreadableFile as problem:
        raise CommandError(f"{file}: {problem}", ExitCode.INVALID) from None


def _located(file: Path, text: str, problems: list[PlanProblem]) -> str:
    """With the line of each, so that an editor can jump to it."""
    plan, _ = examine_plan(text)
    lines = KeyLines(text).find() if plan is not None else {}
    told = []
    for problem in problems:
        path = tuple(part for part in (problem.node, problem.key) if part)
        line = lines.get(path) or lines.get(path[:1])
        told.append(f"{file}:{line}: {problem}" if line else f"{file}: {problem}")
    return "\n".join(told)


def _row(node: Node) -> list[str]:
    kind = str(node.__struct_config__.tag)
    told = ", ".join(f"{key} {name}" for key, name in _ways(node))
    return [f"{kind} {_about(node)}{_how(node)}".strip(), told]


def _ways(node: Node) -> Iterator[tuple[str, str]]:
    """As `nexts`, with the key of the telephone and the part of 100 that lead there."""
    if isinstance(node, Menu):
        yield from node.press.items()
    if isinstance(node, Split):
        yield from ((f"{share.percent} %", share.then) for share in node.shares)
        return
    yield from ((key, name) for key, name in nexts(node) if key != "press")


def _how(node: Node) -> str:
    """For how long, and in what order."""
    match node:
        case Line(ring_s=ring_s, follows_diverts=follows_diverts):
            return f" for {ring_s} s{', with its diverts' if follows_diverts else ''}"
        case ExternalNumber(ring_s=ring_s):
            return f" for {ring_s} s"
        case Group(strategy=strategy, ring_s=ring_s):
            return f", {strategy.value}, for {ring_s} s"
        case Queue(strategy=strategy, ring_s=ring_s, waiting_max=waiting_max, wait_s_max=wait_s_max):
            return f", {strategy.value}, for {ring_s} s; {waiting_max} callers, {wait_s_max} s"
        case Menu(extension_digits=digits, extension_prefix=prefix) if digits:
            return f", or the {digits} digits of an extension{f' of {prefix}' if prefix else ''}"
        case _:
            return ""


def _about(node: Node) -> str:
    """The value that the node begins with."""
    for field in ("time_set", "prompt", "user", "e164", "name"):
        if (value := getattr(node, field, None)) is not None:
            return str(value)
    if isinstance(node, (Group, Queue)):
        return ", ".join(f"{member} for {member.ring_s} s" if member.ring_s else str(member) for member in node.members)
    return ", ".join(getattr(node, "patterns", ()))


def _numbers(numbers: list[str]) -> str:
    first = ", ".join(numbers[:3])
    return first if len(numbers) <= 3 else f"{first} and {len(numbers) - 3} more"


def _assigned(views: list[NumberView]) -> str:
    first = views[0]
    which = first.e164 if len(views) == 1 else f"{len(views)} numbers, {first.e164} to {views[-1].e164},"
    verb = "goes" if len(views) == 1 else "go"
    rings = "rings" if len(views) == 1 else "ring"
    return f"{which} {verb} by plan {first.plan}." if first.plan else f"{which} {rings} line {first.line}."
