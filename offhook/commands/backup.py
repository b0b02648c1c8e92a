"""`offhook backup` and `offhook restore`: the books as one file, by PostgreSQL's own pg_dump and pg_restore.

A backup is taken while the exchange runs and is one consistent moment. A restore makes a fresh data
directory, before the first `offhook up` on it: balances live in the switch too, so books are never changed
under a running one. The configuration files and the journal are not in it.
"""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir
from offhook.database import find_dsn, without_password
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import print_json, print_line
from offhook.paths import SECRET_FILE_MODE, DataDir
from offhook.postgres.binaries import program
from offhook.postgres.embedded import EmbeddedPostgres
from offhook.supervisor.lock import take_exchange_lock
from offhook.supervisor.part import Part
from offhook.supervisor.plans import PRIVATE_UMASK, postgres_plan
from provisioning.logs import configure_logs
from provisioning.printable import shorten

# pg_dump's own archive format: compressed, checked by pg_restore.
ARCHIVE_MAGIC = b"PGDMP"
ERROR_CHARS_MAX = 500

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup file.")]


def backup(
    file: FileArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Write the books of the running exchange to a file (it must not exist yet)."""
    target = file.expanduser().absolute()
    if _exists(target):
        raise CommandError(f"{target} exists: it is not overwritten")
    address, password = without_password(find_dsn(data_dir(data), given=dsn))
    part = target.with_name(target.name + ".part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, SECRET_FILE_MODE))
        _run(
            [
                program("pg_dump"),
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                f"--file={part}",
                address,
            ],
            password,
        )
        part.rename(target)
    except OSError as problem:
        raise CommandError(f"{target} cannot be written: {problem.strerror or problem}") from None
    finally:
        part.unlink(missing_ok=True)
    size = target.stat().st_size
    if as_json:
        print_json({"file": str(target), "bytes": size})
    else:
        print_line(f"The books are in {target} ({size:,} bytes).")


def _exists(target: Path) -> bool:
    try:
        return target.exists()
    except OSError as problem:  # a name that is too long, a folder that may not be looked into
        text = f"{shorten(str(target))} cannot be written: {problem.strerror or problem}"
        raise CommandError(text, ExitCode.INVALID) from None


def restore(file: FileArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Make a fresh data directory from a backup, before `offhook up`."""
    os.umask(PRIVATE_UMASK)
    configure_logs()
    source = file.expanduser().absolute()
    _refuse_no_archive(source)
    place = data_dir(data)
    lock = take_exchange_lock(place)
    try:
        if place.postgres.exists():
            raise CommandError(f"{place.root} holds books already: restore into a fresh --data directory")
        asyncio.run(_restore(place, source))
    finally:
        lock.release()
    if as_json:
        print_json({"restored": str(source), "data": str(place.root)})
    else:
        print_line(f"The books of {source} are in {place.root}: start with `offhook up`.")


async def _restore(place: DataDir, source: Path) -> None:
    """Runs PostgreSQL for as long as the restore takes. A failed restore leaves the directory fresh."""
    embedded = EmbeddedPostgres(place)
    await asyncio.to_thread(embedded.prepare)
    part = Part(postgres_plan(embedded))
    running = asyncio.create_task(part.run())
    is_done = False
    try:
        ready = asyncio.create_task(_make_ready(embedded))
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            ready.cancel()
            running.result()
        await ready
        command = [
            program("pg_restore"),
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "--single-transaction",
        ]
        await asyncio.to_thread(_run, [*command, f"--dbname={embedded.dsn}", str(source)], "")
        is_done = True
    finally:
        await part.stop()
        await asyncio.gather(running, return_exceptions=True)
        if not is_done:
            shutil.rmtree(place.postgres, ignore_errors=True)


async def _make_ready(embedded: EmbeddedPostgres) -> None:
    await embedded.wait_until_ready()
    await embedded.ensure_database()


def _refuse_no_archive(source: Path) -> None:
    try:
        with source.open("rb") as archive:
            found = archive.read(len(ARCHIVE_MAGIC))
    except OSError as problem:
        raise CommandError(f"{source}: {problem.strerror or problem}", ExitCode.INVALID) from None
    if found != ARCHIVE_MAGIC:
        raise CommandError(f"{source} is no file that `offhook backup` wrote", ExitCode.INVALID)


def _run(command: list[str], password: str) -> None:
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    done = subprocess.run(  # noqa: S603 - our own program
        command, check=False, capture_output=True, text=True, errors="replace", env=environment
    )
    if done.returncode != 0:
        said = shorten(done.stderr.strip(), ERROR_CHARS_MAX)
        raise CommandError(f"{Path(command[0]).name} failed: {said}", ExitCode.UNREACHABLE)
