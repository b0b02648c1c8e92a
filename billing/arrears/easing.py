"""What takes an account down the ladder: it has paid, what is left is little, or somebody has agreed to wait.

A payment does it in its own transaction (`on_received`), so a running exchange hears of it by the change table as
soon as that is committed, and the account calls again within seconds.
"""

import datetime

import asyncpg

from billing.arrears.ladder import Rung, State
from billing.arrears.rows import (
    Standing,
    load_overdue,
    load_standing,
    note_history,
    save_state,
    set_restriction,
)
from provisioning.ledger import lock_account
from provisioning.settings import Restriction


async def on_received(
    connection: asyncpg.Connection, account_id: int, *, today: datetime.date | None = None
) -> None:
    """Money has come in, and `allocate` has given it to invoices. `today` None: as the database has it."""
    await lock_account(connection, account_id)
    standing = await load_standing(connection, account_id)
    state = standing.state
    if state == State() or state.rung is Rung.CEASED:
        return
    day = today or await london_today(connection)
    debt = (await load_overdue(connection, account_id, day)).debt
    if debt.overdue_micros <= 0 and debt.held_micros <= 0:
        await clear(connection, account_id, standing, day)
    elif (state.rung.restricts or state.notice_for) and debt.overdue_micros < max(standing.minimum_micros, 1):
        await relent(connection, account_id, standing, day, why="little is left")


async def london_today(connection: asyncpg.Connection) -> datetime.date:
    day: datetime.date = await connection.fetchval("SELECT (now() AT TIME ZONE 'Europe/London')::date")
    return day


async def clear(
    connection: asyncpg.Connection, account_id: int, standing: Standing, day: datetime.date
) -> None:
    """Everything is paid. The next time is another one."""
    debt = (await load_overdue(connection, account_id, day)).debt
    await set_restriction(connection, account_id, was=standing.state.rung.restriction, now=Restriction.NONE)
    await save_state(connection, account_id, State(), is_new_episode=True)
    await note_history(connection, account_id, day, "paid", debt)


async def relent(
    connection: asyncpg.Connection, account_id: int, standing: Standing, day: datetime.date, *, why: str
) -> None:
    """No restriction, and none announced: the account stands where it was warned."""
    debt = (await load_overdue(connection, account_id, day)).debt
    rung = Rung.WARNING if standing.state.rung.restricts else standing.state.rung
    since = day if standing.state.rung.restricts else standing.state.since
    await set_restriction(connection, account_id, was=standing.state.rung.restriction, now=Restriction.NONE)
    await save_state(connection, account_id, State(rung, since))
    await note_history(connection, account_id, day, "lifted", debt, why)
