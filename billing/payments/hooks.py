"""What other areas do when money has come in, in the same transaction: here they are joined."""

from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import structlog

from billing.arrears.easing import on_received as arrears_on_received
from billing.conf import BillingConf
from billing.dated import NothingYet
from billing.invoices.issue import CannotIssue
from billing.invoices.of_payment import invoice_for_payment

Hook = Callable[[asyncpg.Connection, int], Awaitable[None]]

ON_RECEIVED: Final[tuple[Hook, ...]] = (arrears_on_received,)

log = structlog.get_logger("billing.payments")


async def on_received(connection: asyncpg.Connection, account_id: int) -> None:
    """Money has come in and paid what it could: a restricted account may be free again within this second."""
    for hook in ON_RECEIVED:
        await hook(connection, account_id)


async def invoice_of(connection: asyncpg.Connection, conf: BillingConf, payment_id: int) -> str | None:
    """The number of the VAT invoice that this payment gets, None of none.

    Money that came in is credited whatever is missing on paper: the daily work makes the invoice later.
    """
    try:
        return await invoice_for_payment(connection, conf, payment_id)
    except (CannotIssue, NothingYet) as problem:
        log.warning("payment_without_invoice", payment=payment_id, problem=str(problem))
        return None
