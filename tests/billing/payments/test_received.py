"""Money comes in once: through `received`, and through looks at a provider in whatever order news came."""

import asyncio
import datetime
import random
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.open_items import open_invoices
from billing.payments.events import apply_news, store_news
from billing.payments.payment import Method, PaymentState, find_by_reference
from billing.payments.provider import (
    News,
    PaymentView,
    ReturnKind,
    ReturnView,
    Subject,
    ViewState,
)
from billing.payments.received import Money, Received, ended, pending, received
from billing.payments.settling import settle
from provisioning.problems import InvalidValue, Refused
from rating.money import VatMode
from tests.billing.books import CONF, add_account, add_bare_invoice, add_customer
from tests.billing.payments.books import POUND, balance_of, movements_of, with_books
from tests.billing.payments.conftest import AtStripe
from tests.postgres import PostgresServer

AT = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)


def money(account_id: int, reference: str = "pi_1", amount: int = 12 * POUND, **facts: object) -> Money:
    return Money(
        account_id=account_id,
        method=Method.CARD,
        provider="stripe",
        reference=reference,
        amount_micros=amount,
        at=AT,
        **facts,  # type: ignore[arg-type]
    )


async def credit(db: asyncpg.Pool, wanted: Money) -> Received:
    async with db.acquire() as connection, connection.transaction():
        return await received(connection, CONF, wanted)


def test_a_payment_is_credited_once_however_often_it_is_told(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
        first = await credit(db, money(account))
        again = await credit(db, money(account))
        assert (first.is_repeat, again.is_repeat) == (False, True)
        assert first.payment.id == again.payment.id
        assert await balance_of(db, account) == 12 * POUND
        assert await movements_of(db, account) == [("payment", 12 * POUND)]

    with_books(dsn, body)


def test_a_hundred_at_one_moment_credit_once(dsn: str) -> None:
    """Webhook, poll and a person at once, each on a connection of its own."""

    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
        done = await asyncio.gather(*(credit(db, money(account)) for _ in range(100)))
        assert sum(not each.is_repeat for each in done) == 1
        assert await balance_of(db, account) == 12 * POUND

    with_books(dsn, body)


def test_a_reference_belongs_to_one_account_and_one_amount(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        one, other = [await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT) for _ in range(2)]
        await credit(db, money(one))
        with pytest.raises(Refused, match="belongs to account"):
            await credit(db, money(other))
        with pytest.raises(Refused, match="was credited with"):
            await credit(db, money(one, amount=13 * POUND))
        assert (await balance_of(db, one), await balance_of(db, other)) == (12 * POUND, 0)

    with_books(dsn, body)


@pytest.mark.parametrize("amount", [0, -POUND, 1, 9_999, 10_001, 2_000_000 * POUND])
def test_payments_are_whole_pennies(dsn: str, amount: int) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
        with pytest.raises(InvalidValue):
            await credit(db, money(account, amount=amount))

    with_books(dsn, body)


def test_a_prepaid_account_without_vat_is_credited_with_the_net_amount(dsn: str) -> None:
    """VAT is due at top-up: 12.00 paid are 10.00 of credit and 2.00 of VAT."""

    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.EX_VAT)
        await credit(db, money(account))
        assert await movements_of(db, account) == [("payment", 12 * POUND), ("vat", -2 * POUND)]
        assert await balance_of(db, account) == 10 * POUND

    with_books(dsn, body)


def test_a_payment_on_account_pays_the_invoice_that_it_quotes(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db)
        await add_bare_invoice(
            db, account, 12 * POUND, issued_on=datetime.date(2026, 9, 1), number="INV000001"
        )
        await add_bare_invoice(
            db, account, 12 * POUND, issued_on=datetime.date(2026, 10, 1), number="INV000002"
        )
        await credit(db, money(account, quoted="INV000002"))
        async with db.acquire() as connection:
            assert [each.number for each in await open_invoices(connection, account)] == ["INV000001"]
        assert await movements_of(db, account) == [("payment", 12 * POUND)], "its VAT is on its invoices"

    with_books(dsn, body)


