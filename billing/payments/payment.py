"""A payment as the books have it: one row of `payments`, whoever took the money.

Amounts are micros of a pound and whole pennies: nobody pays less than a penny. `reference` is the payment's id at who
knows of it (`provider`), and the pair of both is what a payment is recognised by for ever.
"""

import enum
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from provisioning.problems import InvalidValue, Refused, shown
from rating.money import format_pounds

MICROS_PER_PENNY: Final = 10_000
# As of one movement of credit that an operator types: more is a typing error, or somebody else's money.
PAYMENT_MICROS_MAX: Final = 1_000_000 * 1_000_000
REFERENCE_CHARS_MAX: Final = 200  # the longest of the providers have 70
QUOTED_CHARS_MAX: Final = 100


class Method(enum.StrEnum):
    """How somebody pays."""

    CARD = "card"
    PAYPAL = "paypal"
    DIRECT_DEBIT = "direct_debit"
    BANK_TRANSFER = "bank_transfer"
    CHEQUE = "cheque"
    CASH = "cash"


class PaymentState(enum.StrEnum):
    """`pending`: on its way, and worth nothing yet. Only `received` has been credited."""

    PENDING = "pending"
    RECEIVED = "received"
    FAILED = "failed"
    CANCELLED = "cancelled"


STATEMENT: Final = "statement"  # the provider of what a bank statement shows
DESK: Final = "desk"  # the provider of what somebody counted: cheques and cash
GOCARDLESS: Final = "gocardless"
STRIPE: Final = "stripe"


class Payment(msgspec.Struct, frozen=True):
    """One row of `payments`. `returned_micros` went back since, by refunds and chargebacks."""

    id: int
    account_id: int
    method: Method
    provider: str
    reference: str
    amount_micros: int
    returned_micros: int
    state: PaymentState
    quoted: str
    made_at: datetime
    received_at: datetime | None

    @property
    def left_micros(self) -> int:
        """What could still go back."""
        return self.amount_micros - self.returned_micros


def payment_from_row(row: asyncpg.Record) -> Payment:
    return Payment(
        id=row["id"],
        account_id=row["account_id"],
        method=Method(row["method"]),
        provider=row["provider"],
        reference=row["reference"],
        amount_micros=row["amount_micros"],
        returned_micros=row["returned_micros"],
        state=PaymentState(row["state"]),
        quoted=row["quoted"],
        made_at=row["made_at"],
        received_at=row["received_at"],
    )


async def find_payment(db: asyncpg.Connection | asyncpg.Pool, payment_id: int) -> Payment:
    """Raises Refused."""
    row = await db.fetchrow("SELECT * FROM payments WHERE id = $1", payment_id)
    if row is None:
        raise Refused(f"there is no payment {payment_id}")
    return payment_from_row(row)


async def find_by_reference(
    db: asyncpg.Connection | asyncpg.Pool, provider: str, reference: str
) -> Payment | None:
    row = await db.fetchrow(
        "SELECT * FROM payments WHERE provider = $1 AND reference = $2", provider, reference
    )
    return None if row is None else payment_from_row(row)


def check_amount(amount_micros: int) -> int:
    """Whole pennies, more than none. Raises InvalidValue."""
    if amount_micros <= 0 or amount_micros % MICROS_PER_PENNY or amount_micros > PAYMENT_MICROS_MAX:
        raise InvalidValue(
            "payment",
            format_pounds(amount_micros),
            f"whole pennies, more than nothing and at most {format_pounds(PAYMENT_MICROS_MAX)}",
        )
    return amount_micros


def check_reference(reference: str) -> str:
    if not 0 < len(reference) <= REFERENCE_CHARS_MAX or not reference.isprintable():
        raise InvalidValue("reference", reference, f"1 to {REFERENCE_CHARS_MAX} characters that print")
    return reference


def check_quoted(quoted: str) -> str:
    if len(quoted) > QUOTED_CHARS_MAX or (quoted and not quoted.isprintable()):
        raise InvalidValue(
            "invoice number", shown(quoted), f"at most {QUOTED_CHARS_MAX} characters that print"
        )
    return quoted
