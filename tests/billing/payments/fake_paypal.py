"""PayPal as its API reference describes it, as far as we use it: a token, Orders v2, Payments v2, and the call that
verifies webhooks. Written from https://developer.paypal.com/docs/api/."""

import itertools
import json
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

CLIENT_ID = "drama-client"
CLIENT_SECRET = "drama-secret"
WEBHOOK_ID = "WH0DRAMA"
GENUINE = "genuine-signature"


class FakePayPal:
    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.answered: dict[str, tuple[int, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.verified: list[bytes] = []
        self.is_down = False
        self._ids = itertools.count(1)
        self.app = FastAPI()
        self.app.add_api_route("/{path:path}", self._handle, methods=["GET", "POST"])

    # What customers do.

    def approve(self, order_id: str) -> None:
        self.orders[order_id]["status"] = "APPROVED"

    def event(
        self, kind: str, resource: dict[str, Any], *, event_id: str = "", signature: str = GENUINE
    ) -> tuple[dict[str, str], bytes]:
        # The spaces are on purpose: what is verified must be what was sent, not what we make of it.
        body = json.dumps(
            {"id": event_id or f"WH-{next(self._ids)}", "event_type": kind, "resource": resource}, indent=1
        ).encode()
        return {
            "paypal-auth-algo": "SHA256withRSA",
            "paypal-cert-url": "https://api.paypal.com/v1/notifications/certs/CERT-1",
            "paypal-transmission-id": "d938e770-8046-11e6-8103-6b62a8a99ac4",
            "paypal-transmission-sig": signature,
            "paypal-transmission-time": "2026-11-22T12:00:00Z",
        }, body

    def capture_of(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.orders[order_id]["purchase_units"][0]["payments"]["captures"][-1]
        return found

    # The API.

    async def _handle(self, path: str, request: Request) -> Response:
        self.calls.append((request.method, path))
        body = await request.body()
        if self.is_down:
            return JSONResponse({"name": "INTERNAL_SERVER_ERROR", "message": "down"}, 500)
        if path == "v1/oauth2/token":
            return JSONResponse({"access_token": "drama-token", "token_type": "Bearer", "expires_in": 3600})
        if request.headers.get("authorization") != "Bearer drama-token":
            return JSONResponse({"name": "AUTHENTICATION_FAILURE", "message": "no token"}, 401)
        if path == "v1/notifications/verify-webhook-signature":
            return self._verify(body)
        key = request.headers.get("paypal-request-id", "")
        if key and key in self.answered:
            status, answer = self.answered[key]
            return JSONResponse(answer, status)
        status, answer = self._answer(request.method, path, json.loads(body or b"{}"))
        if key and status < 400:
            self.answered[key] = status, json.loads(json.dumps(answer))
        return JSONResponse(answer, status)

    def _verify(self, body: bytes) -> Response:
        self.verified.append(body)
        asked = json.loads(body)
        is_genuine = asked["transmission_sig"] == GENUINE and asked["webhook_id"] == WEBHOOK_ID
        return JSONResponse({"verification_status": "SUCCESS" if is_genuine else "FAILURE"})

    def _answer(self, method: str, path: str, given: dict[str, Any]) -> tuple[int, Any]:
        match method, path.split("/"):
            case "POST", ["v2", "checkout", "orders"]:
                order = {
                    **given, "id": f"ORDER{next(self._ids)}", "status": "PAYER_ACTION_REQUIRED",
                    "links": [{"rel": "payer-action", "href": "https://www.example.com/approve", "method": "GET"}],
                }  # fmt: skip
                self.orders[order["id"]] = order
                return 200, order
            case "GET", ["v2", "checkout", "orders", name] if name in self.orders:
                return 200, self.orders[name]
            case "POST", ["v2", "checkout", "orders", name, "capture"] if name in self.orders:
                return self._capture(name)
            case "GET", ["v2", "payments", "captures", name]:
                for order_id, order in self.orders.items():
                    if "payments" in order["purchase_units"][0] and self.capture_of(order_id)["id"] == name:
                        return 200, self.capture_of(order_id)
            case "POST", ["v2", "payments", "captures", name, "refund"]:
                return self._refund(name, given)
        return 404, {"name": "RESOURCE_NOT_FOUND", "message": f"no {path}", "debug_id": "drama"}

    def _capture(self, name: str) -> tuple[int, Any]:
        order = self.orders[name]
        if order["status"] != "APPROVED":
            return 422, {"name": "UNPROCESSABLE_ENTITY", "message": "not approved", "debug_id": "drama"}
        unit = order["purchase_units"][0]
        capture = {
            "id": f"CAPTURE{next(self._ids)}", "status": "COMPLETED", "amount": unit["amount"],
            "custom_id": unit["custom_id"], "supplementary_data": {"related_ids": {"order_id": name}},
        }  # fmt: skip
        unit["payments"] = {"captures": [capture], "refunds": []}
        order["status"] = "COMPLETED"
        return 201, order

    def _refund(self, capture_id: str, given: dict[str, Any]) -> tuple[int, Any]:
        for order_id, order in self.orders.items():
            if self.capture_of(order_id)["id"] == capture_id:
                refund = {
                    "id": f"REFUND{next(self._ids)}", "status": "COMPLETED", "amount": given["amount"],
                    "custom_id": given.get("custom_id", ""),
                }  # fmt: skip
                order["purchase_units"][0]["payments"]["refunds"].append(refund)
                return 201, refund
        return 404, {"name": "RESOURCE_NOT_FOUND", "message": "no capture", "debug_id": "drama"}
