"""`offhook line ...`: what registers. A password is typed on stdin or made here; it is never an argument."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import asyncpg
import msgspec
import typer

from offhook.commands.divert import divert_text
from offhook.commands.line_registrations import registrations
from offhook.commands.options import (
    ConfOption,
    DataOption,
    DsnOption,
    JsonOption,
    SettingsArgument,
    conf_dir,
    data_dir,
    load_conf_or_fail,
    settings_text,
    warn,
    whole_number,
)
from offhook.commands.staff_options import StaffOption, WhyOption
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_moment
from offhook.output import columns, print_facts, print_json, print_line, print_table
from provisioning import service
from provisioning.line_addresses import parse_line_address
from provisioning.model import DigestPolicy, LineKind
from provisioning.views import LineView

if TYPE_CHECKING:
    from switch.config import Conf

app = typer.Typer(help="What registers: lines of an account.", no_args_is_help=True)

app.command()(registrations)


@app.command("explain")
def explain_(
    user: Annotated[str, typer.Argument(metavar="USER", help="Its user part, such as 1001.")],
    *,
    staff: StaffOption = "",
    why: WhyOption = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say why a line does not ring: no phone, a wrong password, a ban, its own settings. Without a call."""
    from offhook.commands.line_explain import explain  # noqa: PLC0415 - the fault desk, which no other needs

    explain(user, staff=staff, why=why, data=data, dsn=dsn, as_json=as_json)


# The longest password allowed is far shorter; more on stdin is a wrong file.
PASSWORD_BYTES_MAX = 1024
IMPORT_BYTES_MAX = 64 * 1024 * 1024
NUMBERS_LISTED_MAX = 3

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="Its user part, such as 1001.")]
AddressOption = Annotated[
    list[str] | None,
    typer.Option(
        "--address",
        metavar="[tcp:]IPV4:PORT",
        help="A trunk's, in place of registering: known by it without a password. Again for more, tried in order.",
    ),
]
PasswordStdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read its password from standard input (one line).")
]


