"""Tops an account up when its credit falls under a threshold: by the card that the customer has stored, and by whatever
the operator's own command does.

A top-up is begun as a row, at most so many a day and one at a time; the row's id is the key at the provider, so it
happens once. The command gets the same row on its standard input; what money it brings comes in by the usual ways.
"""

import asyncio
import contextlib
import datetime
from collections.abc import Mapping
from typing import Final

import asyncpg
import msgspec
import structlog

from billing.border import alone
from billing.conf import BillingConf
from billing.payments.methods import PaymentMethod, usable_method
from billing.payments.payment import MICROS_PER_PENNY, STRIPE
from billing.payments.provider import (
    Provider,
    ProviderRefused,
    ProviderUnreachable,
    ViewState,
    Wanted,
    problem_text,
)
from billing.payments.settling import lock_reference, look_and_settle, settle
from provisioning.ledger import lock_account
from provisioning.problems import ProvisioningProblem
from rating.money import format_pounds

BATCH_MAX: Final = 1_000
# A card that was refused is not asked again within this: the bank's answer would be the same, and counts against us.
AFTER_FAILURE_S: Final = 3600.0
# Stripe forgets keys after a day: older than this the same key could charge twice. News and looks still find the first.
KEY_IS_GOOD: Final = datetime.timedelta(hours=20)

_SETTING: Final = """
    CASE WHEN jsonb_typeof(a.settings -> '{name}') = 'number' THEN (a.settings ->> '{name}')::bigint END
"""
_AMOUNT: Final = _SETTING.format(name="auto_top_up_micros")
_BELOW: Final = _SETTING.format(name="auto_top_up_below_micros")
_FALLEN: Final = f"""
    SELECT a.id, a.name, b.balance_micros, {_AMOUNT} AS amount_micros
    FROM accounts a JOIN account_balances b ON b.account_id = a.id
    WHERE a.settings ? 'auto_top_up_micros' AND a.kind = 'prepaid' AND {_AMOUNT} > 0
      AND b.balance_micros < {_BELOW}
      AND NOT EXISTS (SELECT 1 FROM auto_top_ups t WHERE t.account_id = a.id AND t.state IN ('begun', 'asked'))
      AND NOT EXISTS (SELECT 1 FROM auto_top_ups t WHERE t.account_id = a.id AND t.state = 'failed'
                      AND t.made_at > now() - make_interval(secs => $2))
    ORDER BY a.id LIMIT $1
"""  # noqa: S608 - of constants

log = structlog.get_logger("billing.payments")


class AutoTopUpRow(msgspec.Struct, frozen=True):
    """One row of `auto_top_ups`, as the operator's command gets it as JSON."""

    id: int
    account_id: int
    account: str
    amount_micros: int
    balance_micros: int
    number: int


async def top_up_low_accounts(
    db: asyncpg.Pool, conf: BillingConf, providers: Mapping[str, Provider], today: datetime.date
) -> list[str]:
    """Begin what is to be begun, and finish what a killed process left. What was done, for the log."""
    tried = [
        await alone(_finish(db, conf, providers, row), what="automatic top-up", number=row["id"])
        for row in await _left_over(db)
    ]
    if conf.payments.auto_top_up.times_a_day:
        tried += [
            await alone(
                _top_up(db, conf, providers, row, today), what="automatic top-up of", number=row["id"]
            )
            for row in await db.fetch(_FALLEN, BATCH_MAX, AFTER_FAILURE_S)
        ]
    return [said for said in tried if said is not None]


async def _top_up(
    db: asyncpg.Pool,
    conf: BillingConf,
    providers: Mapping[str, Provider],
    fallen: asyncpg.Record,
    today: datetime.date,
) -> str | None:
    begun = await _begin(db, conf, fallen, today)
    return None if begun is None else await _finish(db, conf, providers, begun)


async def _begin(
    db: asyncpg.Pool, conf: BillingConf, fallen: asyncpg.Record, today: datetime.date
) -> asyncpg.Record | None:
    """None: the day's number is used up, there is nothing to take from, or somebody else has begun one."""
    account_id = fallen["id"]
    terms = conf.payments.auto_top_up
    with contextlib.suppress(asyncpg.UniqueViolationError):
        async with db.acquire() as connection, connection.transaction():
            await lock_account(connection, account_id)
            before = await connection.fetchval(
                "SELECT coalesce(max(number), 0) FROM auto_top_ups WHERE account_id = $1 AND on_day = $2",
                account_id,
                today,
            )
            method = await usable_method(connection, account_id, STRIPE)
            if before >= terms.times_a_day or (method is None and not terms.command):
                return None
            return await connection.fetchrow(
                "INSERT INTO auto_top_ups (account_id, on_day, number, amount_micros, method_id, state)"
                " VALUES ($1, $2, $3, $4, $5, 'begun') RETURNING *",
                account_id,
                today,
                before + 1,
                fallen["amount_micros"] - fallen["amount_micros"] % MICROS_PER_PENNY,
                None if terms.command else method and method.id,
            )
    return None


