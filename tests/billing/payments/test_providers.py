"""Our three providers with their real libraries, against fakes of the published APIs."""

import asyncio
import time

import pytest

from billing.payments.payment import Method
from billing.payments.provider import (
    ForgedNews,
    MethodView,
    ProviderRefused,
    ProviderUnreachable,
    ReturnKind,
    Subject,
    ViewState,
    Wanted,
)
from tests.billing.payments import fake_gocardless, fake_stripe
from tests.billing.payments.conftest import AtGoCardless, AtPayPal, AtStripe

POUND = 1_000_000
WANTED = Wanted(7, 12 * POUND, "key-1", "Telephone account", quoted="INV000001", email="a@example.com")
SAVING = Wanted(7, 12 * POUND, "key-2", "Telephone account", saves_method=True)


def test_a_card_payment_on_stripes_page_is_seen_under_its_intent(stripe: AtStripe) -> None:
    page = asyncio.run(stripe.provider.open_page(WANTED))
    assert page.url.startswith("https://checkout")
    assert asyncio.run(stripe.provider.look(page.reference)).state is ViewState.OPEN
    intent = stripe.fake.pay(page.reference)
    view = asyncio.run(stripe.provider.look(page.reference))
    assert (view.reference, view.state, view.amount_micros) == (intent, ViewState.RECEIVED, 12 * POUND)
    assert (view.account_id, view.quoted, view.method) == (7, "INV000001", Method.CARD)
    assert view.saved is None


def test_a_page_asked_for_twice_is_one_page(stripe: AtStripe) -> None:
    pages = [asyncio.run(stripe.provider.open_page(WANTED)) for _ in range(2)]
    assert pages[0] == pages[1]
    assert len(stripe.fake.sessions) == 1


def test_a_card_that_was_stored_can_be_charged_again(stripe: AtStripe) -> None:
    page = asyncio.run(stripe.provider.open_page(SAVING))
    stripe.fake.pay(page.reference)
    saved = asyncio.run(stripe.provider.look(page.reference)).saved
    assert saved is not None
    assert (saved.label, saved.customer, saved.account_id) == ("visa 4242", "cus_1", 7)
    charged = asyncio.run(stripe.provider.charge(saved, WANTED))
    assert charged.state is ViewState.RECEIVED
    stripe.fake.declines = True
    other = Wanted(7, POUND, "key-3", "Top-up")
    with pytest.raises(ProviderRefused, match="declined"):
        asyncio.run(stripe.provider.charge(saved, other))


def test_refunds_and_disputes_of_a_card_payment_are_seen(stripe: AtStripe) -> None:
    page = asyncio.run(stripe.provider.open_page(WANTED))
    intent = stripe.fake.pay(page.reference)
    view = asyncio.run(stripe.provider.look(intent))
    refunded = asyncio.run(stripe.provider.refund(view, 5 * POUND, return_id=3, reason="asked"))
    again = asyncio.run(stripe.provider.refund(view, 5 * POUND, return_id=3, reason="asked"))
    assert refunded == again, "asked twice, it happens once"
    dispute = stripe.fake.dispute(intent)
    stripe.fake.dispute(intent, status="warning_needs_response")
    returns = asyncio.run(stripe.provider.look(intent)).returns
    assert [(each.kind, each.amount_micros, each.ours) for each in returns] == [
        (ReturnKind.REFUND, 5 * POUND, 3),
        (ReturnKind.CHARGEBACK, 12 * POUND, None),
    ]
    stripe.fake.disputes[dispute]["status"] = "won"
    assert asyncio.run(stripe.provider.look(intent)).returns[1].is_undone


def test_money_in_another_currency_is_refused(stripe: AtStripe) -> None:
    page = asyncio.run(stripe.provider.open_page(WANTED))
    intent = stripe.fake.pay(page.reference)
    stripe.fake.intents[intent]["currency"] = "usd"
    with pytest.raises(ProviderRefused, match="not in pounds"):
        asyncio.run(stripe.provider.look(intent))


def test_stripe_that_is_down_says_nothing_about_what_happened(stripe: AtStripe) -> None:
    stripe.fake.is_down = True
    with pytest.raises(ProviderUnreachable):
        asyncio.run(stripe.provider.look("pi_1"))


def test_a_payment_that_names_no_account_is_none_of_ours(stripe: AtStripe) -> None:
    page = asyncio.run(stripe.provider.open_page(WANTED))
    intent = stripe.fake.pay(page.reference)
    stripe.fake.intents[intent]["metadata"] = {"order": "17"}
    assert asyncio.run(stripe.provider.look(intent)).account_id is None


