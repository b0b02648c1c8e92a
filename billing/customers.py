"""Who an account is on paper and by law: the row of `customers` that invoices, notices and rights go by."""

import enum
import re
from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from provisioning.problems import InvalidValue, Refused, shown
from switch.conf_voicemail import is_mail_address


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
    has_priority_repair: bool = False

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
        has_priority_repair=row["has_priority_repair"],
    )


# One line of a letter in normal print.
LINE_CHARS_MAX: Final = 60
ADDRESS_LINES_MAX: Final = 6
LISTED_MAX: Final = 10_000

_VAT_NUMBER: Final = re.compile(r"[A-Z]{2}[0-9A-Z]{2,13}")


class CustomerView(msgspec.Struct, frozen=True):
    """A customer with the name of his account."""

    account: str
    customer: Customer


async def set_customer(
    db: asyncpg.Pool,
    account_name: str,
    *,
    kind: CustomerKind | None = None,
    company: str | None = None,
    contact: str | None = None,
    address: Sequence[str] | None = None,
    email: str | None = None,
    vat_number: str | None = None,
    wants_large_print: bool | None = None,
    wants_itemised: bool | None = None,
    wants_payment_invoices: bool | None = None,
    purchase_order: str | None = None,
    has_priority_repair: bool | None = None,
) -> CustomerView:
    """Describe an account's customer; what is None stays as it was. Raises InvalidValue, Refused."""
    changes: dict[str, object] = {
        "kind": kind.value if kind is not None else None,
        "company": _line("company", company),
        "contact": _line("contact", contact),
        "address": _address(address),
        "email": _email(email),
        "vat_number": _vat_number(vat_number),
        "wants_large_print": wants_large_print,
        "wants_itemised": wants_itemised,
        "wants_payment_invoices": wants_payment_invoices,
        "purchase_order": _line("purchase order", purchase_order),
        "has_priority_repair": has_priority_repair,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    async with db.acquire() as connection, connection.transaction():
        account = await connection.fetchrow(
            "SELECT id, name FROM accounts WHERE lower(name) = lower($1) FOR NO KEY UPDATE", account_name
        )
        if account is None:
            raise Refused(f"there is no account {shown(account_name)}")
        await connection.execute(
            "INSERT INTO customers (account_id) VALUES ($1) ON CONFLICT DO NOTHING", account["id"]
        )
        if given:
            settings = ", ".join(f"{name} = ${place}" for place, name in enumerate(given, 2))
            await connection.execute(
                f"UPDATE customers SET {settings} WHERE account_id = $1",  # noqa: S608 - names of this function
                account["id"],
                *given.values(),
            )
        customer = await find_customer(connection, account["id"])
        assert customer is not None, "its row was made above"
        return CustomerView(account["name"], customer)


async def list_customers(db: asyncpg.Pool) -> list[CustomerView]:
    """By the names of their accounts."""
    rows = await db.fetch(
        "SELECT c.*, a.name FROM customers c JOIN accounts a ON a.id = c.account_id ORDER BY lower(a.name) LIMIT $1",
        LISTED_MAX,
    )
    return [CustomerView(row["name"], customer_from_row(row)) for row in rows]


async def show_customer(db: asyncpg.Pool, account_name: str) -> CustomerView:
    """Raises Refused for an account that there is not, or that nobody has described."""
    row = await db.fetchrow(
        "SELECT c.*, a.name FROM accounts a LEFT JOIN customers c ON c.account_id = a.id"
        " WHERE lower(a.name) = lower($1)",
        account_name,
    )
    if row is None:
        raise Refused(f"there is no account {shown(account_name)}")
    if row["account_id"] is None:
        raise Refused(f"nobody has said who {shown(row['name'])} is: `offhook customer set`")
    return CustomerView(row["name"], customer_from_row(row))


def _line(what: str, text: str | None) -> str | None:
    if text is not None and (not text.isprintable() or len(text) > LINE_CHARS_MAX):
        raise InvalidValue(what, text, f"at most {LINE_CHARS_MAX} printable characters")
    return text


def _address(lines: Sequence[str] | None) -> list[str] | None:
    if lines is None:
        return None
    if len(lines) > ADDRESS_LINES_MAX:
        raise InvalidValue("address", f"{len(lines)} lines", f"at most {ADDRESS_LINES_MAX}")
    return [line for line in (_line("line of the address", line) for line in lines) if line]


def _email(text: str | None) -> str | None:
    if text and not is_mail_address(text):
        raise InvalidValue("e-mail address", text, "one like accounts@example.com")
    return text


def _vat_number(text: str | None) -> str | None:
    if not text:
        return text
    number = text.upper().replace(" ", "")
    if not _VAT_NUMBER.fullmatch(number):
        raise InvalidValue("VAT number", text, "one with its country, like GB123456789")
    return number
