"""A month of 1,000 accounts and 200,000 calls, from the first reservation to the last invoice: `python -m bench.month`.

Calls are rated by the live engine with bundles, access and service charges; their records go through the shipper into
PostgreSQL; the invoice run bills the month, and a second run must find nothing to do. Then everything is added up by
queries of this file's own. Exit code 1 where a micro is missing. `--accounts` and `--calls` make it smaller.
"""

import argparse
import asyncio
import datetime
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from bench.month_of_calls import MonthOfCalls, Payer
from billing.conf import BillingConf, Seller, load_billing
from billing.invoices.check import check_billing
from billing.invoices.run import month_period, run_month
from provisioning import service
from provisioning.books.outbox import OutboxBatch
from provisioning.books.shipper import Shipper
from provisioning.books.snapshot import load_snapshot
from provisioning.bundles import Grant, grant
from provisioning.model import AccountKind, Snapshot
from rating.account import AccountTerms
from rating.engine import Engine
from rating.journal.frames import pack_records
from rating.money import VatMode, format_pounds
from rating.records import OutboxRecord
from rating.tariff import Tariff
from switch.bundles import load_bundles
from switch.config import load_conf
from tests.postgres import server

CONF_FOLDER: Final = Path(__file__).parents[1] / "conf"
ACCOUNTS: Final = 1_000
CALLS: Final = 200_000
YEAR, MONTH = 2026, 10  # the clocks change in it
RUN_ON: Final = datetime.date(2026, 11, 2)
CREDIT_MICROS: Final = 15_000_000
LIMIT_MICROS: Final = 100_000_000
BUNDLE_S: Final = 6_000
RECORDS_PER_BATCH: Final = 60
BATCHES_PER_READ: Final = 100
EPOCH: Final = "0123456789abcdef"

_encode: Final = msgspec.msgpack.Encoder().encode


class Missing(Exception):  # noqa: N818 - the result of the bench, not a failure of it
    """Something does not add up; the text says what."""


class Phase:
    """How long a part took, by the wall and by this process's CPU, printed at its end."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def __exit__(self, *_: object) -> None:
        wall, cpu = time.monotonic() - self._wall, time.process_time() - self._cpu
        print(f"{self._name:<44} {wall:8.1f} s   {cpu:8.1f} s of CPU here")


class Memory:
    """The journal's outbox as the shipper reads it, out of memory."""

    def __init__(self, calls: Iterator[list[OutboxRecord]]) -> None:
        self._calls = calls
        self._batch = 0

    def epoch(self) -> str:
        return EPOCH

    def read(self, after_batch: int) -> list[OutboxBatch]:
        """A call's records are never parted: the journal appends them in one step."""
        assert after_batch == self._batch
        batches = []
        records: list[bytes] = []
        for call in self._calls:
            records += [_encode(record) for record in call]
            if len(records) >= RECORDS_PER_BATCH:
                batches.append(self._packed(records))
                records = []
                if len(batches) == BATCHES_PER_READ:
                    return batches
        if records:
            batches.append(self._packed(records))
        return batches

    def _packed(self, records: list[bytes]) -> OutboxBatch:
        self._batch += 1
        return OutboxBatch(self._batch, pack_records(records), is_sound=True)


