"""What a watching or publishing phone sends, and what it was told."""

from collections.abc import Iterable

from provisioning.model import Line
from switch.sip.dialog import Dialog
from switch.sip.event_fields import SubscriptionState, parse_subscription_state
from switch.sip.message import Request, Response
from tests.switch.house import DOMAIN, House, Phone, make_account, make_line

PIDF = "application/pidf+xml"
Fields = Iterable[tuple[str, str]]


def pidf(note: str, *, basic: str = "open") -> bytes:
    """A presence document."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:someone@example.com">'
        f'<tuple id="t1"><status><basic>{basic}</basic></status><note>{note}</note></tuple></presence>'
    ).encode()


def town(**settings: object) -> House:
    """alice and bob of one account, carol of another, mallory without a line."""
    lines: list[Line] = [make_line("alice"), make_line("bob"), make_line("carol", account_id=2)]
    return House(
        lines=lines,
        accounts=[make_account(1), make_account(2)],
        numbers={"+441632960002": "bob"},
        **settings,
    )


def send(
    phone: Phone, method: str, target: str, fields: Fields, body: bytes = b"", *, contact: str | None = None
) -> Response:
    """One request outside a dialog, its challenge answered; the final response."""
    headers = phone._headers(method, f"<sip:{target}@{DOMAIN}>")
    if contact != "":
        headers.add("contact", contact or f"<{phone.contact}>")
    for name, value in fields:
        headers.add(name, value)
    before = len(phone.responses)
    request = Request(method, f"sip:{target}@{DOMAIN}", headers, body)
    phone.stack.send_request(request, phone.flow, phone, phone.house.clock.now)
    phone.house.run(0.3)
    assert len(phone.responses) > before, f"no answer to {method}"
    return phone.responses[-1]


class Watch:
    """One subscription, as its subscriber has it."""

    def __init__(
        self,
        phone: Phone,
        target: str,
        event: str = "presence",
        *,
        expires: int | None = 3600,
        fields: Fields = (),
        contact: str | None = None,
    ) -> None:
        self.phone = phone
        self.event = event
        self._seen = len(phone.requests_of("NOTIFY"))
        expiry = [] if expires is None else [("expires", str(expires))]
        self.response = send(
            phone, "SUBSCRIBE", target, [("event", event), *expiry, *fields], contact=contact
        )
        self.dialog: Dialog | None = None
        if self.response.is_success:
            request = Request(
                "SUBSCRIBE",
                f"sip:{target}@{DOMAIN}",
                self.response.headers.select({"from", "to", "call-id", "cseq"}),
            )
            self.dialog = Dialog.from_response(request, self.response, phone.flow)

    @property
    def status(self) -> int:
        return self.response.status

    def renew(self, expires: int | None = 3600, *, event: str = "", fields: Fields = ()) -> Response:
        """SUBSCRIBE inside the dialog; the final response."""
        assert self.dialog is not None
        phone = self.phone
        request = self.dialog.create_request("SUBSCRIBE", contact=f"<{phone.contact}>")
        request.headers.add("event", event or self.event)
        if expires is not None:
            request.headers.add("expires", str(expires))
        for name, value in fields:
            request.headers.add(name, value)
        phone.stack.send_request(request, phone.flow, phone, phone.house.clock.now)
        phone.house.run(0.3)
        return phone.responses[-1]

    def notifies(self) -> list[Request]:
        """Every NOTIFY of this subscription so far."""
        assert self.dialog is not None
        found = self.phone.requests_of("NOTIFY")[self._seen :]
        return [notify for notify in found if notify.call_id == self.dialog.call_id]

    def states(self) -> list[SubscriptionState]:
        return [
            parse_subscription_state(notify.headers.get("subscription-state") or "")
            for notify in self.notifies()
        ]

    def bodies(self) -> list[bytes]:
        return [notify.body for notify in self.notifies()]


def publish(
    phone: Phone,
    body: bytes,
    *,
    tag: str = "",
    expires: int | None = 3600,
    target: str = "",
    fields: Fields = (),
    content_type: str = PIDF,
    event: str = "presence",
) -> Response:
    """One PUBLISH; the final response."""
    headers: list[tuple[str, str]] = [("event", event)] if event else []
    if expires is not None:
        headers.append(("expires", str(expires)))
    if tag:
        headers.append(("sip-if-match", tag))
    if body:
        headers.append(("content-type", content_type))
    return send(phone, "PUBLISH", target or phone.user, [*headers, *fields], body, contact="")
