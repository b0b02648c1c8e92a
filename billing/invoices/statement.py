"""A statement on request: what a prepaid account paid in, what it used, what is left. No VAT invoice, and no row."""

import datetime

import asyncpg

from billing.conf import BillingConf
from billing.customers import find_customer
from billing.invoices.document import Addressee, Document, DocumentKind, Form, Movement
from billing.invoices.issue import addressee, midnight
from billing.invoices.ledger_rows import USAGE, bundle_names, bundled_calls, rows_between
from billing.invoices.monthly import TITLES, bundle_use, call_groups, itemised
from billing.invoices.run import Period
from billing.invoices.wording import london_date
from provisioning.ledger import MovementKind
from provisioning.problems import Refused, shown
from rating.money import VatMode

MOVEMENT_TITLES = {
    **TITLES,
    MovementKind.PAYMENT.value: "Payment, thank you",
    MovementKind.REFUND.value: "Refund to you",
    MovementKind.CHARGEBACK.value: "Payment taken back by the bank",
    MovementKind.VAT.value: "VAT",
    MovementKind.ROUNDING.value: "Rounding in your favour",
    MovementKind.CREDIT_NOTE.value: "Credit note",
}


async def make_statement(
    connection: asyncpg.Connection,
    conf: BillingConf,
    account_name: str,
    period: Period,
    *,
    today: datetime.date,
) -> Document:
    """Everything that moved in the period. Raises Refused for an account that there is not."""
    account = await connection.fetchrow(
        "SELECT id, name, vat FROM accounts WHERE lower(name) = lower($1)", account_name
    )
    if account is None:
        raise Refused(f"there is no account {shown(account_name)}")
    since, before = midnight(period.first), midnight(period.end)
    opening = await connection.fetchval(
        "SELECT coalesce(sum(amount_micros), 0)::bigint FROM ledger WHERE account_id = $1 AND at < $2",
        account["id"],
        since,
    )
    rows = await rows_between(connection, account["id"], since, before)
    usage = [row for row in rows if row.kind == USAGE]
    spent = sum(row.amount_micros for row in usage)
    movements = [
        Movement(
            london_date(row.at).isoformat(),
            row.memo or MOVEMENT_TITLES.get(row.kind, row.kind),
            row.amount_micros,
        )
        for row in rows
        if row.kind != USAGE
    ]
    if usage:
        movements.append(Movement(period.last.isoformat(), "Calls and texts", spent))
    usage += await bundled_calls(connection, account["id"], since, before)
    names = await bundle_names(connection, account["id"])
    customer = await find_customer(connection, account["id"])
    whom = Addressee(account["name"], account["name"])
    return Document(
        kind=DocumentKind.STATEMENT,
        form=Form.SIMPLIFIED,
        number="",
        issued_on=today.isoformat(),
        tax_point=today.isoformat(),
        seller=conf.seller,
        customer=whom if customer is None else addressee(account["name"], customer, Form.SIMPLIFIED),
        mode=VatMode(account["vat"]),
        lines=(),
        rates=(),
        net_micros=0,
        vat_micros=0,
        total_micros=0,
        period_from=period.first.isoformat(),
        period_to=period.last.isoformat(),
        groups=tuple(call_groups(usage)),
        calls=tuple(itemised(usage, since)) if customer is None or customer.wants_itemised else (),
        bundles=tuple(bundle_use(usage, names)),
        movements=tuple(movements),
        opening_micros=opening,
        closing_micros=opening + sum(row.amount_micros for row in rows),
    )