async def simulate(dsn: str, folder: Path, *, accounts: int, calls: int) -> None:
    """Raises Missing."""
    tariffs, billing = read_conf(folder)
    async with service.connect(dsn) as db:
        with Phase(f"{accounts} accounts, half of them prepaid"):
            await add_accounts(db, accounts)
        async with db.acquire() as connection:
            books = await load_snapshot(connection, "")
            engine = engine_of(books)
            payers = [Payer(account.id, tariffs[account.tariff]) for account in books.accounts]
            month = MonthOfCalls(engine, payers, first=datetime.date(YEAR, MONTH, 1), calls=calls)
            shipper = Shipper(connection, Memory(month.records()))  # type: ignore[arg-type]
            with Phase(f"{calls} calls rated and shipped"):
                while await shipper.ship_next() is not None:
                    pass
            await connection.execute("ANALYZE")
        print(f"    {month.up_at_once} at once, {month.refused} refused for credit, {month.cut} cut by it")
        await check_engine(db, engine)
        period = month_period(YEAR, MONTH)
        with Phase("invoice run"):
            made = await run_month(db, billing, period, today=RUN_ON)
        with Phase("invoice run, again"):
            again = await run_month(db, billing, period, today=RUN_ON)
        problems = [each for each in made if each.problem]
        if again or problems:
            raise Missing(f"the second run made {again[:3]}; not billed: {problems[:3]}")
        with Phase("the proof of `offhook bill check`"):
            proof = await check_billing(db)
        if proof.differences:
            raise Missing(f"offhook bill check: {proof.differences[:5]}")
        await check_sums(db)
        total = sum(each.total_micros for each in made)
        print(f"    {len(made)} invoices over {format_pounds(total)}")
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory of this process, at most                  {peak_kib // 1024} MiB")
    print("every micro was found")


def read_conf(folder: Path) -> tuple[dict[str, Tariff], BillingConf]:
    """The shipped files, and their tariff once more without VAT."""
    conf_dir = folder / "conf"
    shutil.copytree(CONF_FOLDER, conf_dir)
    prices = (conf_dir / "tariffs" / "retail.csv").read_text()
    (conf_dir / "tariffs" / "business.csv").write_text(prices)
    main = conf_dir / "offhook.toml"
    main.write_text(main.read_text() + '\n[tariffs.business]\nvat = "ex_vat"\n')
    seller = Seller(
        name="Example Telephones Ltd", address=("1 Example Street", "EX1 1EX"), vat_number="GB123456789"
    )
    return load_conf(conf_dir).tariffs, msgspec.structs.replace(load_billing(conf_dir), seller=seller)


async def add_accounts(db: asyncpg.Pool, count: int) -> None:
    """In turn: prepaid with VAT, postpaid without. Each third has a bundle of landline minutes."""
    for number in range(count):
        is_postpaid = number % 2 == 1
        view = await service.add_account(
            db,
            f"Account {number:05d}",
            kind=AccountKind.POSTPAID if is_postpaid else AccountKind.PREPAID,
            vat=VatMode.EX_VAT if is_postpaid else VatMode.INC_VAT,
            tariff="business" if is_postpaid else "retail",
            credit_limit_micros=LIMIT_MICROS if is_postpaid else 0,
            opening_credit_micros=0 if is_postpaid else CREDIT_MICROS,
        )
        account_id = view.account.id
        await db.execute(
            "INSERT INTO customers (account_id, kind, company, address) VALUES ($1, 'business', $2, $3)",
            account_id,
            f"Sample Company {number}",
            ["1 Example Street", "Exampletown", "EX1 1EX"],
        )
        if number % 3 == 0:
            async with db.acquire() as connection, connection.transaction():
                await grant(connection, account_id, LANDLINE_MINUTES, key=f"month/{account_id}")


LANDLINE_MINUTES: Final = Grant(
    name="Landline 100",
    first=datetime.date(YEAR, MONTH, 1),
    seconds=BUNDLE_S,
    groups=("uk_landline",),
    increment_s=1,
)


def engine_of(books: Snapshot) -> Engine:
    """The books in an engine, as a switch takes them over."""
    engine = Engine()
    for account in books.accounts:
        terms = AccountTerms(
            id=account.id,
            vat=account.vat,
            floor_micros=account.floor_micros,
            is_suspended=account.is_suspended,
        )
        engine.set_account(terms)
    for balance in books.balances:
        engine.load_balance(balance.account_id, balance.balance_micros, balance.credit_seq)
    load_bundles(engine, books, {}, {})
    return engine


async def check_engine(db: asyncpg.Pool, engine: Engine) -> None:
    """What the engine holds in memory is what the books have, account by account and bundle by bundle."""
    for row in await db.fetch("SELECT account_id, balance_micros FROM account_balances"):
        live = engine.totals(row["account_id"])
        if live is None or live.reserved_micros or live.balance_micros != row["balance_micros"]:
            raise Missing(f"account {row['account_id']}: {live}, and in the books {row['balance_micros']}")
    over = await db.fetch(
        "SELECT bundle_id, sum(u.seconds) AS used, b.granted_s FROM bundle_uses u JOIN bundles b ON b.id = u.bundle_id"
        " GROUP BY bundle_id, b.granted_s HAVING sum(u.seconds) > b.granted_s"
    )
    if over:
        raise Missing(f"bundles used beyond what they have: {over[:3]}")


async def check_sums(db: asyncpg.Pool) -> None:
    """The four sums of a month, each from another table than the one that it is compared with."""
    pairs = {
        "the ledger and the balances": (
            "SELECT sum(amount_micros) FROM ledger",
            "SELECT sum(balance_micros) FROM account_balances",
        ),
        "costs on records and usage in the ledger": (
            "SELECT sum(cost_micros) FROM cdrs",
            "SELECT -sum(amount_micros) FROM ledger WHERE kind = 'usage'",
        ),
        "parts of costs and costs": (
            "SELECT sum(connect_fee_micros + usage_micros + access_charge_micros + service_charge_micros) FROM cdrs",
            "SELECT sum(cost_micros) FROM cdrs",
        ),
        "covered seconds on records and uses of bundles": (
            "SELECT sum(bundled_s) FROM cdrs",
            "SELECT sum(seconds) FROM bundle_uses",
        ),
        # A call of the month's last night that ended in the next one is not on its invoices.
        "invoices, and what postpaid accounts owe for the month": (
            "SELECT sum(total_micros) FROM invoices WHERE kind = 'invoice'",
            "SELECT -sum(l.amount_micros) FROM ledger l JOIN invoices i ON i.account_id = l.account_id"
            " WHERE l.kind <> 'usage' OR l.at < i.period_to::timestamp AT TIME ZONE 'Europe/London'",
        ),
    }
    for name, (left, right) in pairs.items():
        found = [int(await db.fetchval(query) or 0) for query in (left, right)]
        print(f"    {name}: {found[0]} = {found[1]} micros or seconds")
        if found[0] != found[1]:
            raise Missing(f"{name}: {found[0]} and {found[1]}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.month", description=__doc__.partition("\n")[0])
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--calls", type=int, default=CALLS)
    given = parser.parse_args()
    with server() as postgres, tempfile.TemporaryDirectory() as folder:
        dsn = postgres.new_database()
        try:
            asyncio.run(simulate(dsn, Path(folder), accounts=given.accounts, calls=given.calls))
        except Missing as missing:
            print(f"does not add up: {missing}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
