"""The books whole: read in one REPEATABLE READ transaction, kept in a checkpoint file beside the journal.

Balances, the journal's mark and the last change are of one moment, so that a switch that replays the journal
above the mark and follows the changes above the last one arrives at the truth. The file is written beside its
place, synced and renamed: whoever reads it finds a whole one. It holds HA1s, so only its owner may read it.
"""

import os
import time
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from provisioning import store
from provisioning.bundle_rows import load_bundles
from provisioning.model import Snapshot
from provisioning.plans.plan_rows import load_plans
from provisioning.spend_rows import load_spends

OWNER_ONLY: Final = 0o600
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Snapshot)


async def load_snapshot(db: asyncpg.Connection, epoch: str) -> Snapshot:
    """The books now, with the mark of the journal `epoch` ("" for a journal that is not there yet)."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        # The first statement takes the moment that all others see.
        change_seq = await db.fetchval("SELECT coalesce(max(seq), 0) FROM changes")
        batch = await db.fetchval("SELECT batch FROM journal_marks WHERE epoch = $1", epoch)
        return Snapshot(
            taken_at_ms=time.time_ns() // 1_000_000,
            change_seq=change_seq,
            journal_epoch=epoch,
            journal_batch=batch or 0,
            accounts=await store.load_accounts(db),
            balances=await store.load_balances(db),
            lines=await store.load_lines(db),
            numbers=await store.load_numbers(db),
            spends=await load_spends(db),
            plans=await load_plans(db),
            bundles=await load_bundles(db),
        )


def write_checkpoint(path: Path, snapshot: Snapshot) -> None:
    """Raises OSError; the file that was there is then still whole."""
    making = path.with_name(path.name + ".new")
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_encoder.encode(snapshot))
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_checkpoint(path: Path) -> Snapshot | None:
    """None if there is none or it cannot be read: then only PostgreSQL can say what the books hold."""
    try:
        return _decoder.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, ValueError):  # ValueError: an enum or UTF-8 of another release
        return None