@app.command()
def add(
    user: UserArgument,
    *,
    account: Annotated[str, typer.Option("--account", help="Who pays.")],
    has_password: PasswordStdinOption = False,
    digest: Annotated[
        DigestPolicy, typer.Option("--digest", help="Which challenges it gets; some phones know only md5.")
    ] = DigestPolicy.MD5,
    cli: Annotated[
        str, typer.Option("--cli", help="The number it presents (default: its first number).")
    ] = "",
    emergency_number: Annotated[
        str, typer.Option("--emergency-number", help="The number an emergency centre calls back.")
    ] = "",
    emergency_address: Annotated[
        str, typer.Option("--emergency-address", help="Where the line is installed.")
    ] = "",
    calls_max: Annotated[
        int,
        typer.Option(
            "--max-calls",
            parser=whole_number(),
            metavar="NUMBER",
            help="Calls at once; 0 is the configured limit.",
        ),
    ] = 0,
    withholds_cli: Annotated[
        bool, typer.Option("--withhold-cli/--present-cli", help="Whether it hides its number.")
    ] = False,
    kind: Annotated[
        LineKind, typer.Option("--kind", help="trunk: a PBX, which is told the number that was dialled.")
    ] = LineKind.PHONE,
    addresses: AddressOption = None,
    calls_per_second_max: Annotated[
        int,
        typer.Option("--max-calls-per-second", help="Calls that it may begin in a second; 0 is no limit."),
    ] = 0,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add a line. Without --password-stdin a password is made and shown this once."""
    place = data_dir(data)
    address = find_dsn(place, given=dsn)
    loaded = load_conf_or_fail(conf_dir(place, conf))
    password = _password_from_stdin() if has_password else None

    async def work(db: asyncpg.Pool) -> tuple[LineView, str | None]:
        added = await service.add_line(
            db,
            user,
            account_name=account,
            realm=loaded.digest.realm,
            password=password,
            digest=digest,
            emergency_number=emergency_number,
            emergency_address=emergency_address,
            cli=cli,
            calls_max=calls_max,
            withholds_cli=withholds_cli,
            kind=kind,
            addresses=addresses or (),
            calls_per_second_max=calls_per_second_max,
        )
        return await service.show_line(db, user), added.generated_password

    view, generated = run_on_books(address, work)
    _warn_of_carriers(view, loaded)
    _print_with_password(view, generated, as_json=as_json)


@app.command("set")
def set_(
    user: UserArgument,
    settings: SettingsArgument = None,
    *,
    has_password: PasswordStdinOption = False,
    is_generated: Annotated[
        bool, typer.Option("--new-password", help="Make a new password and show it this once.")
    ] = False,
    digest: Annotated[DigestPolicy | None, typer.Option("--digest", help="Which challenges it gets.")] = None,
    cli: Annotated[
        str | None, typer.Option("--cli", help='The number it presents; "" for its first one.')
    ] = None,
    emergency_number: Annotated[
        str | None, typer.Option("--emergency-number", help="The number an emergency centre calls back.")
    ] = None,
    emergency_address: Annotated[
        str | None, typer.Option("--emergency-address", help="Where the line is installed.")
    ] = None,
    calls_max: Annotated[
        int | None,
        typer.Option(
            "--max-calls",
            parser=whole_number(),
            metavar="NUMBER",
            help="Calls at once; 0 is the configured limit.",
        ),
    ] = None,
    withholds_cli: Annotated[
        bool | None, typer.Option("--withhold-cli/--present-cli", help="Whether it hides its number.")
    ] = None,
    kind: Annotated[
        LineKind | None,
        typer.Option("--kind", help="trunk: a PBX, which is told the number that was dialled."),
    ] = None,
    addresses: AddressOption = None,
    registers: Annotated[
        bool, typer.Option("--no-address", help="Forget its addresses: it registers from now on.")
    ] = False,
    calls_per_second_max: Annotated[
        int | None,
        typer.Option("--max-calls-per-second", help="Calls that it may begin in a second; 0 is no limit."),
    ] = None,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Change a line. What is not named stays; addresses that are named replace all that it had.

    Settings are KEY=VALUE, for lists KEY+=VALUE and KEY-=VALUE, too: `offhook line set 1001 rejects_anonymous=yes
    blocked_callers+=01632960009`. A key that there is not is answered with all that there are.
    """
    if addresses and registers:
        raise CommandError("--address and --no-address exclude each other", ExitCode.INVALID)
    place = data_dir(data)
    address = find_dsn(place, given=dsn)
    loaded = load_conf_or_fail(conf_dir(place, conf)) if addresses else None
    password = _password_from_stdin() if has_password else None

    async def work(db: asyncpg.Pool) -> tuple[LineView, str | None]:
        changed = await service.set_line(
            db,
            user,
            password=password,
            is_password_generated=is_generated,
            digest=digest,
            emergency_number=emergency_number,
            emergency_address=emergency_address,
            cli=cli,
            calls_max=calls_max,
            withholds_cli=withholds_cli,
            kind=kind,
            addresses=() if registers else addresses or None,
            calls_per_second_max=calls_per_second_max,
            settings=settings or (),
        )
        return await service.show_line(db, user), changed.generated_password

    view, generated = run_on_books(address, work)
    if loaded is not None:
        _warn_of_carriers(view, loaded)
    _print_with_password(view, generated, as_json=as_json)


@app.command("list")
def list_(
    account: Annotated[str | None, typer.Option("--account", help="Only this account's.")] = None,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the lines."""
    views = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: service.list_lines(db, account))
    if as_json:
        print_json(views)
        return
    heads = columns("user", "account", "kind", "digest", "cli", "numbers", "emergency number")
    rows = [
        [
            view.user,
            view.account,
            view.kind.value,
            view.digest.value,
            view.cli,
            _numbers(view, NUMBERS_LISTED_MAX),
            view.emergency_number or "missing",
        ]
        for view in views
    ]
    print_table(heads, rows, empty="There is no line yet: `offhook line add USER --account NAME`.")


@app.command()
def show(
    user: UserArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Show a line."""
    view = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: service.show_line(db, user))
    if as_json:
        print_json(view)
    else:
        print_facts(_facts(view))


@app.command()
def remove(
    user: UserArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Remove a line. Its numbers must be unassigned before."""
    run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: service.remove_line(db, user))
    if as_json:
        print_json({"removed": user})
    else:
        print_line(f"Line {user} removed.")


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Columns: user, account, password, numbers.")
    ],
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add many lines at once, all or nothing. Passwords that were blank are made and shown this once."""
    place = data_dir(data)
    address = find_dsn(place, given=dsn)
    realm = load_conf_or_fail(conf_dir(place, conf)).digest.realm
    text = _read_import(file)
    try:
        added = run_on_books(address, lambda db: service.import_lines(db, text, realm=realm))
    except CommandError as problem:
        raise CommandError(_with_file(file, str(problem)), problem.code) from None
    generated = [(line.line.user, line.generated_password) for line in added if line.generated_password]
    if as_json:
        print_json({"imported": len(added), "passwords": dict(generated)})
        return
    print_line(f"{len(added)} lines imported.")
    if generated:
        rows = [[user, password] for user, password in generated]
        print_table(columns("user", "password (shown this once)"), rows, empty="")


def _read_import(file: Path) -> str:
    try:
        if file.stat().st_size > IMPORT_BYTES_MAX:
            text = f"{file} has more than {IMPORT_BYTES_MAX // 1024 // 1024} MiB: split it"
            raise CommandError(text, ExitCode.INVALID)
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].count(b"\n") + 1
        text = f"{file}:{line}: found the byte 0x{problem.object[problem.start]:02x}, expected UTF-8 text"
        raise CommandError(text, ExitCode.INVALID) from None
    except OSError as problem:
        raise CommandError(f"{file}: {problem.strerror or problem}", ExitCode.INVALID) from None


def _with_file(file: Path, problems: str) -> str:
    """ "line 3, user: found ..." of the books becomes "lines.csv:3: user: found ..."."""
    lines = []
    for problem in problems.split("\n"):
        place, comma, rest = problem.partition(", ")
        number = place.removeprefix("line ")
        lines.append(f"{file}:{number}: {rest}" if comma and number.isdigit() else f"{file}: {problem}")
    return f"nothing was imported:\n{chr(10).join(lines)}"


def _password_from_stdin() -> str:
    """One line; only its line end is taken off, a space may be part of the password."""
    typed = sys.stdin.buffer.readline(PASSWORD_BYTES_MAX + 1)
    if len(typed) > PASSWORD_BYTES_MAX:
        raise CommandError("the password on standard input is too long", ExitCode.INVALID)
    try:
        password = typed.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise CommandError("the password on standard input is not UTF-8 text", ExitCode.INVALID) from None
    if not password:
        raise CommandError("standard input holds no password", ExitCode.INVALID)
    return password


def _print_with_password(view: LineView, generated: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({**msgspec.to_builtins(view), "password": generated})
        return
    print_facts(_facts(view))
    if generated is not None:
        print_facts([("password", f"{generated}  (shown this once; it is not stored)")])


def _facts(view: LineView) -> list[tuple[str, str]]:
    return [
        ("line", view.user),
        ("account", view.account),
        ("kind", view.kind.value),
        ("reached", ", ".join(view.addresses) or "where it registers"),
        ("realm", view.realm),
        ("digest", view.digest.value),
        ("numbers", _numbers(view) or "none"),
        ("CLI", f"{view.cli or 'its first number'}{' (withheld)' if view.withholds_cli else ''}"),
        ("emergency number", view.emergency_number or "missing"),
        ("emergency address", view.emergency_address or "missing"),
        ("calls at once", str(view.calls_max) if view.calls_max else "as configured"),
        ("calls a second", str(view.calls_per_second_max) if view.calls_per_second_max else "no limit"),
        ("diverts", "; ".join(divert_text(divert) for divert in view.diverts) or "none"),
        ("settings", settings_text(view.settings)),
        ("since", format_moment(view.created_at_ms)),
    ]


def _numbers(view: LineView, listed_max: int | None = None) -> str:
    """Of a trunk's whole range a table shows the first few."""
    numbers = view.numbers
    if listed_max is None or len(numbers) <= listed_max:
        return ", ".join(numbers)
    return f"{', '.join(numbers[:listed_max])} and {len(numbers) - listed_max} more"


def _warn_of_carriers(view: LineView, loaded: "Conf") -> None:
    """A carrier's address stays the carrier's: the calls of this trunk would never be taken for its own."""
    for text in view.addresses:
        address = parse_line_address(text)
        carrier = loaded.trunk_sources.find(address.host, address.port)
        if carrier is not None:
            warn(f"{text} is also an address of the carrier {carrier}: calls from it are the carrier's")
