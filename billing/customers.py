"""Who an account is on paper and by law: the row of `customers` that invoices, notices and rights go by."""

import enum

import asyncpg
import msgspec


class CustomerKind(enum.StrEnum):
    """What rights somebody has: a small business (up to ten people) has a consumer's before an ombudsman (GC C4)."""

    CONSUMER = "consumer"
    SMALL_BUSINESS = "small_business"
    BUSINESS = "business"


class Customer(msgspec.Struct, frozen=True):
    """An account's customer. `address` is its lines as they are printed, the postcode last."""

    account_id: int
    kind: CustomerKind
    company: str
    contact: str
    address: tuple[str, ...]
    email: str
    vat_number: str
    wants_large_print: bool
    wants_itemised: bool
    wants_payment_invoices: bool
    purchase_order: str

    @property
    def name(self) -> str:
        """Whom a document is addressed to."""
        return self.company or self.contact


async def find_customer(db: asyncpg.Connection, account_id: int) -> Customer | None:
    """None of an account that nobody has described yet."""
    row = await db.fetchrow("SELECT * FROM customers WHERE account_id = $1", account_id)
    return None if row is None else customer_from_row(row)


def customer_from_row(row: asyncpg.Record) -> Customer:
    return Customer(
        account_id=row["account_id"],
        kind=CustomerKind(row["kind"]),
        company=row["company"],
        contact=row["contact"],
        address=tuple(row["address"]),
        email=row["email"],
        vat_number=row["vat_number"],
        wants_large_print=row["wants_large_print"],
        wants_itemised=row["wants_itemised"],
        wants_payment_invoices=row["wants_payment_invoices"],
        purchase_order=row["purchase_order"],
    )
