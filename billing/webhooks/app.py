"""The door for news of providers: `POST /webhooks/stripe`, `/webhooks/gocardless`, `/webhooks/paypal`; `GET /healthz`.

Read within limits, verified by the provider's own means, stored, answered: 200 once it is in the books, whether it was
there before or not. What is not signed gets 401 at once, and nothing of what it said is written anywhere. 503 makes the
provider send it again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from billing.counts import BillingCounts
from billing.payments.provider import NEWS_MAX, ForgedNews, News, Provider, ProviderUnreachable
from billing.webhooks.limits import KnockLimit

# GoCardless' 250 events of one request are some 150 kB.
BODY_BYTES_MAX: Final = 512 * 1024
BODY_WITHIN_S: Final = 10.0
# Verifications that ask the provider (PayPal) at once: each holds a thread for as long as that takes.
VERIFIED_AT_ONCE_MAX: Final = 8

log = structlog.get_logger("billing.webhooks")


class Desk:
    """What the door needs of the process: who is in use now, where news goes, what is counted."""

    __slots__ = ("_verifying", "counts", "knocks", "providers", "store")

    def __init__(
        self,
        providers: Callable[[], Mapping[str, Provider]],
        store: Callable[[list[News]], Awaitable[int]],
        counts: BillingCounts,
    ) -> None:
        self.providers = providers
        self.store = store
        self.counts = counts
        self.knocks = KnockLimit(time.monotonic())
        self._verifying = 0

    async def take_in(self, name: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status that answers it."""
        provider = self.providers().get(name)
        if provider is None:
            return 404
        if self._verifying >= VERIFIED_AT_ONCE_MAX:
            return 503
        self._verifying += 1
        try:
            news = await provider.read_news(headers, body)
        except ForgedNews:
            return 401
        except ProviderUnreachable:
            return 503
        finally:
            self._verifying -= 1
        if len(news) > NEWS_MAX:
            return 413
        stored = await self.store(news)
        self.counts.news_stored += stored
        self.counts.news_repeated += len(news) - stored
        return 200


def make_app(desk: Desk) -> FastAPI:
    """No documentation of itself: it is for machines that have the providers'."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/healthz")
    async def healthz() -> Response:
        return _answer(200)

    @app.post("/webhooks/{name}")
    async def webhook(name: str, request: Request) -> Response:
        status = await _status_of(desk, name, request)
        desk.counts.answers[status] += 1
        return _answer(status)

    return app


async def _status_of(desk: Desk, name: str, request: Request) -> int:
    source = request.client.host if request.client is not None else ""
    if not desk.knocks.admits(source, time.monotonic()):
        return 429
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            body = await _body_of(request)
    except (TimeoutError, ClientDisconnect):
        return 408
    if body is None:
        return 413
    headers = {key.lower(): value for key, value in request.headers.items()}
    try:
        return await desk.take_in(name, headers, body)
    except Exception as problem:  # noqa: BLE001 - the border: one request's trouble is that request's
        desk.counts.bugs += not isinstance(problem, desk.counts.unreachable)
        log.error("webhook_failed", problem=type(problem).__name__)
        return 503


async def _body_of(request: Request) -> bytes | None:
    """None of one that is too long, which is not read to its end."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


def _answer(status: int) -> Response:
    """A word of ours, and nothing of theirs."""
    headers = {"Retry-After": "5"} if status in (429, 503) else None
    return Response(b"ok\n" if status == 200 else b"no\n", status, headers, "text/plain")