def test_what_is_pending_or_failed_is_worth_nothing_and_may_still_come(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
        steps: list[tuple[Callable[[asyncpg.Connection], Awaitable[object]], PaymentState]] = [
            (lambda connection: pending(connection, money(account)), PaymentState.PENDING),
            (lambda connection: ended(connection, money(account), PaymentState.FAILED), PaymentState.FAILED),
            (lambda connection: pending(connection, money(account)), PaymentState.PENDING),
            (
                lambda connection: ended(connection, money(account), PaymentState.CANCELLED),
                PaymentState.CANCELLED,
            ),
            (lambda connection: received(connection, CONF, money(account)), PaymentState.RECEIVED),
            (
                lambda connection: ended(connection, money(account), PaymentState.FAILED),
                PaymentState.RECEIVED,
            ),
            (lambda connection: pending(connection, money(account)), PaymentState.RECEIVED),
        ]
        for step, state in steps:
            async with db.acquire() as connection, connection.transaction():
                await step(connection)
            found = await find_by_reference(db, "stripe", "pi_1")
            assert found is not None
            assert found.state is state
            assert await balance_of(db, account) == (12 * POUND if state is PaymentState.RECEIVED else 0)

    with_books(dsn, body)


class Crash(Exception):  # noqa: N818
    pass


def test_a_process_killed_between_any_two_statements_has_done_all_or_nothing(dsn: str) -> None:
    """Each statement of the transaction is once the last that is carried out; then everything is tried again."""

    class Dying:
        """A connection that dies at its statement number `left`."""

        def __init__(self, connection: asyncpg.Connection, left: int) -> None:
            self._connection, self.left = connection, left

        def __getattr__(self, name: str) -> object:
            found = getattr(self._connection, name)
            if name not in ("execute", "fetch", "fetchrow", "fetchval", "executemany"):
                return found

            async def dying(*arguments: object, **named: object) -> object:
                self.left -= 1
                if self.left < 0:
                    raise Crash
                return await found(*arguments, **named)

            return dying

    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.EX_VAT)
        await add_customer(db, account)
        crashes = 0
        for left in range(1000):
            reference = f"pi_{left}"
            before = await balance_of(db, account)
            try:
                async with db.acquire() as connection, connection.transaction():
                    await received(Dying(connection, left), CONF, money(account, reference))  # type: ignore[arg-type]
            except Crash:
                crashes += 1
                assert await balance_of(db, account) == before
                assert await find_by_reference(db, "stripe", reference) is None
                assert not (await credit(db, money(account, reference))).is_repeat
                assert await balance_of(db, account) == before + 10 * POUND
            else:
                break
        assert crashes > 5, "there are so many places to die"
        assert await balance_of(db, account) == (crashes + 1) * 10 * POUND

    with_books(dsn, body)


# What a provider may say of one payment at some moment: its state, and what has become of a refund and a dispute.
TAKEN, UNDONE = False, True
Look = tuple[ViewState, bool | None, bool | None]
LOOKS: list[Look] = [
    (ViewState.OPEN, None, None),
    (ViewState.PENDING, None, None),
    (ViewState.FAILED, None, None),
    (ViewState.CANCELLED, None, None),
    *(
        (ViewState.RECEIVED, refund, dispute)
        for refund in (None, TAKEN, UNDONE)
        for dispute in (None, TAKEN, UNDONE)
    ),
]
REFUND_POUNDS, DISPUTE_POUNDS = 5, 7


class Expected:
    """The same in a few lines: what a customer may have of his 12 pounds after each look."""

    def __init__(self) -> None:
        self.is_received = False
        self.failure = self.refund = self.dispute = 0

    @property
    def pounds(self) -> int:
        return 12 - self.failure - self.refund - self.dispute if self.is_received else 0

    def look(self, look: Look) -> None:
        state, refund, dispute = look
        if state in (ViewState.FAILED, ViewState.CANCELLED) and self.is_received:
            self.failure += self.pounds
        if state is not ViewState.RECEIVED:
            return
        self.is_received, self.failure = True, 0
        if refund is not None:
            self.refund = REFUND_POUNDS if refund is TAKEN else 0
        if dispute is not None:
            self.dispute = DISPUTE_POUNDS if dispute is TAKEN else 0


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seen=st.lists(st.sampled_from(LOOKS), min_size=1, max_size=12))
def test_the_books_follow_whatever_the_provider_says_in_any_order(dsn: str, seen: list[Look]) -> None:
    """Also in orders that no provider ought to show. The ledger, the payment's row and the returns' rows agree."""

    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
        expected = Expected()
        async with db.acquire() as connection:
            for look in seen:
                async with connection.transaction():
                    await settle(connection, CONF, view_of(account, look))
                expected.look(look)
                assert await balance_of(db, account) == expected.pounds * POUND, (look, seen)
        row = await db.fetchrow(
            "SELECT p.returned_micros, coalesce((SELECT sum(amount_micros) FROM payment_returns r WHERE"
            " r.payment_id = p.id AND r.state <> 'given_back'), 0)::bigint AS summed FROM payments p"
            " WHERE p.account_id = $1",
            account,
        )
        assert row is None or row["returned_micros"] == row["summed"]

    with_books(dsn, body)


