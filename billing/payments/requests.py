"""Pages on which customers pay or give a mandate; and looking after payments whose news never came."""

import secrets
from collections.abc import Mapping
from typing import Final

import asyncpg
import msgspec

from billing.conf import BillingConf
from billing.customers import find_customer
from billing.payments.payment import check_amount, check_quoted
from billing.payments.provider import Provider, ProviderRefused, ProviderUnreachable, ViewState, Wanted
from billing.payments.settling import Settled, look_and_settle
from provisioning.problems import ProvisioningProblem

LOOK_EVERY_S: Final = 300.0
LOOK_AT_PENDING_EVERY_S: Final = 3600.0
# A Checkout Session lives a day, an order three hours, a billing request seven days.
REQUEST_DAYS_MAX: Final = 8
BATCH_MAX: Final = 50


class PaymentRequest(msgspec.Struct, frozen=True):
    """What the customer is sent to. `amount_micros` 0: a mandate."""

    id: int
    provider: str
    reference: str
    amount_micros: int
    url: str


async def ask_for_payment(
    db: asyncpg.Pool,
    provider: Provider,
    account_id: int,
    amount_micros: int,
    *,
    quoted: str = "",
    saves_method: bool = False,
) -> PaymentRequest:
    """A page at the provider's. Raises ProviderRefused and ProviderUnreachable."""
    if amount_micros:
        check_amount(amount_micros)
    customer = await find_customer(db, account_id)
    wanted = Wanted(
        account_id=account_id,
        amount_micros=amount_micros,
        key=f"offhook-request-{secrets.token_hex(12)}",
        description=f"Invoice {check_quoted(quoted)}" if quoted else "Telephone account",
        quoted=quoted,
        email="" if customer is None else customer.email,
        saves_method=saves_method,
    )
    page = await provider.open_page(wanted)
    request_id = await db.fetchval(
        "INSERT INTO payment_requests (account_id, provider, reference, amount_micros, quoted, url)"
        " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        account_id,
        provider.name,
        page.reference,
        amount_micros,
        quoted,
        page.url,
    )
    return PaymentRequest(request_id, provider.name, page.reference, amount_micros, page.url)


async def poll(db: asyncpg.Pool, conf: BillingConf, providers: Mapping[str, Provider]) -> list[Settled]:
    """Look at what is open or on its way and has not been looked at for a while: news may be lost."""
    found = []
    for row in await db.fetch(
        "SELECT id, provider, reference FROM payment_requests"
        " WHERE done_at IS NULL AND looked_at < now() - make_interval(secs => $1) ORDER BY looked_at LIMIT $2",
        LOOK_EVERY_S,
        BATCH_MAX,
    ):
        settled = await _look(db, conf, providers, row)
        is_done = settled is not None and _is_done(settled)
        await db.execute(
            "UPDATE payment_requests SET looked_at = now(), done_at = CASE WHEN $2 OR made_at < now() -"
            " make_interval(days => $3) THEN now() END WHERE id = $1",
            row["id"],
            is_done,
            REQUEST_DAYS_MAX,
        )
        found += [settled] if settled is not None else []
    return found


async def poll_pending(
    db: asyncpg.Pool, conf: BillingConf, providers: Mapping[str, Provider]
) -> list[Settled]:
    """Payments that are on their way. They are few, and each is looked at once an hour."""
    rows = await db.fetch(
        "SELECT provider, reference FROM payments WHERE state = 'pending' AND provider = ANY($1::text[])"
        " ORDER BY made_at LIMIT $2",
        list(providers),
        BATCH_MAX * 20,
    )
    looked = [await _look(db, conf, providers, row) for row in rows]
    return [each for each in looked if each is not None]


async def _look(
    db: asyncpg.Pool, conf: BillingConf, providers: Mapping[str, Provider], row: asyncpg.Record
) -> Settled | None:
    """None while nobody can be asked."""
    provider = providers.get(row["provider"])
    if provider is None:
        return None
    try:
        return await look_and_settle(db, conf, provider, row["reference"])
    except (ProviderRefused, ProviderUnreachable, ProvisioningProblem):
        return None


def _is_done(settled: Settled) -> bool:
    if settled.view.state is ViewState.CANCELLED or settled.view.saved is not None:
        return True
    return settled.payment is not None and settled.payment.state.value != "pending"
