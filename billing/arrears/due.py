"""The daily work of arrears: holds that are over, plans that are kept or missed, the ladder, interest.

Each account is one transaction under its lock, so that two runs at once, or one that is killed anywhere, do each step
once; run again, the same day, there is nothing left to do.
"""

import datetime
from collections.abc import Callable

import asyncpg
import msgspec

from billing.arrears.charges import charge_interest
from billing.arrears.easing import clear, relent
from billing.arrears.ladder import Action, Announce, Clear, Climb, Relent, Rung, State, decide
from billing.arrears.letters import STAYS, STOPS, letter, sum_of, write
from billing.arrears.open_days import open_days
from billing.arrears.plans import end_holds
from billing.arrears.rows import (
    Overdue,
    Standing,
    load_overdue,
    load_standing,
    note_history,
    save_state,
    set_restriction,
)
from billing.conf import BillingConf
from billing.conf_arrears import Ladder
from billing.customers import Customer, CustomerKind, find_customer
from billing.dated import NothingYet
from provisioning.ledger import lock_account
from provisioning.problems import ProvisioningProblem
from rating.money import format_pounds

_CANDIDATES = """
SELECT a.id, a.name FROM accounts a
WHERE EXISTS (
    SELECT FROM invoices i WHERE i.account_id = a.id AND i.kind = 'invoice' AND i.due_on < $1 AND i.total_micros >
        coalesce((SELECT sum(x.amount_micros) FROM allocations x WHERE x.invoice_id = i.id), 0)
) OR EXISTS (SELECT FROM arrears s WHERE s.account_id = a.id AND (s.rung <> '' OR s.notice_for <> ''))
ORDER BY a.id
"""

LOST = "the warning could not be delivered, so nothing is restricted"


class Case(msgspec.Struct, frozen=True):
    """One account as it stands today."""

    account_id: int
    name: str
    customer: Customer | None
    ladder: Ladder
    standing: Standing
    overdue: Overdue
    today: datetime.date

    @property
    def addressee(self) -> str:
        return (self.customer.name if self.customer is not None else "") or self.name


async def run_due(db: asyncpg.Pool, conf: BillingConf, today: datetime.date) -> list[str]:
    """What was done, a line each. Without [arrears] in billing.toml nothing is."""
    if not conf.arrears.ladders:
        return []
    lines = await end_holds(db, conf, today)
    is_open = open_days(conf.arrears.settings)
    for row in await db.fetch(_CANDIDATES, today):
        try:
            async with db.acquire() as connection, connection.transaction():
                line = await _step(connection, conf, row["id"], row["name"], today, is_open)
        except (NothingYet, ProvisioningProblem) as problem:
            line = str(problem)
        if line:
            lines.append(f"{row['name']}: {line}")
    return lines + await charge_interest(db, conf, today)


async def _step(
    connection: asyncpg.Connection,
    conf: BillingConf,
    account_id: int,
    name: str,
    today: datetime.date,
    is_open: Callable[[datetime.date], bool],
) -> str:
    """One account. "" where there is nothing to say."""
    await lock_account(connection, account_id)
    customer = await find_customer(connection, account_id)
    overdue = await load_overdue(connection, account_id, today)
    standing = await load_standing(connection, account_id)
    dated = conf.arrears.ladders.get(customer.kind if customer is not None else CustomerKind.CONSUMER)
    if dated is None:
        ladder = Ladder(reminder=0, warning=0, premium_and_international=0, outgoing=0, suspended=0)
    else:
        ladder = dated.at(overdue.debt.oldest_due_on or today)
    case = Case(account_id, name, customer, ladder, standing, overdue, today)
    action = decide(standing.state, overdue.debt, ladder, today, is_open)
    if action is None:
        return LOST if standing.is_lost else ""
    return await _act(connection, conf, case, action)


async def _act(connection: asyncpg.Connection, conf: BillingConf, case: Case, action: Action) -> str:
    match action:
        case Clear():
            await clear(connection, case.account_id, case.standing, case.today)
            return "everything is paid"
        case Relent():
            await relent(
                connection, case.account_id, case.standing, case.today, why="little is left, or it is held"
            )
            return "no restriction any more"
        case Announce(rung=rung, effective_on=effective_on):
            return await _announce(connection, conf, case, rung, effective_on)
        case Climb(rung=rung):
            return await _climb(connection, conf, case, rung)


async def _announce(
    connection: asyncpg.Connection, conf: BillingConf, case: Case, rung: Rung, effective_on: datetime.date
) -> str:
    key = await _write(connection, conf, case, "notice", rung, effective_on=effective_on)
    state = msgspec.structs.replace(case.standing.state, notice_for=rung, effective_on=effective_on)
    await save_state(connection, case.account_id, state, notice_key=key, minimum_micros=case.ladder.minimum)
    note = f"{rung.value} from {effective_on.isoformat()}"
    await note_history(connection, case.account_id, case.today, "warned", case.overdue.debt, note)
    return f"warned of {note}, {format_pounds(case.overdue.debt.overdue_micros)} is overdue{_by_post(case)}"


async def _climb(connection: asyncpg.Connection, conf: BillingConf, case: Case, rung: Rung) -> str:
    was = case.standing.state.rung.restriction
    await set_restriction(connection, case.account_id, was=was, now=rung.restriction)
    await save_state(connection, case.account_id, State(rung, case.today), minimum_micros=case.ladder.minimum)
    await _write(connection, conf, case, "restricted" if rung.restricts else rung.value, rung)
    await note_history(connection, case.account_id, case.today, rung.value, case.overdue.debt)
    return f"{rung.value}, {format_pounds(case.overdue.debt.overdue_micros)} is overdue{_by_post(case)}"


def _by_post(case: Case) -> str:
    has_mail = case.customer is not None and case.customer.email
    return "" if has_mail else "; there is no e-mail address: `offhook arrears letters` has what to post"


async def _write(
    connection: asyncpg.Connection,
    conf: BillingConf,
    case: Case,
    what: str,
    rung: Rung,
    *,
    effective_on: datetime.date | None = None,
) -> str:
    """Queue a letter; its key."""
    subject, text = letter(
        what,
        conf,
        name=case.addressee,
        invoices=case.overdue.invoices,
        total=sum_of(case.overdue.invoices),
        stops=STOPS.get(rung.restriction, ""),
        stays=STAYS.get(rung.restriction, ""),
        effective_on=effective_on,
    )
    key = f"arrears/{case.account_id}/{case.standing.episode}/{rung.value}/{what}/{case.today.isoformat()}"
    await write(
        connection, case.customer, case.account_id, key=key, subject=subject, text=text, today=case.today
    )
    return key
