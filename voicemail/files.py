"""Small files that are whole or not there: JSON of structs, replaced in one step and synchronised (rename, fsync)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final, TypeVar

import msgspec

# JSON of one mailbox or message: some hundred bytes. More is no file of ours.
JSON_BYTES_MAX: Final = 64 * 1024

S = TypeVar("S", bound=msgspec.Struct)


class StoreProblem(Exception):  # noqa: N818 - the disk's or the operator's, said as a sentence
    """A mailbox cannot be read or written."""


def read_json(path: Path, kind: type[S]) -> S | None:
    """None where there is none. Raises StoreProblem for one that cannot be understood."""
    try:
        with path.open("rb") as file:
            data = file.read(JSON_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(data[:JSON_BYTES_MAX], type=kind)
    except msgspec.DecodeError as problem:
        raise StoreProblem(f"{path}: {problem}") from None


def write_whole(path: Path, data: bytes) -> None:
    """The old file or the new one, never a half one. Raises OSError."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        give_to_owner(temporary)
        temporary.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_to_owner(path: Path) -> None:
    """A command that root runs must not leave files that the exchange cannot read."""
    if os.geteuid() != 0:
        return
    owner = path.parent.stat()
    if owner.st_uid:
        os.chown(path, owner.st_uid, owner.st_gid)