async def _left_over(db: asyncpg.Pool) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await db.fetch(
        "SELECT * FROM auto_top_ups WHERE state IN ('begun', 'asked') ORDER BY id LIMIT $1", BATCH_MAX
    )
    return rows


async def _finish(
    db: asyncpg.Pool, conf: BillingConf, providers: Mapping[str, Provider], row: asyncpg.Record
) -> str:
    amount = format_pounds(row["amount_micros"])
    try:
        state, problem = await _charge(db, conf, providers, row)
    except ProviderRefused as refusal:
        state, problem = "failed", str(refusal)
    except (ProviderUnreachable, ProvisioningProblem) as trouble:
        return f"automatic top-up {row['id']} of {amount}: later: {trouble}"
    await db.execute(
        "UPDATE auto_top_ups SET state = $2, problem = $3 WHERE id = $1 AND state IN ('begun', 'asked')",
        row["id"],
        state,
        problem_text(problem),
    )
    return f"automatic top-up {row['id']} of {amount}: {state} {problem}".rstrip()


async def _charge(
    db: asyncpg.Pool, conf: BillingConf, providers: Mapping[str, Provider], row: asyncpg.Record
) -> tuple[str, str]:
    """The row's new state, and why."""
    if row["state"] == "begun" and datetime.datetime.now(datetime.UTC) - row["made_at"] > KEY_IS_GOOD:
        return "failed", "left unfinished too long to be asked for again: see whether the provider has it"
    if row["method_id"] is None:
        return await _run_command(db, conf, row)
    method = await db.fetchrow("SELECT * FROM payment_methods WHERE id = $1", row["method_id"])
    provider = providers.get(method["provider"])
    if provider is None:
        raise ProviderUnreachable(f"{method['provider']} is not in use")
    if row["state"] == "asked":
        settled = await look_and_settle(db, conf, provider, row["reference"])
        view = settled.view
    else:
        stored = PaymentMethod(
            method["id"], method["account_id"], method["provider"], method["customer"], method["reference"],
            method["state"], method["label"],
        )  # fmt: skip
        wanted = Wanted(
            account_id=row["account_id"],
            amount_micros=row["amount_micros"],
            key=f"offhook-auto-{row['id']}",
            description="Top-up",
        )
        async with db.acquire() as connection, connection.transaction():
            view = await provider.charge(stored.view, wanted)
            await lock_reference(connection, provider.name, view.reference)
            await connection.execute(
                "UPDATE auto_top_ups SET state = 'asked', reference = $2 WHERE id = $1",
                row["id"],
                view.reference,
            )
            await settle(connection, conf, view)
    if view.state is ViewState.RECEIVED:
        return "done", ""
    is_over = view.state in (ViewState.FAILED, ViewState.CANCELLED)
    # A card that wants its owner's word cannot get it: nobody is there.
    is_stuck = view.state is ViewState.OPEN
    return ("failed" if is_over or is_stuck else "asked"), view.problem


async def _run_command(db: asyncpg.Pool, conf: BillingConf, row: asyncpg.Record) -> tuple[str, str]:
    """With the row as JSON on its standard input. Its exit status says whether it has done its part; a process that was
    killed meanwhile runs it again with the same id, which is what it has to know a top-up by."""
    terms = conf.payments.auto_top_up
    if not terms.command:
        return "failed", "there is no command any more"
    account = await db.fetchrow(
        "SELECT a.name, b.balance_micros FROM accounts a JOIN account_balances b ON b.account_id = a.id"
        " WHERE a.id = $1",
        row["account_id"],
    )
    told = AutoTopUpRow(
        id=row["id"],
        account_id=row["account_id"],
        account=account["name"],
        amount_micros=row["amount_micros"],
        balance_micros=account["balance_micros"],
        number=row["number"],
    )
    try:
        process = await asyncio.create_subprocess_exec(
            *terms.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
    except OSError as problem:
        return "failed", problem.strerror or "it cannot be started"
    try:
        async with asyncio.timeout(terms.command_timeout_s):
            await process.communicate(msgspec.json.encode(told) + b"\n")
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return "failed", f"it did not end within {terms.command_timeout_s} s"
    if process.returncode:
        return "failed", f"it ended with {process.returncode}"
    return "done", ""
