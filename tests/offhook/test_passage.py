"""The access list that lets one user pass, as the kernel writes it."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.postgres.passage import (
    NO_ID,
    TAG_GROUP,
    TAG_MASK,
    TAG_NAMED_GROUP,
    TAG_OTHER,
    TAG_OWNER,
    TAG_USER,
    Entry,
    decode,
    encode,
    entries_of_mode,
    may_pass,
    open_passage,
    with_passage,
)
from offhook.postgres.system_user import ServerUser

UID = 4711
permissions = st.integers(min_value=0, max_value=7)
ids = st.integers(min_value=1, max_value=2**31)


@st.composite
def access_lists(draw: st.DrawFn) -> list[Entry]:
    entries = entries_of_mode(draw(st.integers(min_value=0, max_value=0o777)))
    users = draw(st.dictionaries(ids, permissions, max_size=3))
    groups = draw(st.dictionaries(ids, permissions, max_size=3))
    entries += [Entry(tag=TAG_USER, id=uid, permissions=bits) for uid, bits in users.items()]
    entries += [Entry(tag=TAG_NAMED_GROUP, id=gid, permissions=bits) for gid, bits in groups.items()]
    if users or groups or draw(ids) % 2:
        entries.append(Entry(tag=TAG_MASK, id=NO_ID, permissions=draw(permissions)))
    return sorted(entries)


def effective(entries: list[Entry]) -> dict[tuple[int, int], int]:
    mask = next((entry.permissions for entry in entries if entry.tag == TAG_MASK), 7)
    masked = (TAG_USER, TAG_GROUP, TAG_NAMED_GROUP)
    return {
        (entry.tag, entry.id): entry.permissions & mask if entry.tag in masked else entry.permissions
        for entry in entries
        if entry.tag != TAG_MASK
    }


@given(access_lists())
def test_encode_and_decode_are_inverse(entries: list[Entry]) -> None:
    assert decode(encode(entries)) == entries


@given(access_lists())
def test_one_user_may_pass_and_nobody_else_gains_or_loses_anything(entries: list[Entry]) -> None:
    before = effective(entries)
    after = effective(with_passage(entries, UID))
    granted = after.pop((TAG_USER, UID))
    assert granted & 1
    assert granted == before.pop((TAG_USER, UID), 0) | 1
    assert after == before


@given(access_lists())
def test_granting_twice_changes_nothing(entries: list[Entry]) -> None:
    once = with_passage(entries, UID)
    assert with_passage(once, UID) == once


def test_the_bytes_are_those_of_the_kernel() -> None:
    assert encode(with_passage(entries_of_mode(0o700), 1)).hex() == (
        "02000000"
        f"{TAG_OWNER:02x}000700ffffffff"
        f"{TAG_USER:02x}00010001000000"
        f"{TAG_GROUP:02x}000000ffffffff"
        f"{TAG_MASK:02x}000100ffffffff"
        f"{TAG_OTHER:02x}000000ffffffff"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_closed_directory_can_be_walked_through_but_not_listed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    inside = closed / "inside"
    inside.mkdir(parents=True)
    (inside / "file").write_text("reached")
    (inside / "file").chmod(0o644)
    inside.chmod(0o755)
    closed.chmod(0o700)
    stranger = ServerUser(name="stranger", uid=UID, gid=UID, is_other=True)
    assert not may_pass(closed, stranger)

    changed = open_passage(inside / "file", stranger)
    assert closed in changed
    assert may_pass(closed, stranger)
    assert not open_passage(inside / "file", stranger)
    assert _as(UID, "cat", inside / "file").stdout == "reached"
    assert _as(UID, "ls", closed).returncode != 0
    assert _as(UID + 1, "cat", inside / "file").returncode != 0


def _as(uid: int, *command: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(word) for word in command],
        user=uid,
        group=uid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
