"""Direct Debit by GoCardless (Bacs), with its own library.

A mandate is given on a page of theirs (billing request and its flow); payments are made against the mandate. Whose they
are stands in their metadata. A confirmed payment may still fail or be charged back: then its state says so, and the
money is gone. https://developer.gocardless.com/api-reference/
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, TypeVar

import gocardless_pro
import requests
from gocardless_pro import errors, webhooks

from billing.conf_payments import GoCardlessConf
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

NAME: Final = "gocardless"
TIMEOUT_S: Final = 20.0
SIGNATURE_CHARS: Final = 64  # of an HMAC with SHA-256, in hexadecimal digits

_STATES: Final = {
    "pending_customer_approval": ViewState.PENDING,
    "pending_submission": ViewState.PENDING,
    "submitted": ViewState.PENDING,
    "confirmed": ViewState.RECEIVED,
    "paid_out": ViewState.RECEIVED,
    "cancelled": ViewState.CANCELLED,
    "customer_approval_denied": ViewState.CANCELLED,
    "failed": ViewState.FAILED,
    "charged_back": ViewState.FAILED,
}
_MANDATE_STATES: Final = {
    "pending_customer_approval": "pending",
    "pending_submission": "pending",
    "submitted": "pending",
    "active": "active",
}
_UNDONE_REFUNDS: Final = ("cancelled", "bounced", "funds_returned")

T = TypeVar("T")


class GoCardlessProvider:
    """One organisation at GoCardless. Its library is blocking: each call runs in a thread."""

    name = NAME

    def __init__(
        self, conf: GoCardlessConf, *, access_token: Secret, webhook_secret: Secret, return_url: str
    ) -> None:
        self._client = gocardless_pro.Client(
            access_token=str(access_token), base_url=conf.api, timeout=TIMEOUT_S
        )
        self._webhook_secret = webhook_secret
        self._return_url = return_url

    async def open_page(self, wanted: Wanted) -> Page:
        """A mandate, without a payment: money is taken afterwards, and announced before."""
        metadata = {"account": str(wanted.account_id)}
        request = {
            "mandate_request": {"scheme": "bacs", "currency": "GBP", "metadata": metadata},
            "metadata": metadata,
        }
        made = await self._call(
            lambda: self._client.billing_requests.create(
                params=request, headers={"Idempotency-Key": wanted.key}
            )
        )
        flow: dict[str, Any] = {
            "redirect_uri": self._return_url,
            "exit_uri": self._return_url,
            "links": {"billing_request": made.id},
        }
        if wanted.email:
            flow["prefilled_customer"] = {"email": wanted.email}
        opened = await self._call(lambda: self._client.billing_request_flows.create(params=flow))
        return Page(str(made.id), str(opened.authorisation_url))

    async def charge(
        self, method: MethodView, wanted: Wanted, *, charge_on: date | None = None
    ) -> PaymentView:
        params: dict[str, Any] = {
            "amount": pence_of(wanted.amount_micros),
            "currency": "GBP",
            "description": wanted.description,
            "metadata": {"account": str(wanted.account_id), "quoted": wanted.quoted},
            "links": {"mandate": method.reference},
        }
        if charge_on is not None:
            params["charge_date"] = charge_on.isoformat()
        made = await self._call(
            lambda: self._client.payments.create(params=params, headers={"Idempotency-Key": wanted.key})
        )
        return await self.look(str(made.id))

    async def retry(self, reference: str, *, key: str, charge_on: date | None) -> PaymentView:
        params = {} if charge_on is None else {"charge_date": charge_on.isoformat()}
        await self._call(
            lambda: self._client.payments.retry(reference, params=params, headers={"Idempotency-Key": key})
        )
        return await self.look(reference)

    async def look(self, reference: str) -> PaymentView:
        if reference.startswith("BRQ"):
            return await self._call(lambda: self._look_request(reference))
        return await self._call(lambda: self._look(reference))

    def _look(self, reference: str) -> PaymentView:
        """In a thread: the payment, and what was refunded of it."""
        if reference.startswith("RF"):
            reference = str(self._client.refunds.get(reference).links.payment)
        payment = self._client.payments.get(reference)
        metadata = payment.metadata or {}
        account_id = account_of(metadata.get("account"))
        if account_id is None:
            return PaymentView(NAME, reference, Method.DIRECT_DEBIT, None, ViewState.OPEN, 0)
        check_currency(payment.currency, reference)
        refunds = self._client.refunds.list(params={"payment": reference}).records
        return PaymentView(
            provider=NAME,
            reference=str(payment.id),
            method=Method.DIRECT_DEBIT,
            account_id=account_id,
            state=_STATES.get(payment.status, ViewState.PENDING),
            amount_micros=micros_of_pence(payment.amount),
            quoted=str(metadata.get("quoted", "")),
            problem="" if payment.status not in ("failed", "charged_back") else str(payment.status),
            returns=tuple(_refund(each) for each in refunds),
        )

    def _look_request(self, reference: str) -> PaymentView:
        """A mandate that was asked for: there is no money in it."""
        request = self._client.billing_requests.get(reference)
        mandate = request.attributes.get("links", {}).get("mandate_request_mandate")
        state = ViewState.CANCELLED if request.status == "cancelled" else ViewState.OPEN
        saved = self._look_mandate(str(mandate)) if mandate else None
        return PaymentView(NAME, reference, Method.DIRECT_DEBIT, None, state, 0, saved=saved)

    async def look_method(self, reference: str) -> MethodView:
        return await self._call(lambda: self._look_mandate(reference))

    def _look_mandate(self, reference: str) -> MethodView:
        mandate = self._client.mandates.get(reference)
        metadata = mandate.metadata or {}
        return MethodView(
            provider=NAME,
            reference=str(mandate.id),
            customer=str(mandate.links.customer or ""),
            account_id=account_of(metadata.get("account")),
            state=_MANDATE_STATES.get(mandate.status, "ended"),
            label=problem_text(mandate.reference or mandate.id),
        )

    async def refund(
        self, payment: PaymentView, amount_micros: int, *, return_id: int, reason: str
    ) -> Refunded:
        """They want the sum of all refunds with it, which guards against a refund made twice."""
        before = sum(each.amount_micros for each in payment.returns if not each.is_undone)
        params = {
            "amount": pence_of(amount_micros),
            "total_amount_confirmation": pence_of(before + amount_micros),
            "metadata": {"return": str(return_id)},
            "links": {"payment": payment.reference},
        }
        key = {"Idempotency-Key": f"offhook-return-{return_id}"}
        made = await self._call(lambda: self._client.refunds.create(params=params, headers=key))
        return Refunded(str(made.id))

    async def read_news(self, headers: Mapping[str, str], body: bytes) -> list[News]:
        signature = headers.get("webhook-signature", "")
        if len(signature) != SIGNATURE_CHARS or not signature.isascii():  # hmac compares no other text
            raise ForgedNews("no signature of GoCardless")
        try:
            events = webhooks.parse(body, str(self._webhook_secret), signature)
            return [_news(event) for event in events]
        except (errors.InvalidSignatureError, ValueError, KeyError, TypeError, AttributeError):
            raise ForgedNews("no signature of GoCardless, or no events") from None

    async def _call(self, work: Callable[[], T]) -> T:
        """In a thread. What GoCardless refuses is told from what nobody knows."""
        try:
            return await asyncio.to_thread(work)
        except (
            errors.ValidationFailedError,
            errors.InvalidStateError,
            errors.InvalidApiUsageError,
        ) as problem:
            raise ProviderRefused(problem_text(problem)) from None
        except (errors.GoCardlessProError, requests.RequestException, AttributeError, KeyError) as problem:
            raise ProviderUnreachable(f"GoCardless: {type(problem).__name__}") from None


def _refund(refund: Any) -> ReturnView:
    return ReturnView(
        kind=ReturnKind.REFUND,
        reference=str(refund.id),
        amount_micros=micros_of_pence(refund.amount),
        is_undone=refund.status in _UNDONE_REFUNDS,
        ours=account_of((refund.metadata or {}).get("return")),
    )


def _news(event: Any) -> News:
    kind, links = str(event.resource_type), event.attributes.get("links") or {}
    subject, reference = Subject.NOTHING, ""
    if kind == "payments" and links.get("payment"):
        subject, reference = Subject.PAYMENT, str(links["payment"])
    elif kind == "refunds" and links.get("refund"):
        subject, reference = Subject.PAYMENT, str(links["refund"])
    elif kind == "mandates" and links.get("mandate"):
        subject, reference = Subject.METHOD, str(links["mandate"])
    elif kind == "billing_requests" and links.get("mandate_request_mandate"):
        subject, reference = Subject.METHOD, str(links["mandate_request_mandate"])
    return News(NAME, str(event.id), f"{kind}.{event.action}", subject, reference)
