"""`offhook staff ...`: who may log in to the portal, as what, and who is logged in.

Passwords are typed at the terminal, unseen, or read from a file; never from the command line, which every user of
the machine can read.
"""

import stat
import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_moment
from offhook.output import columns, print_json, print_line, print_table
from portal import staff
from portal.common_passwords import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, password_problem
from portal.passwords import Passwords
from portal.roles import Role
from provisioning.problems import InvalidValue

app = typer.Typer(help="Who may log in to the portal, and who is logged in.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name he logs in with.")]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="A file of one line that only you can read; - is the standard input (default: asked at the terminal).",
        show_default=False,
    ),
]


@app.command()
def add(
    name: NameArgument,
    *,
    role: Annotated[
        Role,
        typer.Option(
            "--role",
            help="support: calls, explanations, faults; engineer: also messages and exports; admin: also who looked.",
        ),
    ] = Role.SUPPORT,
    password_file: PasswordFileOption = None,
    data: DataOption = None,
    dsn: DsnOption = "",
) -> None:
    """Add somebody who may log in to the portal."""
    address = find_dsn(data_dir(data), given=dsn)
    password_hash = _hash(name, password_file)
    run_on_books(address, lambda db: staff.add_staff(db, name, password_hash=password_hash, role=role))
    print_line(f"{name.lower()} may log in as {role.value}.")


@app.command("list")
def list_(data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False) -> None:
    """List who may log in."""
    found = run_on_books(find_dsn(data_dir(data), given=dsn), staff.list_staff)
    if as_json:
        print_json(found)
        return
    rows = [
        [
            each.name,
            each.role.value,
            "disabled" if each.is_disabled else "",
            str(each.sessions),
            format_moment(each.last_seen_at_ms),
            format_moment(each.created_at_ms),
        ]
        for each in found
    ]
    heads = columns("name", "role", "", ">sessions", "last seen", "added")
    print_table(heads, rows, empty="Nobody may log in: `offhook staff add NAME --role admin`.")


@app.command()
def password(
    name: NameArgument,
    *,
    password_file: PasswordFileOption = None,
    data: DataOption = None,
    dsn: DsnOption = "",
) -> None:
    """Give somebody a new password. It ends all of his sessions."""
    address = find_dsn(data_dir(data), given=dsn)
    password_hash = _hash(name, password_file)
    ended = run_on_books(address, lambda db: staff.set_password(db, name, password_hash=password_hash))
    print_line(f"{name.lower()} has a new password. {_ended(ended)}")


@app.command()
def role(
    name: NameArgument,
    role: Annotated[Role, typer.Argument(help="support, engineer or admin.")],
    data: DataOption = None,
    dsn: DsnOption = "",
) -> None:
    """Change what somebody may see, from his next page on."""
    run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: staff.set_role(db, name, role))
    print_line(f"{name.lower()} is {role.value}.")


@app.command()
def disable(
    name: NameArgument,
    *,
    is_lifted: Annotated[bool, typer.Option("--lift", help="Let him in again.")] = False,
    data: DataOption = None,
    dsn: DsnOption = "",
) -> None:
    """Keep somebody out without removing him. It ends all of his sessions."""

    async def work(db: asyncpg.Pool) -> int:
        return await staff.set_disabled(db, name, is_disabled=not is_lifted)

    ended = run_on_books(find_dsn(data_dir(data), given=dsn), work)
    print_line(
        f"{name.lower()} may log in again."
        if is_lifted
        else f"{name.lower()} may not log in. {_ended(ended)}"
    )


@app.command()
def remove(name: NameArgument, data: DataOption = None, dsn: DsnOption = "") -> None:
    """Remove somebody. What he has looked at stays on record."""
    run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: staff.remove_staff(db, name))
    print_line(f"{name.lower()} is removed.")


@app.command()
def sessions(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Of one alone.", show_default=False)] = "",
    *,
    is_ended: Annotated[bool, typer.Option("--end", help="End all sessions of this person.")] = False,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show who is logged in, or end somebody's sessions."""
    address = find_dsn(data_dir(data), given=dsn)
    if is_ended:
        if not name:
            raise CommandError("--end: name whose sessions", ExitCode.INVALID)
        print_line(_ended(run_on_books(address, lambda db: staff.end_sessions(db, name))))
        return
    found = run_on_books(address, lambda db: staff.list_sessions(db, name.lower()))
    if as_json:
        print_json(found)
        return
    rows = [
        [
            each.name,
            format_moment(each.created_at_ms),
            format_moment(each.last_seen_at_ms),
            format_moment(each.expires_at_ms),
            each.address,
        ]
        for each in found
    ]
    print_table(
        columns("name", "since", "last seen", "until at most", "from"), rows, empty="Nobody is logged in."
    )


def _ended(sessions: int) -> str:
    if not sessions:
        return "No session was open."
    return "1 session has ended." if sessions == 1 else f"{sessions} sessions have ended."


def _hash(name: str, file: Path | None) -> str:
    """Of a password that may be used. The name is looked at first: nobody types twice for a name that cannot be."""
    try:
        name = staff.read_name(name)
    except InvalidValue as problem:
        raise CommandError(str(problem), ExitCode.INVALID) from None
    typed = _typed(name) if file is None else _read(file)
    if wrong := password_problem(typed, name):
        raise CommandError(wrong, ExitCode.INVALID)
    return Passwords().hash(typed)


def _typed(name: str) -> str:
    if not sys.stdin.isatty():
        raise CommandError(
            "a password is typed at a terminal, or comes by --password-file FILE (- is the standard input)",
            ExitCode.INVALID,
        )
    first = getpass(f"Password for {name} (at least {PASSWORD_CHARS_MIN} characters): ")
    if getpass("Once more: ") != first:
        raise CommandError("the two are not the same", ExitCode.INVALID)
    return first


def _read(file: Path) -> str:
    """The first line."""
    if str(file) == "-":
        return sys.stdin.readline(PASSWORD_CHARS_MAX + 2).rstrip("\r\n")
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise CommandError(
                f"{file} can be read by others (mode {mode:04o}): chmod 600 {file}", ExitCode.INVALID
            )
        with file.open(encoding="utf-8") as opened:
            return opened.readline(PASSWORD_CHARS_MAX + 2).rstrip("\r\n")
    except UnicodeDecodeError:
        raise CommandError(f"{file}: expected text in UTF-8", ExitCode.INVALID) from None
    except OSError as problem:
        text = f"{file} cannot be read: {problem.strerror or problem}"
        raise CommandError(text, ExitCode.INVALID) from None
