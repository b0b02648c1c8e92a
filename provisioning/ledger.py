"""Money that people move: the one way in which anything but usage gets into the ledger.

A row takes the next `credit_seq` of its account, under the account's lock, so that a running exchange applies each once
and in order. A key makes a movement happen once however often it is asked for.
"""

import enum
from collections.abc import Sequence

import asyncpg
import msgspec

from provisioning.problems import Refused, shown
from rating.money import format_pounds


class MovementKind(enum.StrEnum):
    """What moved; schema 0013 says what each means. Usage is not among them: only the journal writes it."""

    TOP_UP = "top_up"
    ADJUSTMENT = "adjustment"
    PAYMENT = "payment"
    REFUND = "refund"
    CHARGEBACK = "chargeback"
    SUBSCRIPTION = "subscription"
    FEE = "fee"
    BUNDLE = "bundle"
    INTEREST = "interest"
    VAT = "vat"
    ROUNDING = "rounding"
    CREDIT_NOTE = "credit_note"
    COMPENSATION = "compensation"
    RERATING = "rerating"


class Posted(msgspec.Struct, frozen=True):
    """A movement that stands in the ledger. `is_repeat`: it stood there before, and nothing was moved now."""

    ledger_id: int
    credit_seq: int
    amount_micros: int
    balance_micros: int
    is_repeat: bool


async def lock_account(db: asyncpg.Connection, account_id: int) -> None:
    """Other movements on the account wait until the transaction ends. To be taken before anything is decided by it."""
    await db.execute("SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE", account_id)


async def post(
    db: asyncpg.Connection,
    account_id: int,
    kind: MovementKind,
    amount_micros: int,
    *,
    memo: str = "",
    key: str | None = None,
) -> Posted:
    """Move money, in the transaction that the caller has opened. Positive is the customer's gain.

    A repeat with the same key, account, kind and amount changes nothing; with another one of them it is Refused.
    """
    await lock_account(db, account_id)
    if key is not None and (earlier := await _earlier(db, account_id, kind, amount_micros, key)) is not None:
        return earlier
    row = await db.fetchrow(
        "INSERT INTO ledger (account_id, kind, amount_micros, credit_seq, memo, idempotency_key)"
        " SELECT account_id, $2, $3, credit_seq + 1, $4, $5 FROM account_balances WHERE account_id = $1"
        " RETURNING id, credit_seq",
        account_id,
        kind.value,
        amount_micros,
        memo,
        key,
    )
    if row is None:
        raise Refused(f"there is no account {account_id}")
    return Posted(row["id"], row["credit_seq"], amount_micros, await _balance(db, account_id), is_repeat=False)


async def post_all(
    db: asyncpg.Connection, account_id: int, kind: MovementKind, movements: Sequence[tuple[int, str, str]]
) -> None:
    """Many at once: amount, memo and key of each, in this order. In the caller's transaction, who knows that none of
    the keys was used before: one that was breaks the transaction."""
    if not movements:
        return
    await lock_account(db, account_id)
    amounts, memos, keys = zip(*movements, strict=True)
    posted = await db.execute(
        "INSERT INTO ledger (account_id, kind, amount_micros, credit_seq, memo, idempotency_key)"
        " SELECT b.account_id, $2, m.amount, b.credit_seq + m.place, m.memo, m.key"
        " FROM account_balances b, unnest($3::bigint[], $4::text[], $5::text[]) WITH ORDINALITY"
        " AS m (amount, memo, key, place) WHERE b.account_id = $1 ORDER BY m.place",
        account_id,
        kind.value,
        amounts,
        memos,
        keys,
    )
    if posted != f"INSERT 0 {len(movements)}":
        raise Refused(f"there is no account {account_id}")


async def _earlier(
    db: asyncpg.Connection, account_id: int, kind: MovementKind, amount_micros: int, key: str
) -> Posted | None:
    row = await db.fetchrow(
        "SELECT id, account_id, kind, amount_micros, credit_seq FROM ledger WHERE idempotency_key = $1", key
    )
    if row is None:
        return None
    if (row["account_id"], row["kind"], row["amount_micros"]) != (account_id, kind.value, amount_micros):
        raise Refused(
            f"key {shown(key)} was used for another movement ({row['kind']} {format_pounds(row['amount_micros'])})"
        )
    balance = await _balance(db, account_id)
    return Posted(row["id"], row["credit_seq"], amount_micros, balance, is_repeat=True)


async def _balance(db: asyncpg.Connection, account_id: int) -> int:
    micros: int = await db.fetchval(
        "SELECT balance_micros FROM account_balances WHERE account_id = $1", account_id
    )
    return micros