def test_only_what_stripe_signed_lately_is_news(stripe: AtStripe) -> None:
    headers, body = stripe.fake.event("payment_intent.succeeded", {"id": "pi_1", "object": "payment_intent"})
    (news,) = asyncio.run(stripe.provider.read_news(headers, body))
    assert (news.subject, news.reference, news.kind) == (Subject.PAYMENT, "pi_1", "payment_intent.succeeded")
    forged = [
        ({}, body),
        ({"stripe-signature": "t=1,v1=00"}, body),
        (headers, body + b" "),
        fake_stripe.signed(body, secret="another"),
        fake_stripe.signed(body, at=time.time() - 3600),
        fake_stripe.signed(b"[]"),
        fake_stripe.signed(b"{"),
    ]
    for forged_headers, forged_body in forged:
        with pytest.raises(ForgedNews):
            asyncio.run(stripe.provider.read_news(forged_headers, forged_body))


@pytest.mark.parametrize(
    ("kind", "found", "expected"),
    [
        ("charge.refunded", {"id": "ch_1", "object": "charge", "payment_intent": "pi_1"}, "pi_1"),
        ("charge.dispute.created", {"id": "dp_1", "object": "dispute", "payment_intent": "pi_1"}, "pi_1"),
        ("refund.failed", {"id": "re_1", "object": "refund", "payment_intent": "pi_1"}, "pi_1"),
        (
            "checkout.session.completed",
            {"id": "cs_1", "object": "checkout.session", "payment_intent": "pi_1"},
            "cs_1",
        ),
    ],
)
def test_events_of_stripe_name_a_payment(
    stripe: AtStripe, kind: str, found: dict[str, str], expected: str
) -> None:
    (news,) = asyncio.run(stripe.provider.read_news(*stripe.fake.event(kind, found)))
    assert (news.subject, news.reference) == (Subject.PAYMENT, expected)


def test_other_events_of_stripe_are_about_nothing(stripe: AtStripe) -> None:
    headers, body = stripe.fake.event("payout.paid", {"id": "po_1", "object": "payout"})
    assert asyncio.run(stripe.provider.read_news(headers, body))[0].subject is Subject.NOTHING


def give_mandate(at: AtGoCardless) -> MethodView:
    page = asyncio.run(at.provider.open_page(Wanted(7, 0, "key-m", "Telephone account")))
    assert page.url.startswith("https://pay.example.com")
    mandate = at.fake.fulfil(page.reference)
    view = asyncio.run(at.provider.look(page.reference))
    assert view.saved is not None
    assert view.saved.reference == mandate
    return asyncio.run(at.provider.look_method(mandate))


def test_a_mandate_is_given_on_a_page_and_taken_from(gocardless: AtGoCardless) -> None:
    mandate = give_mandate(gocardless)
    assert (mandate.state, mandate.account_id, mandate.label[:8]) == ("active", 7, "EXAMPLE-")
    first = asyncio.run(gocardless.provider.charge(mandate, WANTED))
    again = asyncio.run(gocardless.provider.charge(mandate, WANTED))
    assert (first.state, first.amount_micros, first.quoted) == (ViewState.PENDING, 12 * POUND, "INV000001")
    assert again.reference == first.reference, "the same key is the same payment"
    gocardless.fake.payments[first.reference]["status"] = "confirmed"
    assert asyncio.run(gocardless.provider.look(first.reference)).state is ViewState.RECEIVED


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending_customer_approval", ViewState.PENDING),
        ("submitted", ViewState.PENDING),
        ("paid_out", ViewState.RECEIVED),
        ("failed", ViewState.FAILED),
        ("charged_back", ViewState.FAILED),
        ("cancelled", ViewState.CANCELLED),
        ("customer_approval_denied", ViewState.CANCELLED),
        ("something_new", ViewState.PENDING),
    ],
)
def test_states_of_a_direct_debit(gocardless: AtGoCardless, status: str, state: ViewState) -> None:
    payment = asyncio.run(gocardless.provider.charge(give_mandate(gocardless), WANTED))
    gocardless.fake.payments[payment.reference]["status"] = status
    assert asyncio.run(gocardless.provider.look(payment.reference)).state is state


def test_a_direct_debit_is_refunded_with_the_sum_of_all_refunds(gocardless: AtGoCardless) -> None:
    payment = asyncio.run(gocardless.provider.charge(give_mandate(gocardless), WANTED))
    gocardless.fake.payments[payment.reference]["status"] = "paid_out"
    for number in (1, 2):
        view = asyncio.run(gocardless.provider.look(payment.reference))
        asyncio.run(gocardless.provider.refund(view, 2 * POUND, return_id=number, reason=""))
    returns = asyncio.run(gocardless.provider.look(payment.reference)).returns
    assert [(each.ours, each.amount_micros) for each in returns] == [(1, 2 * POUND), (2, 2 * POUND)]
    by_refund = asyncio.run(gocardless.provider.look(returns[0].reference))
    assert by_refund.reference == payment.reference


