"""A customer of these tests, day by day: invoices, payments, credit notes, the daily run, mails that leave."""

import datetime
import itertools
from pathlib import Path

import asyncpg
import msgspec

from billing.arrears.due import run_due
from billing.arrears.easing import on_received
from billing.arrears.plans import add_hold, add_plan
from billing.conf import BillingConf, load_billing
from billing.open_items import allocate, open_invoices, take_back
from provisioning.ledger import MovementKind, post
from provisioning.settings import Restriction
from tests.billing.books import SELLER, add_account, add_bare_invoice, add_customer, add_payment

CONF_DIR = Path(__file__).parents[3] / "conf"
CONF: BillingConf = msgspec.structs.replace(load_billing(CONF_DIR), seller=SELLER)
POUND = 1_000_000
# Issued on 2 March 2026, a Monday; due on the 16th.
BILLED = "2026-03-02"

_numbers = itertools.count(1)


def date(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def noon(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(12), datetime.UTC)


class SlowPayer:
    """`said` is what the runs said, with its day."""

    def __init__(self, db: asyncpg.Pool, account_id: int, name: str, conf: BillingConf) -> None:
        self.db = db
        self.account_id = account_id
        self.name = name
        self.conf = conf
        self.sends_mail = True
        self.said: list[tuple[datetime.date, str]] = []

    @classmethod
    async def move_in(
        cls, db: asyncpg.Pool, *, kind: str = "consumer", conf: BillingConf = CONF, **facts: object
    ) -> "SlowPayer":
        name = f"Payer {next(_numbers)}"
        account_id = await add_account(db, name=name)
        await add_customer(db, account_id, kind=kind, **facts)
        return cls(db, account_id, name, conf)

    async def is_billed(self, day: str, pounds: str | int) -> str:
        """Due 14 days later. The number."""
        micros = round(float(pounds) * 100) * 10_000
        number = await add_bare_invoice(self.db, self.account_id, micros, issued_on=date(day))
        async with self.db.acquire() as connection, connection.transaction():
            await post(connection, self.account_id, MovementKind.ADJUSTMENT, -micros, key=f"billed/{number}")
        return number

    async def pays(self, day: str, pounds: int, *, quoted: str = "") -> int:
        """As billing/payments does it. The payment's id."""
        payment_id = await add_payment(
            self.db, self.account_id, pounds * POUND, quoted=quoted, received_at=noon(date(day))
        )
        async with self.db.acquire() as connection, connection.transaction():
            await allocate(connection, self.account_id)
            await on_received(connection, self.account_id, today=date(day))
        return payment_id

    async def is_charged_back(self, payment_id: int, pounds: int) -> None:
        async with self.db.acquire() as connection, connection.transaction():
            await connection.execute(
                "UPDATE payments SET returned_micros = returned_micros + $2 WHERE id = $1",
                payment_id,
                pounds * POUND,
            )
            await post(connection, self.account_id, MovementKind.CHARGEBACK, -pounds * POUND)
            await take_back(connection, payment_id, pounds * POUND)

    async def is_credited(self, day: str, number: str, pounds: int) -> None:
        async with self.db.acquire() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO invoices (number, kind, account_id, corrects, issued_on, tax_point, net_micros,"
                " vat_micros, total_micros, document) VALUES ($1, 'credit_note', $2, $3, $4, $4, $5, 0, $5, '{}')",
                f"CREDIT{next(_numbers)}",
                self.account_id,
                number,
                date(day),
                pounds * POUND,
            )
            await post(connection, self.account_id, MovementKind.CREDIT_NOTE, pounds * POUND)
            await allocate(connection, self.account_id)
            await on_received(connection, self.account_id, today=date(day))

    async def agrees(self, day: str, instalments: int, first: str) -> None:
        async with self.db.acquire() as connection, connection.transaction():
            await add_plan(
                connection, self.conf, self.name, instalments=instalments, first=date(first), today=date(day)
            )

    async def holds(self, day: str, until: str, reason: str, invoice: str = "") -> None:
        async with self.db.acquire() as connection, connection.transaction():
            await add_hold(
                connection, self.name, until=date(until), reason=reason, invoice=invoice, today=date(day)
            )

    async def run(self, day: datetime.date) -> list[str]:
        """One day's run, and the post."""
        lines = await run_due(self.db, self.conf, day)
        self.said += [(day, line.removeprefix(f"{self.name}: ")) for line in lines]
        if self.sends_mail:
            await self.db.execute("UPDATE mails SET sent_at = $1 WHERE sent_at IS NULL", noon(day))
        return lines

    async def run_days(self, first: str, last: str) -> None:
        day = date(first)
        while day <= date(last):
            await self.run(day)
            day += datetime.timedelta(1)

    async def restriction(self) -> Restriction:
        return Restriction(
            await self.db.fetchval(
                "SELECT coalesce(settings->>'restriction', '') FROM accounts WHERE id = $1", self.account_id
            )
        )

    async def rung(self) -> str:
        return await self.db.fetchval("SELECT rung FROM arrears WHERE account_id = $1", self.account_id) or ""

    async def interest(self) -> int:
        """All of it, fixed sums included, in micros."""
        found = await self.db.fetchval(
            "SELECT -coalesce(sum(amount_micros), 0)::bigint FROM ledger WHERE account_id = $1 AND kind = 'interest'",
            self.account_id,
        )
        return int(found)

    async def open(self) -> int:
        async with self.db.acquire() as connection:
            return sum(each.open_micros for each in await open_invoices(connection, self.account_id))

    async def subjects(self) -> list[str]:
        rows = await self.db.fetch("SELECT subject FROM mails ORDER BY id")
        return [row["subject"] for row in rows]

    async def history(self) -> list[tuple[str, str]]:
        rows = await self.db.fetch(
            "SELECT day, what FROM arrears_history WHERE account_id = $1 ORDER BY id", self.account_id
        )
        return [(row["day"].isoformat(), row["what"]) for row in rows]
