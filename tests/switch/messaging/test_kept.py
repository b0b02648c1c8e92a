"""Messages for a line that is away: kept, delivered in order when it registers, once, and never for ever."""

import re
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provisioning.model import LineRemoved
from switch.messaging import limits
from switch.messaging.text import Text, decode_text, encode_text
from switch.sip.message import Request, make_response
from tests.clock import HandClock
from tests.link import Link
from tests.switch.house import DOMAIN, STARTED_AT_S, House, Phone, make_line
from tests.switch.messaging.texts import (
    PLAIN,
    answer_with,
    assert_clean,
    bodies,
    records_of,
    text,
    unregistered,
)


def kept_keys(house: House) -> list[str]:
    return sorted(key for key in house.journal.state if key.startswith("m/"))


def away(house: House) -> tuple[Phone, Phone]:
    """alice is there, bob's phone is off."""
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    alice.register()
    return alice, bob


def test_it_waits_and_is_delivered_in_order_with_the_time_it_was_sent() -> None:
    house = unregistered()
    alice, bob = away(house)
    for body in (b"one", b"two", b"three"):
        assert text(alice, "01632960002", body).status == 202
        house.run(10)
    assert len(kept_keys(house)) == house.exchange.messaging.waiting.count == 3
    house.run(3600)
    bob.register()
    house.run(10)
    messages = bob.requests_of("MESSAGE")
    assert [message.body for message in messages] == [b"one", b"two", b"three"]
    sent = [parsedate_to_datetime(message.headers.get("date") or "").timestamp() for message in messages]
    assert sent[0] == pytest.approx(STARTED_AT_S, abs=2)
    assert sent[2] - sent[0] == pytest.approx(20, abs=2)
    assert messages[0].from_.uri == f"sip:+441632960001@{DOMAIN}"
    assert messages[0].to.uri == f"sip:+441632960002@{DOMAIN}"
    assert messages[0].headers.get("content-type") == "text/plain"
    assert kept_keys(house) == []
    assert house.exchange.messaging.waiting.queues == {}
    assert house.exchange.messaging.waiting.ended["delivered"] == 3
    assert_clean(house)


def test_it_is_on_record_without_what_it_says() -> None:
    house = unregistered()
    alice, _ = away(house)
    text(alice, "bob", b"a secret word")
    [sender, destination] = records_of(house)
    assert (sender.leg, sender.leg_reason, sender.line, sender.outcome) == (0, "a message", "alice", "kept")
    assert (sender.sip_status, sender.cost_micros, sender.payer_account_id) == (202, 0, 1)
    assert (destination.leg, destination.line, destination.account_id) == (1, "bob", 1)
    assert destination.payer_account_id is None
    assert "secret" not in repr(house.journal.records)


def test_one_at_a_time() -> None:
    house = unregistered()
    alice, bob = away(house)
    for body in (b"one", b"two"):
        text(alice, "bob", body)
    answer_with(bob, 0)
    bob.contact = bob.contact
    bob.stack.send_request(_register(bob), bob.flow, bob, house.clock.now)
    house.run(20)
    assert set(bodies(bob)) == {b"one"}


def _register(phone: Phone) -> Request:
    headers = phone._headers("REGISTER", f"<sip:{phone.user}@{DOMAIN}>")
    headers.add("contact", f"<{phone.contact}>;expires=600")
    return Request("REGISTER", f"sip:{DOMAIN}", headers)


def test_what_comes_meanwhile_waits_behind() -> None:
    house = unregistered()
    alice, bob = away(house)
    text(alice, "bob", b"one")
    bob.register()
    assert text(alice, "bob", b"two").status == 202
    house.run(5)
    assert bodies(bob) == [b"one", b"two"]
    assert text(alice, "bob", b"three").status == 200


def test_a_phone_that_says_nothing_makes_the_sender_wait_some_seconds_and_no_longer() -> None:
    house = unregistered()
    alice, bob = away(house)
    bob.register()
    answer_with(bob, 0)
    text(alice, "bob", b"one")
    house.run(limits.REACTION_S + 1)
    assert alice.statuses[-1] == 202
    assert len(kept_keys(house)) == 1
    house.run(40)
    del bob.on_request  # type: ignore[method-assign]
    bob.register()
    house.run(5)
    assert bodies(bob)[-1] == b"one"
    assert kept_keys(house) == []
    assert_clean(house)


def test_a_phone_that_takes_it_late_gets_it_once() -> None:
    house = unregistered()
    alice, bob = away(house)
    bob.register()
    late = []

    def on_request(transaction, request, flow, now) -> None:  # type: ignore[no-untyped-def]
        bob.requests.append(request)
        late.append(transaction)

    bob.on_request = on_request  # type: ignore[method-assign]
    text(alice, "bob", b"one")
    house.run(10)
    assert alice.statuses[-1] == 202
    late[0].respond(make_response(late[0].request, 200), house.clock.now)
    house.run(3000)
    assert len(bob.requests_of("MESSAGE")) == 1
    assert kept_keys(house) == []
    assert [row.outcome for row in records_of(house)] == ["kept", "kept"]
    assert_clean(house)


