"""Another copy of a document for its customer, by mail."""

import asyncpg

from billing.customers import find_customer
from billing.invoices.issue import find_document
from billing.invoices.mailing import queue_document
from provisioning.problems import Refused, shown


async def send_copy(db: asyncpg.Pool, number: str) -> str:
    """The address that it goes to. Raises Refused where there is none, or no such document."""
    async with db.acquire() as connection, connection.transaction():
        document = await find_document(connection, number)
        account_id = await connection.fetchval("SELECT account_id FROM invoices WHERE number = $1", number)
        customer = await find_customer(connection, account_id)
        if customer is None or not customer.email:
            raise Refused(
                f"account {shown(document.customer.account)} has no address for mail: `offhook customer set`"
            )
        # Each copy that somebody asks for is a mail of its own, also while the one before still waits.
        count = await connection.fetchval("SELECT nextval(pg_get_serial_sequence('mails', 'id'))")
        await queue_document(connection, document, customer, again=f"/copy-{count}")
        return customer.email
