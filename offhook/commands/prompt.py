"""`offhook prompt ...`: what a customer's menus and queues say, as WAV files of the account.

A prompt is heard from the next call on, under the name own.<account id>.<name>, which `list` shows. A file is read with
suspicion and kept as it is played: mono, 16 bits, 16 kHz.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from media.prompts.own_recordings import FILE_BYTES_MAX
from media.wav import WavProblem
from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import columns, print_json, print_line, print_table
from offhook.supervisor.plans import PRIVATE_UMASK
from provisioning import service
from provisioning.printable import shorten
from voicemail.account_prompts import NAME, AccountPrompts

app = typer.Typer(help="What the menus and queues of an account say.", no_args_is_help=True)

AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Its name: a-z, 0-9 and hyphens.")]


@app.command("import")
def import_(
    account: AccountArgument,
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A WAV file; - reads it from stdin.")],
    data: DataOption = None,
    dsn: DsnOption = "",
) -> None:
    """Take in a prompt, instead of the one of that name."""
    _check_name(name)
    sound = _read(file)
    prompts, account_id = _open(account, data, dsn)
    with _failures_said(str(file)):
        kept = prompts.put(account_id, name, sound)
    print_line(f"{_played_as(account_id, name)}: {kept.seconds:.1f} s.")


@app.command("list")
def list_(
    account: AccountArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """List an account's prompts."""
    prompts, account_id = _open(account, data, dsn)
    with _failures_said(account):
        found = prompts.prompts(account_id)
    if as_json:
        print_json(
            [
                {"name": each.name, "played_as": _played_as(account_id, each.name), "seconds": each.seconds}
                for each in found
            ]
        )
        return
    rows = [[each.name, f"{each.seconds:.1f}", _played_as(account_id, each.name)] for each in found]
    print_table(columns("name", ">seconds", "played as"), rows, empty="This account has no prompts.")


@app.command()
def delete(
    account: AccountArgument, name: NameArgument, data: DataOption = None, dsn: DsnOption = ""
) -> None:
    """Delete a prompt. Menus that play it say nothing in its place."""
    _check_name(name)
    prompts, account_id = _open(account, data, dsn)
    with _failures_said(name):
        is_deleted = prompts.delete(account_id, name)
    if not is_deleted:
        raise CommandError(f"{shorten(account)} has no prompt {name}")
    print_line(f"{_played_as(account_id, name)} deleted.")


def _open(account: str, named: Path | None, dsn: str) -> tuple[AccountPrompts, str]:
    os.umask(PRIVATE_UMASK)
    place = data_dir(named)
    details = run_on_books(find_dsn(place, given=dsn), lambda db: service.show_account(db, account))
    return AccountPrompts(place.prompts), str(details.view.account.id)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        text = f"{shorten(name)!r} is no name of a prompt; expected 1 to 64 of a-z, 0-9 and hyphens"
        raise CommandError(text, ExitCode.INVALID)


def _read(file: Path) -> bytes:
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
        else:
            with file.open("rb") as opened:
                data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as problem:
        raise CommandError(f"{file}: {problem.strerror or problem}") from None
    if len(data) > FILE_BYTES_MAX:
        raise CommandError(f"{file} is larger than {FILE_BYTES_MAX} bytes")
    return data


def _played_as(account_id: str, name: str) -> str:
    return f"own.{account_id}.{name}"


@contextmanager
def _failures_said(what: str) -> Iterator[None]:
    try:
        yield
    except WavProblem as problem:
        raise CommandError(f"{shorten(what)} {problem}") from None
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        raise CommandError(f"{where}{problem.strerror or problem}") from None
