"""PayPal, with its server SDK: Orders v2 and Payments v2. The SDK has no webhooks: those are verified by PayPal's
documented call (`/v1/notifications/verify-webhook-signature`), with the SDK's own token.

The one name of a payment is its order. An order that the customer has approved is captured by looking at it: approval
is news, and the capture's key is the order, so it happens once. https://developer.paypal.com/docs/api/orders/v2/
"""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, TypeVar

import msgspec
import requests
from paypalserversdk.configuration import Configuration, Environment, Server
from paypalserversdk.exceptions.api_exception import ApiException
from paypalserversdk.http.auth.o_auth_2 import ClientCredentialsAuthCredentials
from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient

from billing.conf_payments import PayPalConf
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
    problem_text,
)
from rating.money import MICROS_PER_POUND, MoneyProblem, parse_pounds
from switch.conf_values import Secret

NAME: Final = "paypal"
TIMEOUT_S: Final = 20
ANSWER_BYTES_MAX: Final = 64 * 1024
# The limits of the documented call: longer ones are nobody's signature.
HEADER_CHARS_MAX: Final = 500
_SIGNED: Final = {
    "auth_algo": "paypal-auth-algo",
    "cert_url": "paypal-cert-url",
    "transmission_id": "paypal-transmission-id",
    "transmission_sig": "paypal-transmission-sig",
    "transmission_time": "paypal-transmission-time",
}
_REFUSALS: Final = (400, 403, 404, 409, 422)
_UNDONE_REFUNDS: Final = ("CANCELLED", "FAILED")
_RECEIVED: Final = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")

T = TypeVar("T")


class _Configuration(Configuration):  # type: ignore[misc]  # the SDK has no types
    """The SDK knows two addresses by name; ours may be another (a test's, a proxy's)."""

    def __init__(self, api: str, **given: Any) -> None:
        super().__init__(**given)
        self._api = api

    def get_base_uri(self, server: Server = Server.DEFAULT) -> str:
        return self._api


