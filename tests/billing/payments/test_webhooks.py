"""The door for webhooks, over HTTP: what it answers to whom, and that nothing is lost or taken twice behind it."""

import asyncio
import socket
from collections.abc import Mapping

import asyncpg
import httpx
import pytest

from billing.counts import BillingCollector, BillingCounts
from billing.payments.events import apply_news, store_news
from billing.payments.provider import ForgedNews, News, ProviderUnreachable, Subject
from billing.payments.requests import ask_for_payment
from billing.webhooks.app import BODY_BYTES_MAX, Desk, make_app
from billing.webhooks.limits import SOURCE_BURST, SOURCES_MAX, KnockLimit
from rating.money import VatMode
from tests.billing.books import CONF, add_account
from tests.billing.payments.books import POUND, balance_of, with_books
from tests.billing.payments.conftest import AtGoCardless, AtPayPal, AtStripe
from tests.billing.payments.fake_server import served


class Scripted:
    """A provider whose signature is one header."""

    name = "stripe"

    async def read_news(self, headers: Mapping[str, str], body: bytes) -> list[News]:
        match headers.get("signature"):
            case "good":
                return [News("stripe", body.decode(), "kind", Subject.NOTHING, "x")]
            case "unreachable":
                raise ProviderUnreachable("down")
            case "bug":
                raise RuntimeError("a bug of ours")
        raise ForgedNews("no")


class Kept:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.is_down = False

    async def store(self, news: list[News]) -> int:
        if self.is_down:
            raise ConnectionRefusedError
        new = [each.event for each in news if each.event not in self.events]
        self.events += new
        return len(new)


def desk_with(kept: Kept) -> Desk:
    return Desk(lambda: {"stripe": Scripted()}, kept.store, BillingCounts())  # type: ignore[dict-item]


def test_the_answers_of_the_door() -> None:
    kept = Kept()
    desk = desk_with(kept)
    with served(make_app(desk)) as address, httpx.Client(base_url=address) as client:
        cases: list[tuple[str, str, str, bytes, int]] = [
            ("POST", "/webhooks/stripe", "good", b"evt_1", 200),
            ("POST", "/webhooks/stripe", "good", b"evt_1", 200),
            ("POST", "/webhooks/stripe", "", b"evt_2", 401),
            ("POST", "/webhooks/stripe", "forged", b"evt_2", 401),
            ("POST", "/webhooks/stripe", "unreachable", b"evt_2", 503),
            ("POST", "/webhooks/stripe", "bug", b"evt_2", 503),
            ("POST", "/webhooks/nobody", "good", b"evt_2", 404),
            ("POST", "/webhooks/stripe", "good", b"x" * (BODY_BYTES_MAX + 1), 413),
            ("GET", "/webhooks/stripe", "good", b"", 405),
            ("GET", "/healthz", "", b"", 200),
            ("GET", "/docs", "", b"", 404),
            ("GET", "/openapi.json", "", b"", 404),
            ("GET", "/", "", b"", 404),
        ]
        for method, path, signature, body, status in cases:
            answer = client.request(method, path, content=body, headers={"Signature": signature})
            assert answer.status_code == status, (method, path, signature)
            assert "evt" not in answer.text
    assert kept.events == ["evt_1"]
    assert (desk.counts.news_stored, desk.counts.news_repeated, desk.counts.bugs) == (1, 1, 1)
    assert desk.counts.answers[401] == 2


