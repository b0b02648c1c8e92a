"""What may be taken from again: cards that a customer has stored at the provider, and Direct Debit mandates."""

import asyncpg
import msgspec

from billing.payments.provider import MethodView, Provider


class PaymentMethod(msgspec.Struct, frozen=True):
    """One row of `payment_methods`. `label` is what the customer recognises: a card's last digits, the mandate's
    reference."""

    id: int
    account_id: int
    provider: str
    customer: str
    reference: str
    state: str
    label: str

    @property
    def view(self) -> MethodView:
        return MethodView(
            self.provider, self.reference, self.customer, self.account_id, self.state, self.label
        )


def method_from_row(row: asyncpg.Record) -> PaymentMethod:
    return PaymentMethod(
        id=row["id"],
        account_id=row["account_id"],
        provider=row["provider"],
        customer=row["customer"],
        reference=row["reference"],
        state=row["state"],
        label=row["label"],
    )


async def note_method(connection: asyncpg.Connection, view: MethodView) -> None:
    """As the provider has it now. One that is nobody's here is left out; an account keeps what is its own."""
    if view.account_id is None:
        return
    await connection.execute(
        "INSERT INTO payment_methods (account_id, provider, customer, reference, state, label)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (provider, reference) DO UPDATE"
        " SET state = excluded.state, label = excluded.label, customer = excluded.customer"
        " WHERE payment_methods.account_id = excluded.account_id",
        view.account_id,
        view.provider,
        view.customer,
        view.reference,
        view.state,
        view.label,
    )


async def look_at_method(db: asyncpg.Pool, provider: Provider, reference: str) -> MethodView:
    """Under its lock, as a payment is looked at: an older answer never comes after a newer one."""
    async with db.acquire() as connection, connection.transaction():
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 6))", f"{provider.name}:{reference}"
        )
        view = await provider.look_method(reference)
        await note_method(connection, view)
    return view


async def methods_of(db: asyncpg.Pool | asyncpg.Connection, account_id: int) -> list[PaymentMethod]:
    """The newest first."""
    rows = await db.fetch("SELECT * FROM payment_methods WHERE account_id = $1 ORDER BY id DESC", account_id)
    return [method_from_row(row) for row in rows]


async def usable_method(
    db: asyncpg.Pool | asyncpg.Connection, account_id: int, provider: str
) -> PaymentMethod | None:
    """The newest that may be taken from now."""
    row = await db.fetchrow(
        "SELECT * FROM payment_methods WHERE account_id = $1 AND provider = $2 AND state = 'active'"
        " ORDER BY id DESC LIMIT 1",
        account_id,
        provider,
    )
    return None if row is None else method_from_row(row)
