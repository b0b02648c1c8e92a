"""Rows of `plans` to values and back. Transactions belong to the callers."""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from provisioning.model import AccountPlan
from provisioning.plans.plan import Plan
from provisioning.utc import ms_from_time
from provisioning.views import PlanView

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Plan)
_COLUMNS: Final = "p.account_id, p.name, p.version, p.plan"


def _account_plan(row: asyncpg.Record) -> AccountPlan:
    return AccountPlan(row["account_id"], row["name"], row["version"], _decoder.decode(row["plan"]))


async def load_plans(db: asyncpg.Connection, keys: Sequence[str] | None = None) -> list[AccountPlan]:
    """All, or those of these keys of the change table."""
    some = "" if keys is None else " WHERE p.key = ANY ($1::text[])"
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM plans p{some} ORDER BY p.account_id, p.name",
        *([] if keys is None else [keys]),
    )
    return [_account_plan(row) for row in rows]


async def plans_of_account(db: asyncpg.Connection, account_id: int) -> dict[str, Plan]:
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM plans p WHERE p.account_id = $1 ORDER BY p.name", account_id
    )
    return {row["name"]: _decoder.decode(row["plan"]) for row in rows}


async def plan_id_of(db: asyncpg.Connection, account_id: int, name: str) -> int | None:
    """Locked: a number that is to lead there must find it still there."""
    plan_id: int | None = await db.fetchval(
        "SELECT id FROM plans WHERE account_id = $1 AND name = $2 FOR UPDATE", account_id, name
    )
    return plan_id


async def lines_diverting_to(db: asyncpg.Connection, account_id: int, name: str) -> list[str]:
    """The lines of the account that have a divert to this plan."""
    rows = await db.fetch(
        "SELECT DISTINCT d.line FROM diverts d JOIN lines l ON l.user_part = d.line"
        " WHERE l.account_id = $1 AND d.kind = 'plan' AND d.destination = $2 ORDER BY d.line",
        account_id,
        name,
    )
    return [row["line"] for row in rows]


async def write_plan(db: asyncpg.Connection, account_id: int, name: str, text: str, plan: Plan) -> None:
    """A new plan, or a new version of one. The same text again changes nothing."""
    await db.execute(
        "INSERT INTO plans (account_id, name, text, plan) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (account_id, name) DO UPDATE"
        " SET text = excluded.text, plan = excluded.plan, version = plans.version + 1, changed_at = now()"
        " WHERE plans.text <> excluded.text OR plans.plan <> excluded.plan",
        account_id,
        name,
        text,
        _encoder.encode(plan).decode(),
    )


async def delete_plan(db: asyncpg.Connection, plan_id: int) -> None:
    await db.execute("DELETE FROM plans WHERE id = $1", plan_id)


async def set_plan_of_numbers(db: asyncpg.Connection, numbers: Sequence[str], plan_id: int | None) -> None:
    await db.execute(
        "UPDATE numbers SET plan_id = $2 WHERE e164 = ANY ($1::text[]) AND plan_id IS DISTINCT FROM $2",
        numbers,
        plan_id,
    )


async def numbers_of_plan(db: asyncpg.Connection, plan_id: int) -> list[str]:
    rows = await db.fetch("SELECT e164 FROM numbers WHERE plan_id = $1 ORDER BY e164", plan_id)
    return [row["e164"] for row in rows]


async def plan_views(
    db: asyncpg.Connection, account_id: int | None = None, name: str | None = None
) -> list[PlanView]:
    """All plans, those of one account, or one of them."""
    rows = await db.fetch(
        "SELECT a.name AS account, p.name, p.version, p.changed_at, p.text, p.plan, ARRAY(SELECT n.e164 FROM numbers n"
        " WHERE n.plan_id = p.id ORDER BY n.e164) AS numbers FROM plans p JOIN accounts a ON a.id = p.account_id"
        " WHERE ($1::integer IS NULL OR p.account_id = $1) AND ($2::text IS NULL OR p.name = $2)"
        " ORDER BY lower(a.name), p.name",
        account_id,
        name,
    )
    return [
        PlanView(
            account=row["account"],
            name=row["name"],
            version=row["version"],
            changed_at_ms=ms_from_time(row["changed_at"]),
            numbers=row["numbers"],
            text=row["text"],
            plan=_decoder.decode(row["plan"]),
        )
        for row in rows
    ]
