"""MESSAGE between lines (RFC 3428): who gets it, whom it is from, and what is refused."""

import pytest

from rating.records import RegistrationEvent
from switch.calls.routing import make_routing
from switch.config import Conf
from switch.messaging.limits import MESSAGE_BYTES_MAX, MESSAGES_BURST
from switch.sip.message import Request
from tests.switch.events.watcher import send
from tests.switch.house import DOMAIN, make_account, make_conf, make_line, make_trunk
from tests.switch.messaging.texts import (
    PLAIN,
    answer_with,
    assert_clean,
    bodies,
    make_house,
    records_of,
    text,
)


@pytest.mark.parametrize("target", ["bob", "01632960002", "+441632960002"])
def test_it_reaches_the_phone_and_the_sender_hears_so(target: str) -> None:
    house, alice, bob = make_house()
    assert text(alice, target).status == 200
    assert alice.statuses[-2:] == [407, 200]
    (message,) = bob.requests_of("MESSAGE")
    assert message.body == b"Watson, come here."
    assert message.headers.get("content-type") == "text/plain"
    assert message.uri == bob.contact
    assert message.from_.uri == f"sip:+441632960001@{DOMAIN}"
    assert message.max_forwards == 69
    assert not {"contact", "proxy-authorization"} & set(message.headers.keys())
    assert_clean(house)


def test_every_phone_gets_a_copy_and_one_200_is_enough() -> None:
    house, alice, bob = make_house()
    mobile = house.phone("bob", "192.0.2.21", seed=8)
    mobile._registered = 10
    mobile.register()
    answer_with(bob, 480)
    assert text(alice, "bob").status == 200
    assert len(bob.requests_of("MESSAGE")) == len(mobile.requests_of("MESSAGE")) == 1
    assert alice.statuses.count(200) == 2  # the REGISTER and the MESSAGE
    assert_clean(house)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (603, 603), (415, 415), (302, 480), (401, 500), (407, 500), (404, 404), (501, 501), (413, 413), (400, 400),
        (600, 600), (488, 488),
        # of the moment
        (486, 202), (480, 202), (503, 202), (500, 202), (430, 202),
    ],
)  # fmt: skip
def test_a_phones_refusal_is_passed_on_and_an_answer_of_the_moment_is_not(status: int, told: int) -> None:
    house, alice, bob = make_house()
    answer_with(bob, status)
    assert text(alice, "bob").status == told
    assert house.exchange.messaging.waiting.count == (told == 202)
    [sender, destination] = records_of(house)
    assert sender.outcome == (
        "kept" if told == 202 else "failed" if told >= 500 and told < 600 else "refused"
    )
    assert (sender.sip_status, destination.line) == (told, "bob")
    assert_clean(house)


def test_the_best_refusal_counts() -> None:
    house, alice, bob = make_house()
    mobile = house.phone("bob", "192.0.2.21", seed=8)
    mobile._registered = 10
    mobile.register()
    answer_with(bob, 501)
    answer_with(mobile, 415)
    assert text(alice, "bob").status == 415


def test_now_or_never_is_not_kept_and_silence_is_answered_with_silence() -> None:
    """RFC 4320 4.2: never a 408 to a non-INVITE."""
    house, alice, bob = make_house()
    answer_with(bob, 0)
    assert text(alice, "bob", fields=[*PLAIN, ("expires", "0")]).status == 407
    house.run(40)
    assert alice.statuses[-1] == -408 and 408 not in alice.statuses
    assert house.exchange.messaging.counts["silence"] == 1
    assert house.exchange.messaging.waiting.count == 0
    assert_clean(house)


def test_now_or_never_to_nobody_is_480() -> None:
    house, alice, _ = make_house()
    assert text(alice, "carol", fields=[*PLAIN, ("expires", "0")]).status == 480
    assert house.exchange.messaging.waiting.count == 0


def test_is_typing_is_passed_on_and_neither_kept_nor_on_record() -> None:
    house, alice, bob = make_house()
    typing = [("content-type", "application/im-iscomposing+xml")]
    assert text(alice, "bob", fields=typing).status == 200
    assert text(alice, "carol", fields=typing).status == 480
    assert len(bob.requests_of("MESSAGE")) == 1
    records = [record for record in house.journal.records if not isinstance(record, RegistrationEvent)]
    assert records == [] and house.exchange.messaging.waiting.count == 0


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("nobody", 404),
        ("01632960009", 404),
        ("07700900123", 403),  # a route exists, but its trunk takes no texts
        ("999", 403),
        ("112", 403),
    ],
)
def test_where_it_does_not_go(target: str, status: int) -> None:
    house, alice, _ = make_house(conf=_with_mobile_route())
    carrier = house.phone("carrier", "192.0.2.50")
    assert text(alice, target).status == status
    assert carrier.requests == []
    assert [record for record in house.journal.records if not isinstance(record, RegistrationEvent)] == []
    assert_clean(house)


