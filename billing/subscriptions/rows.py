"""Subscriptions as they are read from the books, whole: with their steps and their end."""

import datetime
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import asyncpg
import msgspec

from billing.customers import CustomerKind
from billing.subscriptions.steps import Piece, Step
from billing.subscriptions.subscription import Ending, EndReason, State, Subscription
from billing.subscriptions.terms import Included, Terms
from provisioning.model import AccountKind
from provisioning.problems import Refused
from rating.money import VatMode

T = TypeVar("T")

_SELECT: Final = (
    "SELECT s.*, a.name AS account_name, a.kind AS account_kind, a.vat, e.id AS ending_id, e.reason, e.written_on,"
    " e.ceases_on"
    " FROM subscriptions s JOIN accounts a ON a.id = s.account_id"
    " LEFT JOIN subscription_endings e ON e.subscription_id = s.id AND e.state IN ('effective', 'done')"
)
_STEPS: Final = (
    "SELECT t.subscription_id, t.from_day, t.product_id, p.title, t.quantity, t.price_micros, t.included"
    " FROM subscription_steps t JOIN products p ON p.id = t.product_id"
    " WHERE t.subscription_id = ANY($1) ORDER BY t.subscription_id, t.from_day"
)


async def lock(db: asyncpg.Connection, subscription_id: int) -> Subscription:
    """The subscription; others that want to change it wait until the transaction ends. Raises Refused."""
    await db.execute("SELECT 1 FROM subscriptions WHERE id = $1 FOR NO KEY UPDATE", subscription_id)
    return await find(db, subscription_id)


async def find(db: asyncpg.Connection, subscription_id: int) -> Subscription:
    """Raises Refused where there is none."""
    found = await _read(db, "WHERE s.id = $1", subscription_id)
    if not found:
        raise Refused(f"there is no subscription {subscription_id}")
    return found[0]


async def of_account(db: asyncpg.Connection, account_id: int) -> list[Subscription]:
    """The oldest first, also those that have ended."""
    return await _read(db, "WHERE s.account_id = $1", account_id)


async def every(db: asyncpg.Connection) -> list[Subscription]:
    return await _read(db, "")


async def active_of_product(
    db: asyncpg.Connection, product_id: int, day: datetime.date
) -> list[Subscription]:
    """Those that have the product on the day or will have it later, whatever they began with."""
    return await _read(
        db,
        "WHERE s.state = 'active' AND EXISTS (SELECT 1 FROM subscription_steps t WHERE t.subscription_id = s.id"
        " AND t.product_id = $1 AND NOT EXISTS (SELECT 1 FROM subscription_steps n WHERE n.subscription_id = s.id"
        " AND n.from_day > t.from_day AND n.from_day <= $2))",
        product_id,
        day,
    )


async def _read(db: asyncpg.Connection, where: str, *values: object) -> list[Subscription]:
    rows = await db.fetch(f"{_SELECT} {where} ORDER BY s.id", *values)
    steps: dict[int, list[Step]] = {row["id"]: [] for row in rows}
    for row in await db.fetch(_STEPS, list(steps)):
        included = from_json(row["included"], tuple[Included, ...])
        step = Step(
            row["from_day"], row["title"], row["quantity"], row["price_micros"], included, row["product_id"]
        )
        steps[row["subscription_id"]].append(step)
    return [_subscription(row, steps[row["id"]]) for row in rows]


def _subscription(row: asyncpg.Record, steps: Sequence[Step]) -> Subscription:
    ending = None
    if row["ending_id"] is not None:
        ending = Ending(row["ending_id"], EndReason(row["reason"]), row["written_on"], row["ceases_on"])
    return Subscription(
        id=row["id"],
        account_id=row["account_id"],
        account=row["account_name"],
        account_kind=AccountKind(row["account_kind"]),
        vat=VatMode(row["vat"]),
        product_id=row["product_id"],
        label=row["label"],
        setup_micros=row["setup_micros"],
        kind=CustomerKind(row["customer_kind"]),
        terms=from_json(row["terms"], Terms),
        sold_on=row["sold_on"],
        starts_on=row["starts_on"],
        provided_on=row["provided_on"],
        told_on=row["told_on"],
        is_at_distance=row["is_at_distance"],
        wants_early_start=row["wants_early_start"],
        term_ends_on=row["term_ends_on"],
        charged_until=row["charged_until"],
        unpaid_since=row["unpaid_since"],
        state=State(row["state"]),
        steps=tuple(steps),
        ending=ending,
    )


def to_json(value: Any) -> str:
    """For a jsonb column."""
    return msgspec.json.encode(value).decode()


def from_json(text: str, kind: type[T]) -> T:
    return msgspec.json.decode(text, type=kind)


def read_pieces(text: str) -> list[Piece]:
    return from_json(text, list[Piece])
