"""Re-rating a period: each leg whose charge changes gets its old charge back and the new one, as entries of the ledger.

Nothing is ever edited. A leg's two entries and its row in `rerated_calls` are one transaction, under keys that name the
run: killed anywhere and ordered again, a run goes on where it was, and what stands is not moved twice. Another run over
the same calls starts from what is in force then. A leg that cannot be rated is set aside, with an alarm of its account
at the end, and stops nobody.
"""

import datetime
from typing import Final

import asyncpg
import msgspec

from provisioning.ledger import MovementKind, post_all
from provisioning.problems import InvalidValue, Refused
from provisioning.rerating.comparison import Comparison, Progress, priced_legs
from provisioning.rerating.legs import Scope
from provisioning.rerating.repricing import Choice, PricedLeg
from provisioning.utc import time_from_ms
from rating.london_day import london_day
from rating.rated_leg import Priced, Unratable

REASON_CHARS_MAX: Final = 200
# Legs of one transaction: while it lasts, nobody else's change of the books gets its number.
LEGS_AT_ONCE: Final = 200
ONE_RUN: Final = 7_164_200_020  # of advisory locks; any constant that is the same everywhere
UNRATABLE: Final = "unratable"  # the alarm's rule

_INSERT: Final = (
    "INSERT INTO rerated_calls (run_id, call_id, leg, account_id, setup_at, old_micros, new_micros, billed_s,"
    " connect_fee_micros, usage_micros, access_charge_micros, service_charge_micros, rate_prefix,"
    " destination_name, tariff, tariff_version, invoice)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
)


class Order(msgspec.Struct, frozen=True):
    """What is to be rated again, by which tariff, and why."""

    scope: Scope
    choice: Choice
    reason: str

    def __post_init__(self) -> None:
        if not (1 <= len(self.reason) <= REASON_CHARS_MAX and self.reason.isprintable()):
            raise InvalidValue("reason", self.reason, f"1 to {REASON_CHARS_MAX} printable characters")


class Rerated(msgspec.Struct):
    """What came of a run. `run_id` is 0 where nothing was written. `invoiced` counts changed legs by the invoice that
    their old charge stands on."""

    comparison: Comparison
    run_id: int = 0
    is_resumed: bool = False
    changed: int = 0
    invoiced: dict[str, int] = {}


async def rerate(db: asyncpg.Pool, order: Order, progress: Progress | None = None, *, is_dry: bool = False) -> Rerated:
    """Raises Refused while another run is going on."""
    if is_dry:
        return await _rehearse(db, order, progress)
    async with db.acquire() as writing:
        if not await writing.fetchval("SELECT pg_try_advisory_lock($1)", ONE_RUN):
            raise Refused("another re-rating is going on: wait until it has ended")
        try:
            return await _Run(writing, order).make(db, progress)
        finally:
            await writing.execute("SELECT pg_advisory_unlock($1)", ONE_RUN)


async def _rehearse(db: asyncpg.Pool, order: Order, progress: Progress | None) -> Rerated:
    comparison = Comparison()
    done = Rerated(comparison)
    async with db.acquire() as reading:
        invoices = _Invoices(reading)
        async for found in priced_legs(db, order.scope, order.choice, progress):
            comparison.take(found)
            if is_changed(found):
                done.changed += 1
                _count(done.invoiced, await invoices.of(found))
    return done


def is_changed(found: PricedLeg) -> bool:
    return isinstance(found.result, Priced) and found.new_micros != found.leg.cost_micros


