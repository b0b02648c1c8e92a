"""News of providers (webhooks): stored first, exactly once, then worked through until the books are right.

Storing answers the provider; working through may wait for a provider or for the other news that has to come first. What
fails is tried again, later and later; after TRIES_MAX a person has to look (`offhook payment events`).
"""

from collections.abc import Mapping
from typing import Final

import asyncpg
import msgspec
import structlog

from billing.conf import BillingConf
from billing.payments.methods import look_at_method
from billing.payments.paypal_reversal import reversal_in
from billing.payments.provider import News, Provider, ProviderRefused, ProviderUnreachable, Subject
from billing.payments.settling import Settled, look_and_settle
from provisioning.printable import shorten
from provisioning.problems import ProvisioningProblem
from provisioning.service import UNREACHABLE

# With the delays below about four days: as long as the providers themselves go on sending.
TRIES_MAX: Final = 30
FIRST_DELAY_S: Final = 5
DELAY_S_MAX: Final = 4 * 3600
BATCH_MAX: Final = 100  # of news worked through before anything else gets its turn
TEXT_CHARS_MAX: Final = 200

log = structlog.get_logger("billing.payments")


class StoredNews(msgspec.Struct, frozen=True):
    """One row of `payment_events` that waits."""

    id: int
    provider: str
    event: str
    kind: str
    subject: Subject
    reference: str
    detail: Mapping[str, object]
    tries: int


async def store_news(db: asyncpg.Pool, news: list[News]) -> int:
    """How many were new. Committed before the provider gets its answer."""
    stored = 0
    async with db.acquire() as connection, connection.transaction():
        for each in news:
            row = await connection.fetchrow(
                "INSERT INTO payment_events (provider, event, kind, subject, reference, detail, applied_at)"
                " VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $4 = 'nothing' THEN now() END)"
                " ON CONFLICT (provider, event) DO NOTHING RETURNING id",
                each.provider,
                _short(each.event),
                _short(each.kind),
                each.subject.value,
                _short(each.reference),
                msgspec.json.encode(each.detail).decode().replace("\\u0000", ""),
            )
            stored += row is not None
    return stored


async def apply_news(db: asyncpg.Pool, conf: BillingConf, providers: Mapping[str, Provider]) -> list[str]:
    """Work through what is due. What became of each, for the log."""
    rows = await db.fetch(
        "SELECT id, provider, event, kind, subject, reference, detail, tries FROM payment_events"
        " WHERE applied_at IS NULL AND set_aside_at IS NULL AND next_try_at <= now() ORDER BY id LIMIT $1",
        BATCH_MAX,
    )
    return [await _apply(db, conf, providers, _stored(row)) for row in rows]


async def _apply(
    db: asyncpg.Pool, conf: BillingConf, providers: Mapping[str, Provider], news: StoredNews
) -> str:
    try:
        said = await _work(db, conf, providers, news)
    except (ProviderRefused, ProviderUnreachable, ProvisioningProblem) as problem:
        return await _try_later(db, news, str(problem))
    except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
        return await _try_later(db, news, "two at once")
    except UNREACHABLE:
        raise
    except Exception as problem:  # the border of one piece of news: those behind it must not wait for it
        log.error("payment_event_failed", id=news.id, problem=type(problem).__name__, exc_info=True)
        return await _try_later(db, news, type(problem).__name__)
    await db.execute("UPDATE payment_events SET applied_at = now(), problem = '' WHERE id = $1", news.id)
    return said


async def _work(
    db: asyncpg.Pool, conf: BillingConf, providers: Mapping[str, Provider], news: StoredNews
) -> str:
    provider = providers.get(news.provider)
    if provider is None:
        raise ProviderUnreachable(f"{news.provider} is not in use any more")
    if news.subject is Subject.METHOD:
        view = await look_at_method(db, provider, news.reference)
        return f"{news.kind}: {view.label} is {view.state}"
    more = reversal_in(news.detail)
    settled = await look_and_settle(db, conf, provider, news.reference, more=more)
    if more is not None and settled.payment is None:
        raise ProviderUnreachable("it takes back what has not come yet")
    return f"{news.kind}: {outcome(settled)}"


def outcome(settled: Settled) -> str:
    payment = settled.payment
    if payment is None:
        return "nothing was paid"
    return f"payment {payment.id} {'credited' if settled.is_credited else payment.state.value}"


async def _try_later(db: asyncpg.Pool, news: StoredNews, problem: str) -> str:
    is_last = news.tries + 1 >= TRIES_MAX
    delay_s = min(FIRST_DELAY_S * 2 ** min(news.tries, 20), DELAY_S_MAX)
    await db.execute(
        "UPDATE payment_events SET tries = tries + 1, problem = $2, next_try_at = now() + make_interval(secs => $3),"
        " set_aside_at = CASE WHEN $4 THEN now() END WHERE id = $1",
        news.id,
        _short(problem),
        delay_s,
        is_last,
    )
    if is_last:
        log.error(
            "payment_event_set_aside", id=news.id, provider=news.provider, kind=news.kind, problem=problem
        )
    return f"{news.kind}: {'set aside' if is_last else 'later'}: {problem}"


def _stored(row: asyncpg.Record) -> StoredNews:
    detail = msgspec.json.decode(row["detail"])
    return StoredNews(
        id=row["id"],
        provider=row["provider"],
        event=row["event"],
        kind=row["kind"],
        subject=Subject(row["subject"]),
        reference=row["reference"],
        detail=detail if isinstance(detail, dict) else {},
        tries=row["tries"],
    )


def _short(text: str) -> str:
    return shorten(text, TEXT_CHARS_MAX)
