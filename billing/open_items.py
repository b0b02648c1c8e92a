"""Which money has paid which invoice: the rows of `allocations`.

An invoice is open by its total less what was allocated to it. A payment's or credit note's money is free by its
amount, less what went back to the payer, less what was allocated of it. Only invoices of kind `invoice` are owed: a
payment invoice is a receipt. Everything here happens under the account's lock, in the caller's transaction.
"""

import datetime

import asyncpg
import msgspec

from provisioning.ledger import lock_account

_OPEN_INVOICES = """
SELECT i.id, i.number, i.issued_on, i.due_on, i.total_micros,
       i.total_micros - coalesce((SELECT sum(a.amount_micros) FROM allocations a WHERE a.invoice_id = i.id), 0)::bigint
           AS open_micros
FROM invoices i
WHERE i.account_id = $1 AND i.kind = 'invoice' AND i.total_micros > 0
ORDER BY i.issued_on, i.id
"""

# The oldest money first. Payments of which an invoice was made at once (prepaid) are allocated to that.
_FREE_MONEY = """
SELECT * FROM (
    SELECT p.id AS payment_id, NULL::bigint AS credit_note_id, p.quoted AS meant_for, p.received_at AS at, p.id,
           p.amount_micros - p.returned_micros
               - coalesce((SELECT sum(a.amount_micros) FROM allocations a WHERE a.payment_id = p.id), 0)::bigint
               AS free_micros
    FROM payments p
    WHERE p.account_id = $1 AND p.state = 'received'
    UNION ALL
    SELECT NULL, c.id, c.corrects, c.issued_on::timestamp AT TIME ZONE 'Europe/London', c.id,
           c.total_micros
               - coalesce((SELECT sum(a.amount_micros) FROM allocations a WHERE a.credit_note_id = c.id), 0)::bigint
    FROM invoices c JOIN invoices i ON i.number = c.corrects
    WHERE c.account_id = $1 AND c.kind = 'credit_note' AND i.kind = 'invoice'
) money
WHERE free_micros > 0
ORDER BY payment_id IS NOT NULL, at, id
"""


class OpenInvoice(msgspec.Struct, frozen=True):
    """An invoice that is not paid in full. `due_on` None: nobody has said until when."""

    invoice_id: int
    number: str
    issued_on: datetime.date
    due_on: datetime.date | None
    total_micros: int
    open_micros: int


class FreeMoney(msgspec.Struct, frozen=True):
    """What is left of a payment or a credit note: exactly one of the two ids is set."""

    payment_id: int | None
    credit_note_id: int | None
    meant_for: str
    free_micros: int


class Allocation(msgspec.Struct, frozen=True):
    """So much of that money pays that invoice."""

    money: FreeMoney
    invoice: OpenInvoice
    amount_micros: int


async def open_invoices(connection: asyncpg.Connection, account_id: int) -> list[OpenInvoice]:
    """The oldest first."""
    rows = await connection.fetch(_OPEN_INVOICES, account_id)
    return [
        OpenInvoice(
            row["id"], row["number"], row["issued_on"], row["due_on"], row["total_micros"], row["open_micros"]
        )
        for row in rows
        if row["open_micros"] > 0
    ]


async def free_micros(connection: asyncpg.Connection, account_id: int) -> int:
    """Money of payments and credit notes that has not paid anything yet."""
    return sum(row["free_micros"] for row in await connection.fetch(_FREE_MONEY, account_id))


async def allocate(connection: asyncpg.Connection, account_id: int) -> list[Allocation]:
    """Give free money to open invoices: the one that was quoted first, then the oldest. What was given."""
    await lock_account(connection, account_id)
    rows = await connection.fetch(_FREE_MONEY, account_id)
    money = [
        FreeMoney(row["payment_id"], row["credit_note_id"], row["meant_for"], row["free_micros"])
        for row in rows
    ]
    allocations = share_out(money, await open_invoices(connection, account_id))
    await connection.executemany(
        "INSERT INTO allocations (invoice_id, payment_id, credit_note_id, amount_micros) VALUES ($1, $2, $3, $4)",
        [
            (
                given.invoice.invoice_id,
                given.money.payment_id,
                given.money.credit_note_id,
                given.amount_micros,
            )
            for given in allocations
        ],
    )
    return allocations


def share_out(money: list[FreeMoney], invoices: list[OpenInvoice]) -> list[Allocation]:
    """Who pays whom; pure. Each invoice that was quoted gets that money before any other does."""
    open_micros = {invoice.number: invoice.open_micros for invoice in invoices}
    free = [item.free_micros for item in money]
    allocations = []

    def give(index: int, invoice: OpenInvoice) -> None:
        amount = min(free[index], open_micros[invoice.number])
        if amount > 0:
            free[index] -= amount
            open_micros[invoice.number] -= amount
            allocations.append(Allocation(money[index], invoice, amount))

    by_number = {invoice.number: invoice for invoice in invoices}
    for index, item in enumerate(money):
        if item.meant_for in by_number:
            give(index, by_number[item.meant_for])
    for index in range(len(money)):
        for invoice in invoices:
            give(index, invoice)
    return allocations


async def take_back(connection: asyncpg.Connection, payment_id: int, amount_micros: int) -> int:
    """So much of a payment went back to the payer: invoices that it paid are open again. How much was opened.

    To be called after `payments.returned_micros` has grown by the amount. What was free is taken first, then what was
    allocated last.
    """
    payment = await connection.fetchrow(
        "SELECT account_id, amount_micros, returned_micros FROM payments WHERE id = $1", payment_id
    )
    assert payment is not None, f"there is no payment {payment_id}"
    assert payment["returned_micros"] >= amount_micros, "returned_micros grows before money is taken back"
    await lock_account(connection, payment["account_id"])
    rows = await connection.fetch(
        "SELECT invoice_id, sum(amount_micros)::bigint AS micros, max(id) AS latest FROM allocations"
        " WHERE payment_id = $1 GROUP BY invoice_id HAVING sum(amount_micros) > 0 ORDER BY latest DESC",
        payment_id,
    )
    left = payment["amount_micros"] - payment["returned_micros"]
    excess: int = min(amount_micros, max(0, sum(row["micros"] for row in rows) - left))
    opened = excess
    for row in rows:
        amount = min(excess, row["micros"])
        if amount > 0:
            excess -= amount
            await connection.execute(
                "INSERT INTO allocations (invoice_id, payment_id, amount_micros) VALUES ($1, $2, $3)",
                row["invoice_id"],
                payment_id,
                -amount,
            )
    return opened
