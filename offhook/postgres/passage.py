"""Lets PostgreSQL's own user pass through the directories above its files, and nobody else.

Root's directories are often closed (/root is 0700), and so are many above a data directory or a virtual
environment. Opening them to everybody would be too much; a POSIX access list entry `user:offhook:--x` lets
one user walk through without listing or reading anything. The list is written as the kernel's extended
attribute (linux/posix_acl_xattr.h), so no tool needs to be installed. It leaves out default lists and
removal.
"""

import errno
import os
import stat
import struct
from pathlib import Path

import msgspec

from offhook.exit_codes import CommandError
from offhook.postgres.system_user import ServerUser

ATTRIBUTE = "system.posix_acl_access"
VERSION = 2
NO_ID = 0xFFFFFFFF

TAG_OWNER, TAG_USER, TAG_GROUP, TAG_NAMED_GROUP, TAG_MASK, TAG_OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
EXECUTE = 1


class Entry(msgspec.Struct, frozen=True, order=True):
    """One line of an access list. The kernel wants them in the order of tag, then id."""

    tag: int
    id: int
    permissions: int


def decode(value: bytes) -> list[Entry]:
    """Reads the attribute's value; little-endian whatever the machine."""
    entries = []
    for tag, permissions, entry_id in struct.iter_unpack("<HHI", value[4:]):
        entries.append(Entry(tag=tag, id=entry_id, permissions=permissions))
    return entries


def encode(entries: list[Entry]) -> bytes:
    parts = [struct.pack("<I", VERSION)]
    parts.extend(struct.pack("<HHI", entry.tag, entry.permissions, entry.id) for entry in sorted(entries))
    return b"".join(parts)


def entries_of_mode(mode: int) -> list[Entry]:
    """The access list that a file without one has: its permission bits."""
    return [
        Entry(tag=TAG_OWNER, id=NO_ID, permissions=mode >> 6 & 7),
        Entry(tag=TAG_GROUP, id=NO_ID, permissions=mode >> 3 & 7),
        Entry(tag=TAG_OTHER, id=NO_ID, permissions=mode & 7),
    ]


def with_passage(entries: list[Entry], uid: int) -> list[Entry]:
    """The same list, and `uid` may pass.

    The mask grows by execute only if it must, so nobody else gains by it.
    """
    before = next((entry for entry in entries if entry.tag == TAG_USER and entry.id == uid), None)
    kept = [entry for entry in entries if entry is not before and entry.tag != TAG_MASK]
    old_mask = next((entry.permissions for entry in entries if entry.tag == TAG_MASK), None)
    if old_mask is None:
        old_mask = next(entry.permissions for entry in entries if entry.tag == TAG_GROUP)
    granted = (before.permissions & old_mask if before is not None else 0) | EXECUTE
    masked = [
        Entry(tag=entry.tag, id=entry.id, permissions=entry.permissions & old_mask)
        if entry.tag in (TAG_USER, TAG_GROUP, TAG_NAMED_GROUP)
        else entry
        for entry in kept
    ]
    named = Entry(tag=TAG_USER, id=uid, permissions=granted)
    return sorted([*masked, named, Entry(tag=TAG_MASK, id=NO_ID, permissions=old_mask | EXECUTE)])


def may_pass(path: Path, user: ServerUser) -> bool:
    """Whether `user` can walk through this directory, by its owner, group and access list."""
    status = path.stat()
    mode = status.st_mode
    if status.st_uid == user.uid:
        return bool(mode & stat.S_IXUSR)
    entries = _entries_of(path)
    mask = next((entry.permissions for entry in entries if entry.tag == TAG_MASK), 7)
    for entry in entries:
        if entry.tag == TAG_USER and entry.id == user.uid:
            return bool(entry.permissions & mask & EXECUTE)
    if status.st_gid == user.gid:
        group = next(entry.permissions for entry in entries if entry.tag == TAG_GROUP)
        return bool(group & mask & EXECUTE)
    return bool(mode & stat.S_IXOTH)


def open_passage(to: Path, user: ServerUser) -> list[Path]:
    """Lets `user` reach `to` through all directories above it. Returns those that had to be changed."""
    changed = []
    for directory in reversed(to.resolve().parents):
        if may_pass(directory, user):
            continue
        try:
            os.setxattr(directory, ATTRIBUTE, encode(with_passage(_entries_of(directory), user.uid)))
        except OSError as problem:
            raise CommandError(
                f"PostgreSQL runs as the user {user.name}, who may not pass through {directory} "
                f"(an access list could not be set: {os.strerror(problem.errno or 0)}): either "
                f"`chmod o+x {directory}`, or choose another directory with --data, such as /var/lib/offhook"
            ) from None
        changed.append(directory)
    return changed


def _entries_of(path: Path) -> list[Entry]:
    try:
        return decode(os.getxattr(path, ATTRIBUTE))
    except OSError as problem:
        if problem.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
            raise
        return entries_of_mode(path.stat().st_mode)
