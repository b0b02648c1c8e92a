"""A house with lines that write to each other, and what was made of their messages."""

from rating.records import Cdr
from switch.sip.message import Response, make_response
from tests.switch.events.watcher import send
from tests.switch.house import House, Phone, make_account, make_line

PLAIN = [("content-type", "text/plain")]
NUMBERS = {"+441632960001": "alice", "+441632960002": "bob"}


def make_house(**settings: object) -> tuple[House, Phone, Phone]:
    """alice and bob are registered, carol of another account is not."""
    house = unregistered(**settings)
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    alice.register()
    bob.register()
    return house, alice, bob


def unregistered(**settings: object) -> House:
    settings.setdefault("lines", [make_line("alice"), make_line("bob"), make_line("carol", account_id=2)])
    settings.setdefault("accounts", [make_account(1), make_account(2)])
    return House(numbers=NUMBERS, **settings)


def text(
    phone: Phone, target: str, body: bytes = b"Watson, come here.", fields: list[tuple[str, str]] = PLAIN
) -> Response:
    return send(phone, "MESSAGE", target, fields, body, contact="")


def answer_with(phone: Phone, status: int) -> None:
    """0 leaves a MESSAGE unanswered."""

    def on_request(transaction, request, flow, now) -> None:  # type: ignore[no-untyped-def]
        phone.requests.append(request)
        if status:
            transaction.respond(make_response(request, status), now)

    phone.on_request = on_request  # type: ignore[method-assign]


def bodies(phone: Phone) -> list[bytes]:
    """Of the messages that it got."""
    return [message.body for message in phone.requests_of("MESSAGE")]


def records_of(house: House) -> list[Cdr]:
    return house.journal.cdrs()


def assert_clean(house: House) -> None:
    house.run(70)
    house.assert_clean()
    assert house.exchange.stack.transactions_count == 0
    assert not any(b"Watson" in repr(record).encode() for record in house.journal.records)