def test_who_registers_while_it_is_on_its_way_is_no_reason_to_send_it_again() -> None:
    house = unregistered()
    alice, bob = away(house)
    text(alice, "bob", b"one")
    slow = []

    def on_request(transaction, request, flow, now) -> None:  # type: ignore[no-untyped-def]
        bob.requests.append(request)
        slow.append(transaction)

    bob.on_request = on_request  # type: ignore[method-assign]
    bob.register()
    house.run(3)
    mobile = house.phone("bob", "192.0.2.21", seed=8)
    mobile.register(call_id="mobile")
    house.run(5)
    slow[0].respond(make_response(slow[0].request, 200), house.clock.now)
    house.run(60)
    assert len(bob.requests_of("MESSAGE")) + len(mobile.requests_of("MESSAGE")) == 1
    assert kept_keys(house) == []


def test_a_phone_that_is_busy_is_asked_again() -> None:
    house = unregistered()
    alice, bob = away(house)
    bob.register()
    answer_with(bob, 486)
    assert text(alice, "bob").status == 202
    house.run(limits.RETRY_FIRST_S / 2)
    assert len(bob.requests_of("MESSAGE")) == 1
    house.run(limits.RETRY_FIRST_S)
    assert len(bob.requests_of("MESSAGE")) == 2
    before = len(bob.requests_of("MESSAGE"))
    for _ in range(10):
        bob.register()  # a renewal is no news of a phone that has said no
        house.run(5)
    assert len(bob.requests_of("MESSAGE")) == before
    del bob.on_request  # type: ignore[method-assign]
    house.run(limits.RETRY_FIRST_S * 2 + 5)
    assert kept_keys(house) == []


def test_what_every_phone_refuses_for_good_is_dropped_and_the_next_one_is_tried() -> None:
    house = unregistered()
    alice, bob = away(house)
    text(alice, "bob", b"one")
    text(alice, "bob", b"two")
    refused = bob.on_request

    def on_request(transaction, request, flow, now) -> None:  # type: ignore[no-untyped-def]
        if request.body == b"one":
            bob.requests.append(request)
            transaction.respond(make_response(request, 415), now)
        else:
            refused(transaction, request, flow, now)

    bob.on_request = on_request  # type: ignore[method-assign]
    bob.register()
    house.run(5)
    assert bodies(bob) == [b"one", b"two"]
    assert kept_keys(house) == []
    assert dict(house.exchange.messaging.waiting.ended) == {"refused": 1, "delivered": 1}


def test_its_time_runs_out() -> None:
    house = unregistered()
    alice, bob = away(house)
    text(alice, "bob", b"soon stale", [*PLAIN, ("expires", "100")])
    text(alice, "bob", b"lasting")
    house.run(100 + limits.EXPIRY_SWEEP_S)
    assert len(kept_keys(house)) == 1
    bob.register()
    house.run(5)
    assert bodies(bob) == [b"lasting"]
    assert house.exchange.messaging.waiting.ended["expired"] == 1


def test_it_survives_a_restart() -> None:
    house = unregistered()
    alice, bob = away(house)
    for body in (b"one", b"two"):
        text(alice, "bob", body)
    text(alice, "bob", b"stale", [*PLAIN, ("expires", "5")])
    house.run(10)
    house.journal.state["m/bob/broken"] = b"\xc1"
    again = unregistered(link=house.link, state=house.journal.state)
    again.run(5)
    assert len(kept_keys(again)) == 2
    bob.house = again
    bob.register()
    again.run(5)
    assert bodies(bob) == [b"one", b"two"]
    assert kept_keys(again) == []


def test_a_line_that_was_registered_at_the_restart_is_served_soon() -> None:
    house = unregistered()
    alice, bob = away(house)
    bob.register()
    answer_with(bob, 0)
    text(alice, "bob", b"one")
    house.run(6)
    del bob.on_request  # type: ignore[method-assign]
    again = unregistered(link=house.link, state=house.journal.state)
    bob.requests.clear()
    again.run(5)
    assert bodies(bob) == [b"one"]
    assert kept_keys(again) == []


def test_a_line_that_is_removed_leaves_nothing() -> None:
    house = unregistered()
    alice, _ = away(house)
    text(alice, "bob")
    house.exchange.apply_changes([LineRemoved("bob")], house.clock.now)
    assert kept_keys(house) == []
    assert house.exchange.messaging.waiting.count == 0