def view_of(account_id: int, look: Look) -> PaymentView:
    state, refund, dispute = look
    returns = []
    if refund is not None:
        returns.append(ReturnView(ReturnKind.REFUND, f"re_{account_id}", REFUND_POUNDS * POUND, refund))
    if dispute is not None:
        returns.append(ReturnView(ReturnKind.CHARGEBACK, f"dp_{account_id}", DISPUTE_POUNDS * POUND, dispute))
    return PaymentView(
        "stripe", f"pi_{account_id}", Method.CARD, account_id, state, 12 * POUND, returns=tuple(returns)
    )


@pytest.mark.parametrize("seed", range(4))
def test_news_repeated_shuffled_and_worked_through_by_several_at_once_credits_once(
    dsn: str, stripe: AtStripe, seed: int
) -> None:
    """Every event of three payments comes three times, in another order each time, while three processes work."""

    async def body(db: asyncpg.Pool) -> None:
        chance = random.Random(seed)
        accounts = [await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT) for _ in range(3)]
        from billing.payments.requests import ask_for_payment  # noqa: PLC0415

        requests = [await ask_for_payment(db, stripe.provider, account, 12 * POUND) for account in accounts]
        intents = [stripe.fake.pay(request.reference) for request in requests]
        stripe.fake.refund(intents[1], 500)
        stripe.fake.dispute(intents[2])
        news = []
        for request, intent in zip(requests, intents, strict=True):
            for kind, found in (
                ("payment_intent.succeeded", {"id": intent, "object": "payment_intent"}),
                ("checkout.session.completed", {"id": request.reference, "object": "checkout.session"}),
                ("charge.refunded", {"id": "ch", "object": "charge", "payment_intent": intent}),
                ("charge.dispute.created", {"id": "dp", "object": "dispute", "payment_intent": intent}),
            ):
                headers, sent = stripe.fake.event(kind, found)
                news += await stripe.provider.read_news(headers, sent)
        sent_news = news * 3
        chance.shuffle(sent_news)
        stored = 0
        for each in sent_news:
            stored += await store_news(db, [each])
            if chance.random() < 0.3:
                await asyncio.gather(*(apply_news(db, CONF, {"stripe": stripe.provider}) for _ in range(3)))
        await asyncio.gather(*(apply_news(db, CONF, {"stripe": stripe.provider}) for _ in range(3)))
        assert stored == len(news)
        waiting = await db.fetch("SELECT * FROM payment_events WHERE applied_at IS NULL")
        assert waiting == []
        assert [await balance_of(db, account) for account in accounts] == [12 * POUND, 7 * POUND, 0]

    with_books(dsn, body)


def test_news_that_failed_is_tried_again_later_and_set_aside_at_last(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        providers = {"stripe": stripe.provider}
        await store_news(db, [News("stripe", "evt_1", "payment_intent.succeeded", Subject.PAYMENT, "pi_404")])
        await store_news(db, [News("stripe", "evt_2", "payout.paid", Subject.NOTHING, "po_1")])
        await apply_news(db, CONF, providers)
        row = await db.fetchrow("SELECT * FROM payment_events WHERE event = 'evt_1'")
        assert (row["applied_at"], row["tries"], row["set_aside_at"]) == (None, 1, None)
        assert "No such object" in row["problem"]
        assert await apply_news(db, CONF, providers) == [], "not before its time"
        for _ in range(40):
            await db.execute("UPDATE payment_events SET next_try_at = now()")
            await apply_news(db, CONF, providers)
        row = await db.fetchrow("SELECT * FROM payment_events WHERE event = 'evt_1'")
        assert row["set_aside_at"] is not None
        assert row["tries"] == 30
        assert await db.fetchval("SELECT applied_at IS NOT NULL FROM payment_events WHERE event = 'evt_2'")

    with_books(dsn, body)


def test_news_stored_before_postgresql_is_killed_is_there_afterwards(
    postgres: PostgresServer, dsn: str, stripe: AtStripe
) -> None:
    """The answer 200 was given: nobody sends it again. A new process works it through."""

    async def store(db: asyncpg.Pool) -> None:
        account = await add_account(db, name="Survivor", is_postpaid=False, vat=VatMode.INC_VAT)
        from billing.payments.requests import ask_for_payment  # noqa: PLC0415

        request = await ask_for_payment(db, stripe.provider, account, 12 * POUND)
        intent = stripe.fake.pay(request.reference)
        headers, sent = stripe.fake.event(
            "payment_intent.succeeded", {"id": intent, "object": "payment_intent"}
        )
        await store_news(db, await stripe.provider.read_news(headers, sent))

    async def apply(db: asyncpg.Pool) -> None:
        account = await db.fetchval("SELECT id FROM accounts WHERE name = 'Survivor'")
        await apply_news(db, CONF, {"stripe": stripe.provider})
        await apply_news(db, CONF, {"stripe": stripe.provider})
        assert await balance_of(db, account) == 12 * POUND

    with_books(dsn, store)
    with_books(dsn, apply)
