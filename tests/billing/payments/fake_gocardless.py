"""GoCardless as its API reference describes it, as far as we use it: billing requests, mandates, payments, refunds,
signed events. Written from https://developer.gocardless.com/api-reference/."""

import hashlib
import hmac
import itertools
import json
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

ACCESS_TOKEN = "sandbox_drama"
WEBHOOK_SECRET = "drama-secret"


class FakeGoCardless:
    def __init__(self) -> None:
        self.things: dict[str, dict[str, dict[str, Any]]] = {
            name: {}
            for name in ("billing_requests", "billing_request_flows", "mandates", "payments", "refunds")
        }
        self.keys: dict[tuple[str, str], str] = {}
        self.calls: list[tuple[str, str]] = []
        self.is_down = False
        self._ids = itertools.count(1)
        self.app = FastAPI()
        self.app.add_api_route("/{path:path}", self._handle, methods=["GET", "POST"])

    @property
    def payments(self) -> dict[str, dict[str, Any]]:
        return self.things["payments"]

    # What customers and banks do.

    def fulfil(self, request_id: str) -> str:
        """The customer gives the mandate. Its id."""
        request = self.things["billing_requests"][request_id]
        mandate = {
            "id": f"MD{next(self._ids):06}", "status": "active", "reference": f"EXAMPLE-{next(self._ids)}",
            "metadata": request["mandate_request"]["metadata"], "links": {"customer": "CU000001"}, "scheme": "bacs",
        }  # fmt: skip
        self.things["mandates"][mandate["id"]] = mandate
        request.update(status="fulfilled", links={"mandate_request_mandate": mandate["id"]})
        return str(mandate["id"])

    def event(
        self, resource_type: str, action: str, links: dict[str, str], *, event_id: str = ""
    ) -> tuple[dict[str, str], bytes]:
        event = {
            "id": event_id or f"EV{next(self._ids):06}", "resource_type": resource_type, "action": action,
            "links": links, "created_at": "2026-11-22T12:00:00.000Z",
        }  # fmt: skip
        return signed(json.dumps({"events": [event], "meta": {"webhook_id": "WB1"}}).encode())

    # The API.

    async def _handle(self, path: str, request: Request) -> Response:
        self.calls.append((request.method, path))
        if self.is_down:
            return _error(500, "gocardless", "down")
        if request.headers.get("authorization") != f"Bearer {ACCESS_TOKEN}":
            return _error(401, "invalid_api_usage", "no token")
        body = json.loads(await request.body() or b"{}") if request.method == "POST" else {}
        match request.method, path.split("/"):
            case "GET", ["refunds"]:
                wanted = request.query_params["payment"]
                found = [
                    each for each in self.things["refunds"].values() if each["links"]["payment"] == wanted
                ]
                return JSONResponse({"refunds": found, "meta": {"cursors": {}, "limit": 50}})
            case "GET", [kind, name] if name in self.things.get(kind, {}):
                return JSONResponse({kind: self.things[kind][name]})
            case "POST", ["payments", name, "actions", "retry"]:
                payment = self.payments[name]
                if payment["status"] != "failed":
                    return _error(422, "invalid_state", "Only failed payments can be retried")
                payment.update(status="pending_submission", retries=payment.get("retries", 0) + 1)
                return JSONResponse({"payments": payment})
            case "POST", [kind] if kind in self.things:
                return self._create(kind, request.headers.get("idempotency-key", ""), body.get(kind, {}))
        return _error(404, "invalid_api_usage", f"no {path}")

    def _create(self, kind: str, key: str, given: dict[str, Any]) -> Response:
        if (kind, key) in self.keys:
            name = self.keys[kind, key]
            reason = {"reason": "idempotent_creation_conflict", "message": "conflict",
                      "links": {"conflicting_resource_id": name}}  # fmt: skip
            return _error(409, "invalid_state", "conflict", [reason])
        prefix = {
            "billing_requests": "BRQ",
            "billing_request_flows": "BRF",
            "payments": "PM",
            "refunds": "RF",
        }[kind]
        made = {"metadata": {}, "links": {}, **given, "id": f"{prefix}{next(self._ids):06}"}
        match kind:
            case "billing_requests":
                made.update(status="pending", links={})
            case "billing_request_flows":
                made["authorisation_url"] = "https://pay.example.com/flow"
            case "payments":
                mandate = self.things["mandates"].get(given["links"]["mandate"])
                if mandate is None or mandate["status"] != "active":
                    return _error(422, "invalid_state", "Mandate is not active")
                made["status"] = "pending_submission"
            case "refunds":
                made["status"] = "created"
                payment = given["links"]["payment"]
                before = sum(
                    each["amount"]
                    for each in self.things["refunds"].values()
                    if each["links"]["payment"] == payment
                )
                if before + given["amount"] != given["total_amount_confirmation"]:
                    return _error(422, "validation_failed", "total_amount_confirmation is wrong")
        self.things[kind][made["id"]] = made
        self.keys[kind, key] = made["id"]
        return JSONResponse({kind: made}, 201)


def _error(status: int, kind: str, message: str, errors: list[dict[str, Any]] | None = None) -> Response:
    error = {
        "type": kind, "code": status, "message": message, "request_id": "drama",
        "errors": errors or [{"reason": kind, "message": message}], "documentation_url": "https://example.com",
    }  # fmt: skip
    return JSONResponse({"error": error}, status)


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET) -> tuple[dict[str, str], bytes]:
    return {"webhook-signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}, body