def test_books_that_are_down_make_the_provider_send_it_again() -> None:
    kept = Kept()
    desk = desk_with(kept)
    with served(make_app(desk)) as address, httpx.Client(base_url=address) as client:
        kept.is_down = True
        answer = client.post("/webhooks/stripe", content=b"evt_1", headers={"Signature": "good"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        kept.is_down = False
        assert (
            client.post("/webhooks/stripe", content=b"evt_1", headers={"Signature": "good"}).status_code
            == 200
        )
    assert kept.events == ["evt_1"]
    assert desk.counts.bugs == 0, "that is no bug"


def test_a_body_is_not_read_beyond_the_limit_however_it_is_announced() -> None:
    kept = Kept()
    with served(make_app(desk_with(kept))) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(
                b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nSignature: good\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
            answer = b""
            try:
                for _ in range(64):
                    connection.sendall(chunk)
            except (BrokenPipeError, ConnectionResetError):
                pass
            while not answer.startswith(b"HTTP/1.1 "):
                answer += connection.recv(1024)
        assert answer.startswith(b"HTTP/1.1 413")
    assert kept.events == []


def test_who_knocks_too_often_is_told_to_wait_and_others_are_not() -> None:
    limit = KnockLimit(now=0.0)
    admitted = [limit.admits("192.0.2.1", 0.0) for _ in range(200)]
    assert sum(admitted) == SOURCE_BURST
    assert limit.admits("192.0.2.2", 0.0)
    assert not limit.admits("192.0.2.1", 0.01)
    assert limit.admits("192.0.2.1", 0.1)


def test_all_together_have_a_limit_too_and_sources_are_forgotten() -> None:
    limit = KnockLimit(now=0.0)
    admitted = [limit.admits(f"192.0.2.{number}", 0.0) for number in range(1000)]
    assert sum(admitted) == 400
    for number in range(SOURCES_MAX + 500):
        limit.admits(f"2001:db8::{number:x}", 100.0)
    assert len(limit._of) == SOURCES_MAX


def test_too_many_knocks_over_http() -> None:
    kept = Kept()
    with served(make_app(desk_with(kept))) as address, httpx.Client(base_url=address) as client:
        statuses = [client.post("/webhooks/stripe", content=b"x").status_code for _ in range(300)]
    assert set(statuses) == {401, 429}


@pytest.mark.parametrize("provider", ["stripe", "gocardless", "paypal"])
def test_a_signed_webhook_over_http_credits_the_account_once(
    dsn: str, provider: str, stripe: AtStripe, gocardless: AtGoCardless, paypal: AtPayPal
) -> None:
    """N16: top-ups by card, PayPal and Direct Debit, idempotent. Each webhook comes three times at once."""
    at = {"stripe": stripe, "gocardless": gocardless, "paypal": paypal}[provider]

    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
        if isinstance(at, AtStripe):
            request = await ask_for_payment(db, at.provider, account, 12 * POUND)
            intent = at.fake.pay(request.reference)
            headers, sent = at.fake.event(
                "payment_intent.succeeded", {"id": intent, "object": "payment_intent"}
            )
        elif isinstance(at, AtPayPal):
            request = await ask_for_payment(db, at.provider, account, 12 * POUND)
            at.fake.approve(request.reference)
            headers, sent = at.fake.event("CHECKOUT.ORDER.APPROVED", {"id": request.reference})
        else:
            request = await ask_for_payment(db, at.provider, account, 0)
            mandate = await at.provider.look_method(at.fake.fulfil(request.reference))
            from billing.payments.provider import Wanted  # noqa: PLC0415

            made = await at.provider.charge(mandate, Wanted(account, 12 * POUND, "key", "Top-up"))
            at.fake.payments[made.reference]["status"] = "confirmed"
            headers, sent = at.fake.event("payments", "confirmed", {"payment": made.reference})
        providers = {provider: at.provider}
        desk = Desk(lambda: providers, lambda news: store_news(db, news), BillingCounts())  # type: ignore[arg-type,return-value]
        transport = httpx.ASGITransport(make_app(desk))
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            path = f"/webhooks/{provider}"
            answers = await asyncio.gather(
                *(client.post(path, content=sent, headers=headers) for _ in range(3))
            )
            assert [each.status_code for each in answers] == [200, 200, 200]
            forged = await client.post(path, content=sent.replace(b"12", b"13") + b" ", headers={})
            assert forged.status_code == 401
        await apply_news(db, CONF, providers)  # type: ignore[arg-type]
        assert await balance_of(db, account) == 12 * POUND
        assert await db.fetchval("SELECT count(*) FROM payment_events") == 1
        assert (desk.counts.news_stored, desk.counts.news_repeated) == (1, 2)

    with_books(dsn, body)


def test_what_is_counted_can_be_read() -> None:
    counts = BillingCounts()
    counts.answers[401] = 7
    counts.waiting = {"mails": 3}
    found = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for metric in BillingCollector(counts).collect()
        for sample in metric.samples
    }
    assert found["offhook_billing_webhook_answers_total", ("401",)] == 7
    assert found["offhook_billing_waiting", ("mails",)] == 3