def test_one_sender_does_not_fill_anothers_place() -> None:
    house = unregistered(
        lines=[make_line("alice"), make_line("bob"), make_line("dave"), make_line("carol", account_id=2)]
    )
    alice, _ = away(house)
    dave = house.phone("dave", "192.0.2.30")
    for _ in range(limits.KEPT_PER_SENDER_MAX):
        assert text(alice, "bob").status == 202
        house.run(1)
    refused = text(alice, "bob")
    assert (refused.status, refused.headers.get("retry-after")) == (480, "600")
    assert text(dave, "bob").status == 202


def test_a_line_has_so_much_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT_PER_LINE_MAX", 2)
    house = unregistered()
    alice, _ = away(house)
    assert [text(alice, "bob").status for _ in range(3)] == [202, 202, 480]
    assert text(alice, "carol").status == 202
    monkeypatch.setattr(limits, "KEPT_MAX", 3)
    assert text(alice, "carol").status == 480


def test_no_promise_that_the_journal_does_not_back() -> None:
    house = unregistered()
    house.journal.durable = "never"
    alice, bob = away(house)
    text(alice, "bob", b"one")
    assert alice.statuses[-1] == 407
    house.run(limits.DURABLE_S + 1)
    assert alice.statuses[-1] == 500
    assert house.exchange.messaging.waiting.count == 0 and kept_keys(house) == []
    assert text(alice, "bob", b"two").status == 480  # by now it is known
    house.journal.durable = "at once"
    house.journal.is_failed = False
    assert text(alice, "bob", b"three").status == 202
    bob.register()
    house.run(5)
    assert bodies(bob) == [b"three"]


def test_what_is_kept_can_be_read_back() -> None:
    kept = Text("1", "bob", "alice", "<sip:a@b>", "<sip:c@d>", "", "x", 69, 1, 2, [("a", "b")], [], b"\xff\0")
    assert decode_text(encode_text(kept)) == kept
    assert kept.key == "m/bob/1"
    assert decode_text(b"nonsense") is None


def kept_in_this_order(link: Link, sent: dict[str, bytes]) -> list[bytes]:
    """What the switch answered 202, as these answers left it; those that were lost, too. `sent` has Call-IDs."""
    kept: dict[str, bytes] = {}
    for datagram in link.sent:
        if datagram.start_line.startswith("SIP/2.0 202 "):
            [call_id] = re.findall(rb"(?im)^(?:call-id|i): *(\S+)\r$", datagram.data)
            kept.setdefault(call_id.decode(), sent[call_id.decode()])
    return list(kept.values())


@settings(max_examples=40, deadline=None)
@example(seed=521, steps=["text"] * 4)  # the second arrives behind the third
@given(
    seed=st.integers(0, 2**32),
    steps=st.lists(
        st.sampled_from(["text", "register", "leave", "wait", "restart"]), min_size=4, max_size=14
    ),
)
def test_over_a_bad_link_each_accepted_message_arrives_once_and_in_order(seed: int, steps: list[str]) -> None:
    """What was answered 202 or 200 arrives; nothing arrives twice; what was kept keeps its order."""
    clock = HandClock()
    link = Link(clock, seed=seed, loss=0.1, duplication=0.1, reorder=0.1)
    house = unregistered(link=link)
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    sent: dict[str, bytes] = {}
    for number, step in enumerate(steps):
        if step == "text":
            body = f"message {number}".encode()
            headers = alice._headers("MESSAGE", f"<sip:bob@{DOMAIN}>")
            sent[headers.get("call-id") or ""] = body
            headers.add("content-type", "text/plain")
            request = Request("MESSAGE", f"sip:bob@{DOMAIN}", headers, body)
            alice.stack.send_request(request, alice.flow, alice, clock.now)
            house.run(2)
        elif step == "register":
            bob.register()
        elif step == "leave":
            bob.register(0)
        elif step == "restart":
            house.run(40)  # what is on its way has an end by then: a crash may well deliver such a one twice
            queue = house.exchange.messaging.waiting.queues.get("bob")
            if queue is None or not queue.on_their_way:
                house = unregistered(link=link, state=house.journal.state, seed=seed % 1000 + number)
                alice.house = bob.house = house
        else:
            house.run(5)
    for _ in range(6):
        bob.register()
        house.run(300)
    taken = sum(status in (200, 202) for status in alice.statuses)
    assert len(bodies(bob)) == len(set(bodies(bob))), "twice"
    assert len(bodies(bob)) >= taken
    if not any(step in steps for step in ("register", "leave")):
        # One whose every copy was lost for seconds comes to the switch, and is kept, behind those sent after it.
        kept = kept_in_this_order(link, sent)
        assert [body for body in bodies(bob) if body in kept] == kept, "out of order"
    assert house.exchange.messaging.waiting.count == 0
    assert kept_keys(house) == []
    house.assert_clean()