class PayPalProvider:
    """One account at PayPal. The SDK is blocking: each call runs in a thread."""

    name = NAME

    def __init__(
        self, conf: PayPalConf, *, client_id: str, client_secret: Secret, webhook_id: str, return_url: str
    ) -> None:
        credentials = ClientCredentialsAuthCredentials(
            o_auth_client_id=client_id, o_auth_client_secret=str(client_secret)
        )
        self._api = conf.api
        self._client = PaypalServersdkClient(
            config=_Configuration(
                conf.api,
                timeout=TIMEOUT_S,
                environment=Environment.PRODUCTION,
                client_credentials_auth_credentials=credentials,
            )
        )
        self._webhook_id = webhook_id
        self._return_url = return_url

    async def open_page(self, wanted: Wanted) -> Page:
        unit = {
            "amount": {"currency_code": "GBP", "value": _decimal(wanted.amount_micros)},
            "description": wanted.description,
            "custom_id": f"{wanted.account_id}:{wanted.quoted}",
        }
        context = {"return_url": self._return_url, "cancel_url": self._return_url, "user_action": "PAY_NOW"}
        body = {
            "intent": "CAPTURE",
            "purchase_units": [unit],
            "payment_source": {"paypal": {"experience_context": context}},
        }
        options = {"body": body, "paypal_request_id": wanted.key, "prefer": "return=representation"}
        order = await self._ask(lambda: self._client.orders.create_order(options))
        links = {link.get("rel"): link.get("href") for link in order.get("links", [])}
        return Page(str(order.get("id", "")), str(links.get("payer-action") or links.get("approve") or ""))

    async def charge(
        self, method: MethodView, wanted: Wanted, *, charge_on: date | None = None
    ) -> PaymentView:
        raise ProviderRefused("PayPal is paid by the customer only")

    async def retry(self, reference: str, *, key: str, charge_on: date | None) -> PaymentView:
        raise ProviderRefused("PayPal is paid by the customer only")

    async def look(self, reference: str) -> PaymentView:
        """By the order, or `capture:ID` of one."""
        if reference.startswith("capture:"):
            capture_id = reference.removeprefix("capture:")
            found = await self._ask(
                lambda: self._client.payments.get_captured_payment({"capture_id": capture_id})
            )
            reference = order_of(found)
            if not reference:
                raise ProviderRefused("the capture names no order")
        try:
            order = await self._ask(lambda: self._client.orders.get_order({"id": reference}))
        except ProviderRefused:  # 404: nobody approved it in time, and PayPal has forgotten it
            return PaymentView(NAME, reference, Method.PAYPAL, None, ViewState.CANCELLED, 0)
        if order.get("status") == "APPROVED":
            options = {
                "id": reference,
                "paypal_request_id": f"capture-{reference}",
                "prefer": "return=representation",
            }
            order = await self._ask(lambda: self._client.orders.capture_order(options))
        return _view(order, reference)

    async def look_method(self, reference: str) -> MethodView:
        raise ProviderRefused("PayPal is paid by the customer only")

    async def refund(
        self, payment: PaymentView, amount_micros: int, *, return_id: int, reason: str
    ) -> Refunded:
        order = await self._ask(lambda: self._client.orders.get_order({"id": payment.reference}))
        capture = _capture(order)
        if capture is None:
            raise ProviderRefused("the order has no capture that could be refunded")
        options = {
            "capture_id": capture["id"],
            "paypal_request_id": f"offhook-return-{return_id}",
            "prefer": "return=representation",
            "body": {
                "amount": {"currency_code": "GBP", "value": _decimal(amount_micros)},
                "custom_id": str(return_id),
            },
        }
        refund = await self._ask(lambda: self._client.payments.refund_captured_payment(options))
        if refund.get("status") in _UNDONE_REFUNDS:
            raise ProviderRefused("PayPal did not carry out the refund")
        return Refunded(str(refund["id"]))

    async def read_news(self, headers: Mapping[str, str], body: bytes) -> list[News]:
        signed = {name: headers.get(header, "") for name, header in _SIGNED.items()}
        if not all(0 < len(value) <= HEADER_CHARS_MAX for value in signed.values()):
            raise ForgedNews("no signature of PayPal")
        try:
            event = msgspec.json.decode(body, type=_Event)
        except msgspec.MsgspecError:
            raise ForgedNews("no event of PayPal") from None
        if not await self._call(lambda: self._is_signed(signed, body)):
            raise ForgedNews("no signature of PayPal")
        return [_news(event)]

    def _is_signed(self, signed: dict[str, str], body: bytes) -> bool:
        """In a thread. The event goes back to PayPal as it came, byte by byte: the signature is over those."""
        head = msgspec.json.encode({**signed, "webhook_id": self._webhook_id})
        question = head[:-1] + b',"webhook_event":' + body + b"}"
        token = self._client.auth_managers["Oauth2"].fetch_token().access_token
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's, checked when read
            f"{self._api}/v1/notifications/verify-webhook-signature",
            data=question,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            verdict = msgspec.json.decode(answer.read(ANSWER_BYTES_MAX), type=_Verdict)
        return verdict.verification_status == "SUCCESS"

    async def _ask(self, work: Callable[[], Any]) -> dict[str, Any]:
        """The answer as it came: what the SDK's models leave out is in it, too."""
        response = await self._call(work)
        try:
            return msgspec.json.decode(response.text, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise ProviderUnreachable("PayPal's answer cannot be read") from None

    async def _call(self, work: Callable[[], T]) -> T:
        """In a thread. What PayPal refuses is told from what nobody knows."""
        try:
            return await asyncio.to_thread(work)
        except ApiException as problem:
            if problem.response_code in _REFUSALS:
                raise ProviderRefused(problem_text(problem.reason)) from None
            raise ProviderUnreachable(f"PayPal: {problem.response_code}") from None
        except (requests.RequestException, OSError, msgspec.MsgspecError) as problem:
            raise ProviderUnreachable(f"PayPal: {type(problem).__name__}") from None


class _Verdict(msgspec.Struct):
    verification_status: str


class _Event(msgspec.Struct):
    id: str
    event_type: str
    resource: dict[str, Any]


def _view(order: dict[str, Any], reference: str) -> PaymentView:
    units = order.get("purchase_units") or [{}]
    account_text, _, quoted = str(units[0].get("custom_id", "")).partition(":")
    account_id = account_of(account_text)
    capture = _capture(order)
    if account_id is None:
        return PaymentView(NAME, reference, Method.PAYPAL, None, ViewState.OPEN, 0)
    if capture is None:
        state = ViewState.CANCELLED if order.get("status") == "VOIDED" else ViewState.OPEN
        return PaymentView(NAME, reference, Method.PAYPAL, account_id, state, 0, quoted)
    refunds = (units[0].get("payments") or {}).get("refunds") or []
    return PaymentView(
        provider=NAME,
        reference=reference,
        method=Method.PAYPAL,
        account_id=account_id,
        state=_capture_state(str(capture.get("status"))),
        amount_micros=_amount(capture, reference),
        quoted=quoted,
        returns=tuple(_refund(each, reference) for each in refunds),
    )


def _capture(order: dict[str, Any]) -> dict[str, Any] | None:
    """The one that took the money; else the latest that tried."""
    units = order.get("purchase_units") or [{}]
    captures: list[dict[str, Any]] = (units[0].get("payments") or {}).get("captures") or []
    taken = [each for each in captures if each.get("status") in _RECEIVED]
    found = taken or captures
    return found[-1] if found else None


def _capture_state(status: str) -> ViewState:
    if status in _RECEIVED:
        return ViewState.RECEIVED
    return ViewState.PENDING if status == "PENDING" else ViewState.FAILED


def _refund(refund: dict[str, Any], reference: str) -> ReturnView:
    return ReturnView(
        kind=ReturnKind.REFUND,
        reference=str(refund.get("id", "")),
        amount_micros=_amount(refund, reference),
        is_undone=refund.get("status") in _UNDONE_REFUNDS,
        ours=account_of(refund.get("custom_id")),
    )


def _amount(found: dict[str, Any], reference: str) -> int:
    amount = found.get("amount") or {}
    check_currency(amount.get("currency_code"), reference)
    try:
        return parse_pounds(str(amount.get("value", "")))
    except MoneyProblem:
        raise ProviderUnreachable("PayPal's answer has no amount") from None


def _decimal(amount_micros: int) -> str:
    """ "12.00": whole pennies."""
    pounds, rest = divmod(amount_micros, MICROS_PER_POUND)
    return f"{pounds}.{rest // 10_000:02d}"


def order_of(resource: dict[str, Any]) -> str:
    related = (resource.get("supplementary_data") or {}).get("related_ids") or {}
    return str(related.get("order_id") or "")


def _news(event: _Event) -> News:
    """A reversal is a bank's or PayPal's own decision, and the order does not show it: it is kept with the event."""
    resource, kind = event.resource, event.event_type
    if kind.startswith("CHECKOUT.ORDER."):
        return News(NAME, event.id, kind, Subject.PAYMENT, str(resource.get("id", "")))
    if not kind.startswith("PAYMENT.CAPTURE."):
        return News(NAME, event.id, kind, Subject.NOTHING, str(resource.get("id", "")))
    reference = order_of(resource)
    if not reference:
        is_return = kind in ("PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED")
        capture = _linked_capture(resource) if is_return else str(resource.get("id", ""))
        reference = f"capture:{capture}"
    detail: dict[str, Any] = {}
    if kind == "PAYMENT.CAPTURE.REVERSED":
        detail = {
            "reversal": str(resource.get("id", "")),
            "amount": str((resource.get("amount") or {}).get("value")),
        }
    return News(NAME, event.id, kind, Subject.PAYMENT, reference, detail)


def _linked_capture(resource: dict[str, Any]) -> str:
    """The resource of a return names its capture only by the address "up"."""
    for link in resource.get("links") or []:
        if isinstance(link, dict) and link.get("rel") == "up":
            return str(link.get("href", "")).rpartition("/")[2]
    return str(resource.get("id", ""))
