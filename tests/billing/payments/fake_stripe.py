"""Stripe as its API reference describes it, as far as we use it: Checkout Sessions, PaymentIntents, refunds, disputes,
signed events. Written from https://docs.stripe.com/api and https://docs.stripe.com/webhooks."""

import hashlib
import hmac
import itertools
import json
import re
import time
from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

SECRET_KEY = "sk_test_drama"
WEBHOOK_SECRET = "whsec_drama"


class FakeStripe:
    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}
        self.answered: dict[str, tuple[int, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.declines = False
        self.refuses_refunds = False
        self.is_down = False
        self._ids = itertools.count(1)
        self.app = FastAPI()
        self.app.add_api_route("/{path:path}", self._handle, methods=["GET", "POST"])

    # What customers and banks do.

    def pay(self, session_id: str, *, card: str = "pm_card") -> str:
        """The customer pays on the page. The intent's id."""
        session = self.sessions[session_id]
        intent = self._intent(session["amount_total"], session["intent_metadata"])
        if session["setup_future_usage"]:
            intent.update(setup_future_usage="off_session", customer="cus_1", payment_method=card)
        session.update(status="complete", payment_intent=intent["id"])
        return self.succeed(intent["id"])

    def succeed(self, intent_id: str) -> str:
        intent = self.intents[intent_id]
        details = {"card": {"brand": "visa", "last4": "4242"}, "type": "card"}
        charge = {"id": f"ch_{next(self._ids)}", "object": "charge", "payment_method_details": details}
        intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=charge)
        return intent_id

    def dispute(self, intent_id: str, status: str = "needs_response") -> str:
        dispute = {
            "id": f"dp_{next(self._ids)}", "object": "dispute", "amount": self.intents[intent_id]["amount"],
            "payment_intent": intent_id, "status": status,
        }  # fmt: skip
        self.disputes[dispute["id"]] = dispute
        return str(dispute["id"])

    def event(self, kind: str, found: dict[str, Any], *, event_id: str = "") -> tuple[dict[str, str], bytes]:
        """Headers and body as they are sent."""
        event = {
            "id": event_id or f"evt_{next(self._ids)}", "object": "event", "type": kind, "api_version": "2026-01-01",
            "data": {"object": found},
        }  # fmt: skip
        return signed(json.dumps(event).encode())

    # The API.

    async def _handle(self, path: str, request: Request) -> Response:
        self.calls.append((request.method, path))
        if self.is_down:
            return JSONResponse({"error": {"message": "down", "type": "api_error"}}, 500)
        if request.headers.get("authorization") != f"Bearer {SECRET_KEY}":
            return JSONResponse({"error": {"message": "no key", "type": "invalid_request_error"}}, 401)
        key = request.headers.get("idempotency-key", "")
        if request.method == "POST" and key in self.answered:
            status, answer = self.answered[key]
            return JSONResponse(answer, status)
        form = dict(parse_qsl((await request.body()).decode())) | dict(request.query_params)
        status, answer = self._answer(request.method, path, form)
        if request.method == "POST" and key and status < 500:
            self.answered[key] = status, answer
        return JSONResponse(answer, status)

    def _answer(self, method: str, path: str, form: dict[str, str]) -> tuple[int, Any]:
        match method, path.removeprefix("v1/").split("/"):
            case "POST", ["checkout", "sessions"]:
                return 200, self._make_session(form)
            case "GET", ["checkout", "sessions", name]:
                return self._found(self.sessions, name)
            case "POST", ["payment_intents"]:
                return self._charge(form)
            case "GET", ["payment_intents", name]:
                return self._found(self.intents, name)
            case "POST", ["refunds"]:
                return self._refund(form)
            case "GET", ["refunds"]:
                return 200, _list(self.refunds, form)
            case "GET", ["disputes"]:
                return 200, _list(self.disputes, form)
        return 404, {"error": {"message": f"no such path {path}", "type": "invalid_request_error"}}

    def _found(self, where: dict[str, dict[str, Any]], name: str) -> tuple[int, Any]:
        if name not in where:
            return 404, {"error": {"message": f"No such object: {name}", "type": "invalid_request_error"}}
        return 200, where[name]

    def _make_session(self, form: dict[str, str]) -> dict[str, Any]:
        assert form["line_items[0][price_data][currency]"] == "gbp"
        session = {
            "id": f"cs_{next(self._ids)}", "object": "checkout.session", "status": "open", "payment_intent": None,
            "url": "https://checkout.example.com/pay", "metadata": _nested(form, "metadata"),
            "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
            "intent_metadata": _nested(form, "payment_intent_data[metadata]"),
            "setup_future_usage": form.get("payment_intent_data[setup_future_usage]", ""),
        }  # fmt: skip
        self.sessions[session["id"]] = session
        return session

    def _charge(self, form: dict[str, str]) -> tuple[int, Any]:
        if self.declines:
            error = {"type": "card_error", "code": "card_declined", "message": "Your card was declined."}
            return 402, {"error": error}
        intent = self._intent(int(form["amount"]), _nested(form, "metadata"))
        intent.update(customer=form["customer"], payment_method=form["payment_method"])
        self.succeed(intent["id"])
        return 200, intent

    def _intent(self, amount: int, metadata: dict[str, str]) -> dict[str, Any]:
        intent = {
            "id": f"pi_{next(self._ids)}", "object": "payment_intent", "amount": amount, "amount_received": 0,
            "currency": "gbp", "status": "processing", "metadata": metadata, "last_payment_error": None,
            "customer": None, "payment_method": None, "setup_future_usage": None, "latest_charge": None,
        }  # fmt: skip
        self.intents[intent["id"]] = intent
        return intent

    def _refund(self, form: dict[str, str]) -> tuple[int, Any]:
        intent = self.intents[form["payment_intent"]]
        refunded = sum(
            each["amount"] for each in self.refunds.values() if each["payment_intent"] == intent["id"]
        )
        if self.refuses_refunds or refunded + int(form["amount"]) > intent["amount"]:
            error = {
                "type": "invalid_request_error",
                "message": "Refund amount is greater than unrefunded amount",
            }
            return 400, {"error": error}
        return 200, self.refund(intent["id"], int(form["amount"]), _nested(form, "metadata"))

    def refund(self, intent_id: str, amount: int, metadata: dict[str, str] | None = None) -> dict[str, Any]:
        """Also what somebody does in the dashboard."""
        refund = {
            "id": f"re_{next(self._ids)}", "object": "refund", "amount": amount, "payment_intent": intent_id,
            "status": "succeeded", "metadata": metadata or {},
        }  # fmt: skip
        self.refunds[refund["id"]] = refund
        return refund


def signed(
    body: bytes, *, secret: str = WEBHOOK_SECRET, at: float | None = None
) -> tuple[dict[str, str], bytes]:
    moment = int(time.time() if at is None else at)
    mark = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={moment},v1={mark}"}, body


def _list(where: dict[str, dict[str, Any]], form: dict[str, str]) -> dict[str, Any]:
    found = [each for each in where.values() if each["payment_intent"] == form["payment_intent"]]
    return {"object": "list", "data": found, "has_more": False, "url": "/v1/list"}


def _nested(form: dict[str, str], name: str) -> dict[str, str]:
    pattern = re.compile(re.escape(name) + r"\[([a-z]+)\]")
    return {match.group(1): value for key, value in form.items() if (match := pattern.fullmatch(key))}
