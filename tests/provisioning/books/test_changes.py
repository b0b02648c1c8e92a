"""What the switch is told: enough to have in memory what the books have, each credit once and in order."""

import asyncio
import random

import asyncpg
import pytest

from provisioning import service
from provisioning.books.changes import BooksWentBackError, Position, read_changes, refuse_older_books
from provisioning.books.messages import Changes
from provisioning.books.snapshot import load_snapshot
from provisioning.model import (
    Account,
    AccountChanged,
    Change,
    Credited,
    CreditRow,
    Line,
    LineChanged,
    LineRemoved,
    Number,
    NumberChanged,
    NumberRemoved,
    Snapshot,
)
from tests.provisioning.databases import add_prepaid, in_database

pytestmark = pytest.mark.wire

REALM = "sip.example.com"


class Listener:
    """A switch that starts from a snapshot and takes over what it is told."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.position = Position.of_snapshot(snapshot)
        self.accounts: dict[int, Account] = {account.id: account for account in snapshot.accounts}
        self.lines: dict[str, Line] = {line.user: line for line in snapshot.lines}
        self.numbers: dict[str, Number] = {number.e164: number for number in snapshot.numbers}
        self.balances = {balance.account_id: balance.balance_micros for balance in snapshot.balances}
        self.credit_seqs = {balance.account_id: balance.credit_seq for balance in snapshot.balances}

    def hear(self, told: Changes) -> None:
        for change in told.changes:
            self._take_over(change)
        self.position.advance(told)

    def _take_over(self, change: Change) -> None:
        match change:
            case AccountChanged(account=account):
                self.accounts[account.id] = account
            case LineChanged(line=line):
                assert line.account_id in self.accounts  # an account is told before its lines
                self.lines[line.user] = line
            case LineRemoved(user=user):
                self.lines.pop(user, None)
            case NumberChanged(number=number):
                self.numbers[number.e164] = number
            case NumberRemoved(e164=e164):
                self.numbers.pop(e164, None)
            case Credited(credit=credit):
                assert credit.credit_seq == self.credit_seqs.get(credit.account_id, 0) + 1
                self.credit_seqs[credit.account_id] = credit.credit_seq
                self.balances[credit.account_id] = (
                    self.balances.get(credit.account_id, 0) + credit.amount_micros
                )

    async def catch_up(self, db: asyncpg.Connection) -> list[Change]:
        heard: list[Change] = []
        while (told := await read_changes(db, self.position)) is not None:
            self.hear(told)
            heard += told.changes
        return heard


@in_database
async def test_what_was_there_before_the_snapshot_is_not_told_again(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    async with db.acquire() as connection:
        listener = Listener(await load_snapshot(connection, ""))
        assert await listener.catch_up(connection) == []


@in_database
async def test_each_kind_of_change_is_told_as_the_state_that_it_led_to(db: asyncpg.Pool) -> None:
    async with db.acquire() as connection:
        listener = Listener(await load_snapshot(connection, ""))
        view = await add_prepaid(db, credit_micros=500)
        added = await service.add_line(db, "alice", account_name="Shop", realm=REALM)
        await service.assign_number(db, "01632 960001", "alice")
        number = Number("+441632960001", "alice")
        assert await listener.catch_up(connection) == [
            AccountChanged(view.account),
            LineChanged(added.line),
            NumberChanged(number),
            Credited(CreditRow(1, 1, 500)),
        ]
        suspended = await service.suspend_account(db, "Shop")
        changed = await service.set_line(db, "alice", calls_max=4)
        assert await listener.catch_up(connection) == [
            AccountChanged(suspended.account),
            LineChanged(changed.line),
        ]
        await service.unassign_number(db, "01632 960001")
        await service.remove_line(db, "alice")
        assert await listener.catch_up(connection) == [LineRemoved("alice"), NumberRemoved("+441632960001")]


@in_database
async def test_ten_changes_of_a_line_are_told_as_one_and_every_credit_as_its_own(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(db, "alice", account_name="Shop", realm=REALM)
    async with db.acquire() as connection:
        listener = Listener(await load_snapshot(connection, ""))
        for turn in range(1, 11):
            await service.set_line(db, "alice", calls_max=turn)
            await service.top_up(db, "Shop", turn)
        heard = await listener.catch_up(connection)
    assert [change for change in heard if isinstance(change, LineChanged)] == [
        LineChanged(listener.lines["alice"])
    ]
    assert listener.lines["alice"].calls_max == 10
    assert [change.credit.credit_seq for change in heard if isinstance(change, Credited)] == list(
        range(2, 12)
    )


@in_database
async def test_a_line_that_came_and_went_between_two_looks_is_told_as_gone(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    async with db.acquire() as connection:
        listener = Listener(await load_snapshot(connection, ""))
        await service.add_line(db, "alice", account_name="Shop", realm=REALM)
        await service.remove_line(db, "alice")
        assert await listener.catch_up(connection) == [LineRemoved("alice")]


@in_database
async def test_a_switch_that_knows_more_credits_than_its_position_hears_none_twice(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    async with db.acquire() as connection:
        listener = Listener(await load_snapshot(connection, ""))
        for amount in (1, 2, 3):
            await service.top_up(db, "Shop", amount)
        position = Position(listener.position.change_seq, {1: 3})
        told = await read_changes(connection, position)
    assert told is not None
    assert told.changes == [Credited(CreditRow(1, 4, 3))]


@in_database
async def test_a_listener_has_the_same_as_the_books_after_any_mix_of_work(db: asyncpg.Pool) -> None:
    async with db.acquire() as connection:
        listener = Listener(await load_snapshot(connection, ""))
        is_done = False

        async def listen() -> None:
            while not is_done:
                await listener.catch_up(connection)
                await asyncio.sleep(0.001)

        async def work(number: int) -> None:
            dice = random.Random(number)
            name = f"A{number}"
            await add_prepaid(db, name, credit_micros=1_000)
            for turn in range(12):
                user, e164 = f"u{number}-{turn}", f"+4416329{60000 + 100 * number + turn}"
                await service.add_line(db, user, account_name=name, realm=REALM)
                await service.assign_number(db, e164, user)
                if dice.random() < 0.5:
                    await service.unassign_number(db, e164)
                    await service.remove_line(db, user)
                if dice.random() < 0.5:
                    await service.top_up(db, f"A{number}", turn + 1)
                if dice.random() < 0.3:
                    await service.suspend_account(db, name)

        listening = asyncio.create_task(listen())
        await asyncio.gather(*[work(number) for number in range(3)])
        is_done = True
        await listening
        await listener.catch_up(connection)
        truth = Listener(await load_snapshot(connection, ""))
    assert listener.accounts == truth.accounts
    assert listener.lines == truth.lines
    assert listener.numbers == truth.numbers
    assert listener.balances == truth.balances
    assert listener.position.change_seq == truth.position.change_seq


@in_database
async def test_a_database_from_before_what_the_switch_has_seen_is_refused(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    async with db.acquire() as connection:
        latest = await connection.fetchval("SELECT max(seq) FROM changes")
        await refuse_older_books(connection, Position(latest, {}))
        with pytest.raises(BooksWentBackError, match="restored from a backup"):
            await refuse_older_books(connection, Position(latest + 1, {}))