class _Run:
    """One run, by the connection that holds the lock."""

    def __init__(self, db: asyncpg.Connection, order: Order) -> None:
        self._db = db
        self._order = order
        self._invoices = _Invoices(db)
        self._id = 0
        self._done = Rerated(Comparison())

    async def make(self, pool: asyncpg.Pool, progress: Progress | None) -> Rerated:
        done = self._done
        done.run_id, done.is_resumed = await self._open()
        self._id = done.run_id
        batch: list[PricedLeg] = []
        async for found in priced_legs(pool, self._order.scope, self._order.choice, progress):
            if found.leg.run_id == self._id:
                continue  # done before this run was interrupted
            done.comparison.take(found)
            if is_changed(found) or isinstance(found.result, Unratable):
                batch.append(found)
            if len(batch) == LEGS_AT_ONCE:
                await self._write(batch)
                batch = []
        await self._write(batch)
        await self._close()
        return done

    async def _open(self) -> tuple[int, bool]:
        """The run's number, and whether it is one that was interrupted."""
        scope, choice = self._order.scope, self._order.choice
        terms = (scope.since, scope.until, scope.account_id, choice.name, choice.version, self._order.reason)
        found = await self._db.fetchval(
            "SELECT max(id) FROM rerating_runs WHERE finished_at IS NULL AND since = $1 AND until = $2"
            " AND account_id IS NOT DISTINCT FROM $3 AND tariff = $4 AND tariff_version = $5 AND reason = $6",
            *terms,
        )
        if found is not None:
            return found, True
        return await self._db.fetchval(
            "INSERT INTO rerating_runs (since, until, account_id, tariff, tariff_version, reason)"
            " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            *terms,
        ), False

    async def _write(self, batch: list[PricedLeg]) -> None:
        """A transaction for each account, so that two who lock several never wait for each other."""
        by_account: dict[int, list[PricedLeg]] = {}
        for found in batch:
            by_account.setdefault(found.leg.account_id, []).append(found)
        for account_id, legs in by_account.items():
            changed = [(found, found.result) for found in legs if isinstance(found.result, Priced)]
            aside = [(found, found.result.why) for found in legs if isinstance(found.result, Unratable)]
            async with self._db.transaction():
                await self._correct(account_id, changed)
                await self._set_aside(aside)
            self._done.changed += len(changed)

    async def _correct(self, account_id: int, changed: list[tuple[PricedLeg, Priced]]) -> None:
        movements, rows = [], []
        for found, result in changed:
            invoice = await self._invoices.of(found)
            _count(self._done.invoiced, invoice)
            movements += self._movements(found)
            rows.append(self._row(found, result, invoice))
        await post_all(self._db, account_id, MovementKind.RERATING, movements)
        await self._db.executemany(_INSERT, rows)

    def _movements(self, found: PricedLeg) -> list[tuple[int, str, str]]:
        """The old charge back, and the new one; nothing where one of them is nothing."""
        leg = found.leg
        key = f"rerating/{self._id}/{leg.call_id}/{leg.leg}"
        what = f"call {leg.call_id} leg {leg.leg}, re-rating {self._id}: {self._order.reason}"
        both = [
            (leg.cost_micros, f"the old charge of {what}", f"{key}/back"),
            (-found.new_micros, f"the new charge of {what}", f"{key}/new"),
        ]
        return [movement for movement in both if movement[0]]

    def _row(self, found: PricedLeg, result: Priced, invoice: str) -> tuple[object, ...]:
        leg, charge, tariff = found.leg, result.charge, found.tariff
        assert tariff is not None
        return (
            self._id,
            leg.call_id,
            leg.leg,
            leg.account_id,
            time_from_ms(leg.setup_at_ms),
            leg.cost_micros,
            charge.total_micros,
            0 if leg.has_no_seconds else charge.billed_s,
            charge.connect_fee_micros,
            charge.usage_micros,
            charge.access_charge_micros,
            charge.service_charge_micros,
            "" if result.rate is None else result.rate.prefix,
            "" if result.rate is None else result.rate.destination,
            tariff.name,
            tariff.version,
            invoice,
        )

    async def _set_aside(self, aside: list[tuple[PricedLeg, str]]) -> None:
        await self._db.executemany(
            "INSERT INTO unratable_calls (run_id, call_id, leg, account_id, why) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT DO NOTHING",
            [(self._id, found.leg.call_id, found.leg.leg, found.leg.account_id, why) for found, why in aside],
        )

    async def _close(self) -> None:
        """The run is over; whose legs were set aside has an alarm."""
        async with self._db.transaction():
            await self._db.execute(
                "INSERT INTO alarms (id, account_id, rule, at, words)"
                " SELECT 'rerating/' || $1::text || '/' || account_id, account_id, $2, now(),"
                " count(*) || ' legs could not be rated again by run ' || $1::text || ', the first: ' || min(why)"
                " FROM unratable_calls WHERE run_id = $3 GROUP BY account_id ON CONFLICT DO NOTHING",
                str(self._id),
                UNRATABLE,
                self._id,
            )
            await self._db.execute(
                "UPDATE rerating_runs SET finished_at = now(), legs = $2 WHERE id = $1",
                self._id,
                self._done.comparison.legs,
            )


class _Invoices:
    """On which invoice the charge of a leg stands: that of its account for the period in which it ended."""

    def __init__(self, db: asyncpg.Connection) -> None:
        self._db = db
        self._found: dict[tuple[int, int], str] = {}

    async def of(self, found: PricedLeg) -> str:
        """The invoice's number, "" for none."""
        day = london_day(found.leg.ended_at_ms)
        key = found.leg.account_id, day
        if key not in self._found:
            number = await self._db.fetchval(
                "SELECT number FROM invoices WHERE account_id = $1 AND kind = 'invoice' AND period_from <= $2"
                " AND period_to > $2 ORDER BY id LIMIT 1",
                found.leg.account_id,
                datetime.date.fromordinal(day),
            )
            self._found[key] = number or ""
        return self._found[key]


def _count(counts: dict[str, int], name: str) -> None:
    if name:
        counts[name] = counts.get(name, 0) + 1


class RunView(msgspec.Struct, frozen=True):
    """One run as it is listed. `finished_at` None: interrupted; the same order makes it go on."""

    id: int
    since: datetime.datetime
    until: datetime.datetime
    account: str
    tariff: str
    tariff_version: str
    reason: str
    started_at: datetime.datetime
    finished_at: datetime.datetime | None
    legs: int
    changed: int
    diff_micros: int
    set_aside: int


async def list_runs(db: asyncpg.Pool, limit: int) -> list[RunView]:
    """The latest first."""
    rows = await db.fetch(
        "SELECT r.id, r.since, r.until, coalesce(a.name, '') AS account, r.tariff, r.tariff_version, r.reason,"
        " r.started_at, r.finished_at, r.legs, coalesce(c.changed, 0) AS changed, coalesce(c.diff, 0) AS diff_micros,"
        " (SELECT count(*) FROM unratable_calls u WHERE u.run_id = r.id) AS set_aside"
        " FROM rerating_runs r LEFT JOIN accounts a ON a.id = r.account_id"
        " LEFT JOIN (SELECT run_id, count(*) AS changed, sum(diff_micros)::bigint AS diff"
        " FROM rerated_calls GROUP BY 1) c ON c.run_id = r.id ORDER BY r.id DESC LIMIT $1",
        limit,
    )
    return [RunView(**dict(row)) for row in rows]
