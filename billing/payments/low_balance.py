"""A mail when an account's credit falls under its threshold (setting `low_balance`): once for each fall.

What was told stands in `low_balances`. It counts no more when the balance has been over the threshold since, which only
a top-up makes it; also when that is spent again by the time anybody looks.
"""

from typing import Final

import asyncpg
import msgspec

from billing.border import alone
from billing.conf import BillingConf
from billing.customers import find_customer
from billing.mail import queue_mail
from billing.payments.texts import rendered
from provisioning.ledger import lock_account
from rating.money import format_pounds
from switch.conf_voicemail import is_mail_address

BATCH_MAX: Final = 1_000

# A setting that somebody's hand has made unreadable is none: nobody is told, nobody is charged.
_THRESHOLD: Final = """
    CASE WHEN jsonb_typeof(a.settings -> 'low_balance_micros') = 'number'
         THEN (a.settings ->> 'low_balance_micros')::bigint END
"""
_FALLEN: Final = f"""
    SELECT a.id, a.name, b.balance_micros, {_THRESHOLD} AS threshold
    FROM accounts a JOIN account_balances b ON b.account_id = a.id LEFT JOIN low_balances t ON t.account_id = a.id
    WHERE a.settings ? 'low_balance_micros' AND b.balance_micros < {_THRESHOLD}
      AND (t.account_id IS NULL OR t.balance_micros + (
              SELECT coalesce(max(since.micros), 0) FROM (
                  SELECT sum(l.amount_micros) OVER (ORDER BY l.id) AS micros FROM ledger l
                  WHERE l.account_id = a.id AND l.id > t.ledger_id
              ) since
          ) >= {_THRESHOLD})
      AND ($2::integer IS NULL OR a.id = $2)
    ORDER BY a.id LIMIT $1
"""  # noqa: S608 - of constants


class Told(msgspec.Struct, frozen=True):
    """Whose balance is low. `has_mail`: there was an address to tell."""

    account_id: int
    account: str
    balance_micros: int
    threshold_micros: int
    has_mail: bool


async def tell_low_balances(db: asyncpg.Pool, conf: BillingConf) -> list[Told]:
    """Everybody whose balance has fallen since he was told last."""
    return [
        told
        for row in await db.fetch(_FALLEN, BATCH_MAX, None)
        if (told := await alone(_tell(db, conf, row["id"]), what="low balance", number=row["id"])) is not None
    ]


async def _tell(db: asyncpg.Pool, conf: BillingConf, account_id: int) -> Told | None:
    """Looked at again under the account's lock, so that two who look tell once."""
    async with db.acquire() as connection, connection.transaction():
        await lock_account(connection, account_id)
        row = await connection.fetchrow(_FALLEN, 1, account_id)
        if row is None:
            return None
        times = await connection.fetchval(
            "INSERT INTO low_balances AS t (account_id, told_at, balance_micros, ledger_id)"
            " SELECT $1, now(), $2, coalesce(max(id), 0) FROM ledger WHERE account_id = $1"
            " ON CONFLICT (account_id) DO UPDATE SET told_at = now(), balance_micros = excluded.balance_micros,"
            " ledger_id = excluded.ledger_id, times = t.times + 1 RETURNING times",
            account_id,
            row["balance_micros"],
        )
        customer = await find_customer(connection, account_id)
        has_mail = customer is not None and is_mail_address(customer.email)
        if customer is not None and has_mail:
            auto_micros = await connection.fetchval(
                "SELECT settings ->> 'auto_top_up_micros' FROM accounts WHERE id = $1", account_id
            )
            text = rendered(
                "low_balance.txt",
                name=customer.name,
                account=row["name"],
                balance=format_pounds(row["balance_micros"]),
                threshold=format_pounds(row["threshold"]),
                auto=bool(auto_micros),
                seller=conf.seller.name,
            )
            await queue_mail(
                connection,
                key=f"low-balance/{account_id}/{times}",
                to=customer.email,
                subject=f"Your credit is low: {format_pounds(row['balance_micros'])}",
                text=text,
            )
        return Told(account_id, row["name"], row["balance_micros"], row["threshold"], has_mail)