def _with_mobile_route() -> Conf:
    return make_conf(
        trunks=[make_trunk("carrier", "192.0.2.50")],
        routing=make_routing({"+447": ("carrier",)}, emergency_trunks=("carrier",), version="routing1"),
    )


@pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE", "PUBLISH"])
def test_a_carrier_may_not(method: str) -> None:
    house, _, bob = make_house(conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")]))
    carrier = house.phone("carrier", "192.0.2.50")
    assert send(carrier, method, "+441632960002", [("event", "presence")]).status == 403
    assert bob.requests == []


def test_a_wrong_password_sends_nothing() -> None:
    house, _, bob = make_house()
    liar = house.phone("alice", "192.0.2.66", password="wrong")
    assert text(liar, "bob").status == 407
    assert bob.requests == []


def test_a_suspended_account_sends_nothing() -> None:
    _, alice, bob = make_house(accounts=[make_account(1, is_suspended=True), make_account(2)])
    assert text(alice, "bob").status == 403
    assert bob.requests == []


def test_a_long_text_is_413() -> None:
    _, alice, bob = make_house()
    assert text(alice, "bob", b"x" * MESSAGE_BYTES_MAX).status == 200
    assert text(alice, "bob", b"x" * (MESSAGE_BYTES_MAX + 1)).status == 413
    assert len(bob.requests_of("MESSAGE")) == 1


def test_a_line_has_a_pace_of_its_own() -> None:
    house, alice, bob = make_house()
    headers = [alice._headers("MESSAGE", f"<sip:bob@{DOMAIN}>") for _ in range(2 * MESSAGES_BURST)]
    before = len(alice.statuses)
    for fields in headers:
        request = Request("MESSAGE", f"sip:bob@{DOMAIN}", fields, b"x")
        alice.stack.send_request(request, alice.flow, alice, house.clock.now)
    house.run(1)
    told = alice.statuses[before:]
    assert told.count(200) == MESSAGES_BURST
    assert told.count(480) == MESSAGES_BURST
    refused = next(response for response in alice.responses if response.status == 480)
    assert refused.headers.get("retry-after") == "10"
    assert text(bob, "alice").status == 200
    house.run(5)
    assert text(alice, "bob").status == 200


def test_names_are_not_tried_out_at_any_pace() -> None:
    _, alice, _ = make_house()
    statuses = [text(alice, f"nobody{number}").status for number in range(2 * MESSAGES_BURST)]
    assert statuses.count(480) > MESSAGES_BURST / 3
    assert text(alice, "999").status == 403, "never a word that says try again later"


@pytest.mark.parametrize(("changes", "fields"), [({"withholds_cli": True}, []), ({}, [("privacy", "id")])])
def test_a_withheld_number_stays_withheld(changes: dict[str, object], fields: list[tuple[str, str]]) -> None:
    _, alice, bob = make_house(lines=[make_line("alice", **changes), make_line("bob")])
    assert text(alice, "bob", fields=[*PLAIN, *fields]).status == 200
    (message,) = bob.requests_of("MESSAGE")
    assert message.from_.uri == "sip:anonymous@anonymous.invalid"
    assert "alice" not in message.headers.to_text(content_length=0)
    assert "2960001" not in message.headers.to_text(content_length=0)


@pytest.mark.parametrize("target", ["bob", "01632960002"])
def test_an_envelope_that_names_its_sender_does_not_go_where_he_is_withheld(target: str) -> None:
    _, alice, bob = make_house()
    body = b"From: <sip:alice@example.com>\r\n\r\nContent-Type: text/plain\r\n\r\nx"
    cpim = [("content-type", "Message/CPIM; charset=utf-8")]
    assert text(alice, target, body, cpim).status == 200
    assert text(alice, target, body, [*cpim, ("privacy", "id")]).status == 415
    assert text(alice, "14101632960002", body, cpim).status == 415
    assert bodies(bob) == [body]


def test_nobody_writes_under_another_name() -> None:
    house, alice, bob = make_house()
    headers = alice._headers("MESSAGE", f"<sip:bob@{DOMAIN}>", from_=f"<sip:01632960002@{DOMAIN}>")
    headers.add("p-asserted-identity", f"<sip:+447700900999@{DOMAIN}>")
    request = Request("MESSAGE", f"sip:bob@{DOMAIN}", headers, b"x")
    alice.stack.send_request(request, alice.flow, alice, house.clock.now)
    house.run(1)
    (message,) = bob.requests_of("MESSAGE")
    assert message.from_.uri == f"sip:+441632960001@{DOMAIN}"
    assert "p-asserted-identity" not in message.headers


def test_in_a_call_it_goes_across() -> None:
    house, alice, bob = make_house()
    alice.invite("bob")
    house.run(2)
    alice.send_in_dialog("MESSAGE", b"one moment", "text/plain")
    house.run(1)
    (message,) = bob.requests_of("MESSAGE")
    assert message.body == b"one moment"
    assert message.to_tag is not None
    assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(1)