def test_a_direct_debit_against_an_ended_mandate_is_refused(gocardless: AtGoCardless) -> None:
    mandate = give_mandate(gocardless)
    gocardless.fake.things["mandates"][mandate.reference]["status"] = "cancelled"
    with pytest.raises(ProviderRefused):
        asyncio.run(gocardless.provider.charge(mandate, WANTED))
    assert asyncio.run(gocardless.provider.look_method(mandate.reference)).state == "ended"


def test_only_what_gocardless_signed_is_news(gocardless: AtGoCardless) -> None:
    headers, body = gocardless.fake.event("payments", "confirmed", {"payment": "PM000001"})
    (news,) = asyncio.run(gocardless.provider.read_news(headers, body))
    assert (news.subject, news.reference, news.kind) == (Subject.PAYMENT, "PM000001", "payments.confirmed")
    forged = [
        ({}, body),
        ({"webhook-signature": "é" * 64}, body),
        (headers, body + b" "),
        fake_gocardless.signed(body, secret="another"),
        fake_gocardless.signed(b"{}"),
        fake_gocardless.signed(b"[1]"),
        fake_gocardless.signed(b'{"events": [7]}'),
    ]
    for forged_headers, forged_body in forged:
        with pytest.raises(ForgedNews):
            asyncio.run(gocardless.provider.read_news(forged_headers, forged_body))


def test_a_paypal_order_is_captured_once_it_is_approved(paypal: AtPayPal) -> None:
    page = asyncio.run(paypal.provider.open_page(WANTED))
    assert page.url == "https://www.example.com/approve"
    assert asyncio.run(paypal.provider.look(page.reference)).state is ViewState.OPEN
    paypal.fake.approve(page.reference)
    for _ in range(2):
        view = asyncio.run(paypal.provider.look(page.reference))
        assert (view.state, view.amount_micros, view.account_id) == (ViewState.RECEIVED, 12 * POUND, 7)
        assert view.quoted == "INV000001"
    captures = [path for method, path in paypal.fake.calls if path.endswith("/capture")]
    assert len(captures) == 1


def test_a_paypal_order_that_is_forgotten_is_cancelled(paypal: AtPayPal) -> None:
    assert asyncio.run(paypal.provider.look("ORDER999")).state is ViewState.CANCELLED


def test_a_paypal_payment_is_refunded_and_found_by_its_capture(paypal: AtPayPal) -> None:
    page = asyncio.run(paypal.provider.open_page(WANTED))
    paypal.fake.approve(page.reference)
    view = asyncio.run(paypal.provider.look(page.reference))
    asyncio.run(paypal.provider.refund(view, 5 * POUND, return_id=9, reason=""))
    capture = paypal.fake.capture_of(page.reference)
    seen = asyncio.run(paypal.provider.look(f"capture:{capture['id']}"))
    assert seen.reference == page.reference
    assert [(each.ours, each.amount_micros) for each in seen.returns] == [(9, 5 * POUND)]


def test_paypal_itself_says_whether_it_signed(paypal: AtPayPal) -> None:
    resource = {"id": "CAPTURE1", "supplementary_data": {"related_ids": {"order_id": "ORDER1"}}}
    headers, body = paypal.fake.event("PAYMENT.CAPTURE.COMPLETED", resource)
    (news,) = asyncio.run(paypal.provider.read_news(headers, body))
    assert (news.subject, news.reference) == (Subject.PAYMENT, "ORDER1")
    assert body in paypal.fake.verified[0], "byte by byte as it came"
    with pytest.raises(ForgedNews):
        asyncio.run(
            paypal.provider.read_news(
                *paypal.fake.event("PAYMENT.CAPTURE.COMPLETED", resource, signature="forged")
            )
        )
    asked = len(paypal.fake.verified)
    for bad_headers, bad_body in (({}, body), (headers, b"{"), (headers, b"[]")):
        with pytest.raises(ForgedNews):
            asyncio.run(paypal.provider.read_news(bad_headers, bad_body))
    assert len(paypal.fake.verified) == asked, "nobody is asked about what cannot be signed"


def test_a_reversal_at_paypal_says_its_amount_itself(paypal: AtPayPal) -> None:
    resource = {
        "id": "REVERSAL1",
        "amount": {"value": "12.00", "currency_code": "GBP"},
        "links": [{"rel": "up", "href": "https://api.example.com/v2/payments/captures/CAPTURE1"}],
    }
    (news,) = asyncio.run(paypal.provider.read_news(*paypal.fake.event("PAYMENT.CAPTURE.REVERSED", resource)))
    assert news.reference == "capture:CAPTURE1"
    assert news.detail == {"reversal": "REVERSAL1", "amount": "12.00"}
