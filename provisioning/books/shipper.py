"""Ships the journal's outbox to PostgreSQL, exactly once: rows and mark are one transaction.

The mark says how far an epoch's batches are shipped. It is moved first, from the value that this shipper
knows: a second shipper waits there and then finds that it has moved. If the connection breaks at COMMIT,
nobody knows whether it happened; the mark, read again by the next connection, does.
"""

from typing import Final

import asyncpg
import structlog

from provisioning.books.isolation import BAD_ROW, Outcome, copy_isolating, copy_rows
from provisioning.books.messages import Shipped
from provisioning.books.outbox import Outbox, is_full
from provisioning.books.shipment import COMPARED_FIRST, COPIED, SetAside, Shipment, pack_shipment

_MOVE_MARK: Final = (
    "INSERT INTO journal_marks (epoch, batch) VALUES ($1, $2)"
    " ON CONFLICT (epoch) DO UPDATE SET batch = excluded.batch, at = excluded.at"
    " WHERE journal_marks.batch = $3 RETURNING batch"
)
_QUARANTINE: Final = "INSERT INTO quarantine (epoch, batch, reason, raw) VALUES ($1, $2, $3, $4)"

log = structlog.get_logger("provisioning.books")


class MarkMovedError(Exception):
    """Somebody else ships the same journal. The caller starts again from the mark as it is now."""


class Shipper:
    """One connection's worth of shipping: `ship_next` until it returns None, and again when there is more."""

    __slots__ = ("_db", "_outbox", "epoch", "is_behind", "mark")

    def __init__(self, db: asyncpg.Connection, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox
        self.epoch = ""
        self.mark = 0
        self.is_behind = False  # the last chunk was full: more is waiting

    async def ship_next(self) -> Shipped | None:
        """Ship one chunk; None if there is nothing. Raises MarkMovedError and both databases' errors."""
        if not self.epoch and not await self._find_mark():
            return None
        batches = self._outbox.read(self.mark)
        if not batches:
            return None
        shipment = pack_shipment(batches)
        if batches[0].batch != self.mark + 1:
            self._note_gap(shipment, batches[0].batch)
        try:
            async with self._db.transaction():
                outcome = await self._ship(shipment, is_isolating=False)
        except BAD_ROW:
            async with self._db.transaction():
                outcome = await self._ship(shipment, is_isolating=True)
        self.mark = shipment.last_batch
        self.is_behind = is_full(batches)
        return self._report(shipment, outcome)

    def find_mark_again(self) -> None:
        """After MarkMovedError."""
        self.epoch = ""

    async def _find_mark(self) -> bool:
        epoch = self._outbox.epoch()
        if not epoch:
            return False
        self.mark = await self._db.fetchval("SELECT batch FROM journal_marks WHERE epoch = $1", epoch) or 0
        self.epoch = epoch
        return True

    async def _ship(self, shipment: Shipment, *, is_isolating: bool) -> Outcome:
        outcome = Outcome()
        moved = await self._db.fetchval(_MOVE_MARK, self.epoch, shipment.last_batch, self.mark)
        if moved is None:
            raise MarkMovedError(f"the mark of journal {self.epoch} is no longer {self.mark}")
        for table in COMPARED_FIRST:
            await copy_isolating(self._db, table, shipment.items.get(table.name, []), outcome)
        for table in COPIED:
            items = shipment.items.get(table.name)
            if not items:
                continue
            if is_isolating:
                await copy_isolating(self._db, table, items, outcome)
            else:
                await copy_rows(self._db, table, items)
        outcome.set_aside += shipment.set_aside
        if outcome.set_aside:
            rows = [(self.epoch, aside.batch, aside.reason, aside.raw) for aside in outcome.set_aside]
            await self._db.executemany(_QUARANTINE, rows)
        return outcome

    def _note_gap(self, shipment: Shipment, first_batch: int) -> None:
        """Batches were forgotten before they were shipped: this database is older than the journal thinks."""
        reason = f"batches {self.mark + 1} to {first_batch - 1} are no longer in the journal"
        shipment.set_aside.append(SetAside(first_batch - 1, reason, b""))

    def _report(self, shipment: Shipment, outcome: Outcome) -> Shipped:
        for aside in outcome.set_aside:
            log.error("record_quarantined", epoch=self.epoch, batch=aside.batch, reason=aside.reason)
        return Shipped(
            self.epoch, shipment.last_batch, shipment.records, outcome.repeated, len(outcome.set_aside)
        )
