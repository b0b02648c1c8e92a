"""Whom the embedded PostgreSQL runs as. It refuses to be root, so root gives it a system user of its own.

Started by anybody else, it runs as that user. It leaves out switching the user: that is one argument of
`subprocess`.
"""

import os
import pwd
import shutil
import subprocess

import msgspec

from offhook.exit_codes import CommandError, ExitCode

SYSTEM_USER = "offhook"
# Where no user can be added (a container without the tools), this one exists everywhere and owns no files of
# note.
FALLBACK_USER = "nobody"
USER_TOOL_TIMEOUT_S = 30.0


class ServerUser(msgspec.Struct, frozen=True):
    """The operating system's user that PostgreSQL runs as. `is_other` when it is not ourselves."""

    name: str
    uid: int
    gid: int
    is_other: bool


def own_user() -> ServerUser:
    uid = os.geteuid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise CommandError(
            f"the user id {uid} has no name on this machine, and PostgreSQL does not start without one: "
            "add a user with this id, or give --dsn of a PostgreSQL that runs elsewhere",
            ExitCode.UNREACHABLE,
        ) from None
    return ServerUser(name=entry.pw_name, uid=uid, gid=os.getegid(), is_other=False)


def server_user() -> ServerUser:
    """The user to run PostgreSQL as; as root, makes the system user `offhook` when it is missing."""
    if os.geteuid() != 0:
        return own_user()
    return _existing(SYSTEM_USER) or _added() or _existing(FALLBACK_USER) or _none_found()


def _existing(name: str) -> ServerUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        return None
    return ServerUser(name=name, uid=entry.pw_uid, gid=entry.pw_gid, is_other=True)


def _added() -> ServerUser | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    subprocess.run(  # noqa: S603 - a fixed command line
        [
            useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
            "--shell", "/usr/sbin/nologin", "--comment", "Offhook's PostgreSQL", SYSTEM_USER,
        ],
        check=False,  # another exchange may add it at the same moment; what counts is that it is there
        capture_output=True,
        timeout=USER_TOOL_TIMEOUT_S,
    )  # fmt: skip
    return _existing(SYSTEM_USER)


def _none_found() -> ServerUser:
    raise CommandError(
        f"PostgreSQL does not run as root, and neither could the user {SYSTEM_USER} be added nor "
        f"{FALLBACK_USER} be found: add a system user {SYSTEM_USER}, or start offhook as another user",
        ExitCode.UNREACHABLE,
    )
