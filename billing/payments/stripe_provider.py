"""Cards by Stripe, with its own library: Checkout Sessions for customers, PaymentIntents for stored cards.

The one name of a payment is its PaymentIntent (`pi_...`): a session gets one only when the customer pays, and refunds
and disputes name it, too. Whose it is stands in its metadata. https://docs.stripe.com/api
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, TypeVar

import stripe

from billing.conf_payments import StripeConf
from billing.payments.payment import Method
from billing.payments.provider import (
    ForgedNews,
    MethodView,
    News,
    Page,
    PaymentView,
    ProviderRefused,
    ProviderUnreachable,
    Refunded,
    ReturnKind,
    ReturnView,
    Subject,
    ViewState,
    Wanted,
    account_of,
    check_currency,
    micros_of_pence,
    pence_of,
    problem_text,
)
from switch.conf_values import Secret

NAME: Final = "stripe"
TIMEOUT_S: Final = 20.0  # the library's own is 80 s; a thread of ours waits
NETWORK_RETRIES_MAX: Final = 1
LIST_MAX: Final = 100  # refunds or disputes of one payment that are read: Stripe's page

_STATES: Final = {
    "requires_payment_method": ViewState.OPEN,
    "requires_confirmation": ViewState.OPEN,
    "requires_action": ViewState.OPEN,
    "requires_capture": ViewState.OPEN,
    "processing": ViewState.PENDING,
    "succeeded": ViewState.RECEIVED,
    "canceled": ViewState.CANCELLED,
}
# Disputes in which the money is gone, for now or for ever; an inquiry (warning_...) takes none.
_TAKEN: Final = ("needs_response", "under_review", "lost")
_UNDONE_REFUNDS: Final = ("failed", "canceled")

T = TypeVar("T")


class StripeProvider:
    """One account at Stripe. Its library is blocking: each call runs in a thread."""

    name = NAME

    def __init__(
        self, conf: StripeConf, *, secret_key: Secret, webhook_secret: Secret, return_url: str
    ) -> None:
        self._client = stripe.StripeClient(
            str(secret_key),
            base_addresses={"api": conf.api},
            http_client=stripe.RequestsClient(timeout=TIMEOUT_S),
            max_network_retries=NETWORK_RETRIES_MAX,
        )
        self._webhook_secret = webhook_secret
        self._return_url = return_url

    async def open_page(self, wanted: Wanted) -> Page:
        item: Any = {
            "quantity": 1,
            "price_data": {
                "currency": "gbp",
                "unit_amount": pence_of(wanted.amount_micros),
                "product_data": {"name": wanted.description},
            },
        }
        metadata = _metadata(wanted)
        intent: Any = {"metadata": metadata}
        params: Any = {
            "mode": "payment",
            "line_items": [item],
            "success_url": self._return_url,
            "cancel_url": self._return_url,
            "metadata": metadata,
            "payment_intent_data": intent,
            "client_reference_id": str(wanted.account_id),
        }
        if wanted.email:
            params["customer_email"] = wanted.email
        if wanted.saves_method:
            params["customer_creation"] = "always"
            intent["setup_future_usage"] = "off_session"
        session = await self._call(
            lambda: self._client.v1.checkout.sessions.create(params, {"idempotency_key": wanted.key})
        )
        return Page(session.id, session.url or "")

    async def charge(
        self, method: MethodView, wanted: Wanted, *, charge_on: date | None = None
    ) -> PaymentView:
        params: Any = {
            "amount": pence_of(wanted.amount_micros),
            "currency": "gbp",
            "customer": method.customer,
            "payment_method": method.reference,
            "off_session": True,
            "confirm": True,
            "description": wanted.description,
            "metadata": _metadata(wanted),
        }
        intent = await self._call(
            lambda: self._client.v1.payment_intents.create(params, {"idempotency_key": wanted.key})
        )
        return await self.look(intent.id)

    async def retry(self, reference: str, *, key: str, charge_on: date | None) -> PaymentView:
        raise ProviderRefused("a card is asked anew, not again")

    async def look(self, reference: str) -> PaymentView:
        if reference.startswith("cs_"):
            session = await self._call(lambda: self._client.v1.checkout.sessions.retrieve(reference))
            if not session.payment_intent:
                state = ViewState.CANCELLED if session.status == "expired" else ViewState.OPEN
                account_id = account_of(_said(session, "account"))
                return PaymentView(NAME, reference, Method.CARD, account_id, state, 0)
            reference = str(session.payment_intent)
        return await self._call(lambda: self._look(reference))

    def _look(self, reference: str) -> PaymentView:
        """In a thread: the intent with its charge, its refunds, its disputes."""
        expanded: Any = {"expand": ["latest_charge"]}
        of_it: Any = {"payment_intent": reference, "limit": LIST_MAX}
        intent = self._client.v1.payment_intents.retrieve(reference, expanded)
        account_id = account_of(_said(intent, "account"))
        if account_id is None:
            return PaymentView(NAME, reference, Method.CARD, None, ViewState.OPEN, 0)
        check_currency(intent.currency, reference)
        state = _STATES.get(intent.status, ViewState.OPEN)
        returns: list[ReturnView] = []
        if state is ViewState.RECEIVED:
            returns = [_refund(each) for each in self._client.v1.refunds.list(of_it).data]
            disputes = self._client.v1.disputes.list(of_it).data
            returns += [_dispute(each) for each in disputes if each.status in (*_TAKEN, "won")]
        received = intent.amount_received if state is ViewState.RECEIVED else intent.amount
        return PaymentView(
            provider=NAME,
            reference=intent.id,
            method=Method.CARD,
            account_id=account_id,
            state=state,
            amount_micros=micros_of_pence(received),
            quoted=str(_said(intent, "quoted") or ""),
            problem=_last_problem(intent),
            returns=tuple(returns),
            saved=_saved(intent, account_id) if state is ViewState.RECEIVED else None,
        )

    async def look_method(self, reference: str) -> MethodView:
        raise ProviderRefused("a card is known by the payment that stored it")

    async def refund(
        self, payment: PaymentView, amount_micros: int, *, return_id: int, reason: str
    ) -> Refunded:
        params: Any = {
            "payment_intent": payment.reference,
            "amount": pence_of(amount_micros),
            "metadata": {"return": str(return_id)},
        }
        key = f"offhook-return-{return_id}"
        refund = await self._call(lambda: self._client.v1.refunds.create(params, {"idempotency_key": key}))
        if refund.status in _UNDONE_REFUNDS:
            raise ProviderRefused(f"the refund is {problem_text(refund.status)}")
        return Refunded(refund.id)

    async def read_news(self, headers: Mapping[str, str], body: bytes) -> list[News]:
        """construct_event checks the signature and that it is not older than five minutes."""
        try:
            event = stripe.Webhook.construct_event(
                body, headers.get("stripe-signature", ""), str(self._webhook_secret)
            )
            found, kind = event.data.object.to_dict(), str(event.type)
            return [News(NAME, str(event.id), kind, *_subject(kind, found))]
        except (ValueError, TypeError, KeyError, AttributeError, stripe.SignatureVerificationError):
            raise ForgedNews("no signature of Stripe, or no event") from None

    async def _call(self, work: Callable[[], T]) -> T:
        """In a thread. What Stripe refuses is told from what nobody knows."""
        try:
            return await asyncio.to_thread(work)
        except (stripe.CardError, stripe.InvalidRequestError, stripe.IdempotencyError) as problem:
            raise ProviderRefused(problem_text(problem.user_message or problem)) from None
        except (
            stripe.StripeError,
            AttributeError,
            KeyError,
        ) as problem:  # the latter: an answer of another shape
            raise ProviderUnreachable(f"Stripe: {type(problem).__name__}") from None


def _metadata(wanted: Wanted) -> dict[str, str]:
    return {"account": str(wanted.account_id), "quoted": wanted.quoted}


def _said(found: Any, name: str) -> object:
    """A value of its metadata; None of one that it has not."""
    metadata = found.to_dict().get("metadata")
    return metadata.get(name) if isinstance(metadata, dict) else None


def _subject(kind: str, found: dict[str, Any]) -> tuple[Subject, str]:
    """What an event is about: any name of the payment."""
    reference = found.get("id") if kind.startswith("payment_intent.") else found.get("payment_intent")
    if kind.startswith("checkout.session."):
        reference = found.get("id")
    if kind.startswith(("payment_intent.", "checkout.session.", "charge.", "refund.")) and reference:
        return Subject.PAYMENT, str(reference)
    return Subject.NOTHING, str(found.get("id") or "")


def _last_problem(intent: stripe.PaymentIntent) -> str:
    error = intent.to_dict().get("last_payment_error")
    return problem_text(error.get("message", "")) if isinstance(error, dict) else ""


def _refund(refund: stripe.Refund) -> ReturnView:
    return ReturnView(
        kind=ReturnKind.REFUND,
        reference=refund.id,
        amount_micros=micros_of_pence(refund.amount),
        is_undone=refund.status in _UNDONE_REFUNDS,
        ours=account_of(_said(refund, "return")),
    )


def _dispute(dispute: stripe.Dispute) -> ReturnView:
    return ReturnView(
        kind=ReturnKind.CHARGEBACK,
        reference=dispute.id,
        amount_micros=micros_of_pence(dispute.amount),
        is_undone=dispute.status == "won",
    )


def _saved(intent: stripe.PaymentIntent, account_id: int) -> MethodView | None:
    """The card, when the customer agreed that it be taken from again. Of it only the brand and the last digits."""
    found = intent.to_dict()
    customer, method = found.get("customer"), found.get("payment_method")
    if found.get("setup_future_usage") != "off_session" or not customer or not method:
        return None
    charge = found.get("latest_charge")
    details = charge.get("payment_method_details") if isinstance(charge, dict) else None
    card = (details or {}).get("card") or {}
    label = f"{card.get('brand', 'card')} {card.get('last4', '')}"
    return MethodView(
        provider=NAME,
        reference=str(method),
        customer=str(customer),
        account_id=account_id,
        state="active",
        label=problem_text(label),
    )
