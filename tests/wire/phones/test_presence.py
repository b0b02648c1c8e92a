"""pjsua2 watches colleagues and its mailbox, publishes itself, and writes to others; a crash darkens no lamp."""

from collections.abc import Callable

import pytest

from demo.phone import Phone
from demo.phone_messages import (
    BeThere,
    MailboxChanged,
    PresenceChanged,
    SendText,
    TextArrived,
    TextSent,
    Transport,
    Unwatch,
    Watch,
)
from tests.wire.phones.calling import connect, hang_up, header, received, sent, wait_until_heard
from tests.wire.phones.conftest import PhoneStarter
from tests.wire.phones.town import LINES, Town, kill_part, town_of_its_own

Registered = Callable[..., Phone]
# A change is told at most every 5 s (RFC 3856 6.10).
CHANGE_TIMEOUT_S = 15.0


def shown(phone: Phone, uri: str, *, is_online: bool, note: str = "", after: int = 0) -> PresenceChanged:
    """Until the phone shows somebody so."""
    return phone.wait_for(
        PresenceChanged,
        f"to show {uri} {'online' if is_online else 'offline'} {note}".rstrip(),
        lambda change: (
            (change.uri, change.is_online, change.subscription) == (uri, is_online, "ACTIVE")
            and change.note == (note or change.note)
        ),
        after=after,
        timeout_s=CHANGE_TIMEOUT_S,
    )


def stop_watching(town: Town, phone: Phone, uri: str) -> None:
    phone.tell(Unwatch(uri))
    town.wait_until("end of the subscription", lambda: not town.subscriptions(phone.name))


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_a_colleague_is_shown_as_published(town: Town, registered: Registered, transport: Transport) -> None:
    alice = registered("alice", transport=transport)
    bob = town.uri("bob")
    alice.tell(Watch(bob))
    shown(alice, bob, is_online=False)
    phone = registered("bob", transport=transport, publishes=True)
    phone.tell(BeThere(True, "at the desk"))
    shown(alice, bob, is_online=True, note="at the desk")
    phone.tell(BeThere(False, "gone home"))
    shown(alice, bob, is_online=False, note="gone home")
    [row] = town.subscriptions("alice")
    assert (row["package"], row["resource"], row["is_waiting"]) == ("presence", "bob", False)
    assert all(
        answer.text.startswith("SIP/2.0 200")
        for answer in sent(alice, "SIP/2.0", sip_call_id=_notify_call(alice))
    )
    stop_watching(town, alice, bob)
    final = received(alice, "NOTIFY")[-1]
    assert (header(final, "Subscription-State") or "").startswith("terminated")


def _notify_call(phone: Phone) -> str:
    return header(received(phone, "NOTIFY")[0], "Call-ID") or ""


def test_a_phone_that_does_not_publish_is_online_while_registered(town: Town, registered: Registered) -> None:
    alice = registered("alice")
    carol = town.uri(LINES["carol"])
    alice.tell(Watch(carol))
    shown(alice, carol, is_online=False)
    phone = registered("carol")
    shown(alice, carol, is_online=True)
    mark = alice.mark()
    phone.unregister()
    shown(alice, carol, is_online=False, after=mark)
    stop_watching(town, alice, carol)


def test_a_stranger_is_told_nothing(town: Town, phone: PhoneStarter, registered: Registered) -> None:
    town.add_subscriber("mallory", account="other", credit="1.00")
    mallory = phone(town.settings("mallory"))
    mallory.register()
    for uri in (town.uri("alice"), town.uri("nobody")):
        mallory.tell(Watch(uri))
        mallory.wait_for_message("SIP/2.0 403")
    assert received(mallory, "NOTIFY") == []
    assert town.subscriptions("mallory") == []


def test_the_mailbox_has_no_message(town: Town, registered: Registered) -> None:
    dave = registered("dave", watches_mailbox=True)
    told = dave.wait_for(MailboxChanged, "word of its mailbox")
    assert told.text.strip().lower() == "messages-waiting: no"
    [row] = town.subscriptions("dave")
    assert row["package"] == "message-summary"


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_a_text_reaches_the_other_phone(town: Town, registered: Registered, transport: Transport) -> None:
    alice, bob = registered("alice", transport=transport), registered("bob", transport=transport)
    alice.tell(SendText(town.uri("01632960002"), "Back at 3 - grüße"))
    arrived = bob.wait_for(TextArrived, "a text")
    assert arrived.text == "Back at 3 - grüße"
    assert LINES["alice"] in arrived.sender
    assert alice.wait_for(TextSent, "the answer to its text").status == 200
    [message] = received(bob, "MESSAGE")
    assert header(message, "Contact") is None


@pytest.mark.parametrize(
    ("dialled", "status"), [("02079460123", 403), ("999", 403), ("nobody", 404)]
)
def test_where_texts_do_not_go(town: Town, registered: Registered, dialled: str, status: int) -> None:
    alice = registered("alice")
    alice.tell(SendText(town.uri(dialled), "hello"))
    assert alice.wait_for(TextSent, "the answer to its text").status == status


def test_a_transfer_to_nobody_is_told_so_and_the_call_goes_on(town: Town, registered: Registered) -> None:
    alice, bob = registered("alice"), registered("bob")
    call, theirs = connect(town, alice, "01632960002", bob)
    theirs.transfer(town.uri("carol"))
    assert theirs.wait_transferred().status == 480
    heard = call.count_audio().received
    wait_until_heard(call, more_than=heard)
    hang_up(call, theirs)


def test_lamps_go_on_after_the_switch_was_killed(
    started: list[Phone], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with town_of_its_own(tmp_path_factory.mktemp("dark")) as town:
        alice, bob = (
            Phone.start(town.settings("alice", transport=Transport.TCP)),
            Phone.start(town.settings("bob", publishes=True)),
        )
        started += [alice, bob]
        alice.register()
        bob.register()
        uri = town.uri("bob")
        bob.tell(BeThere(True, "before"))
        alice.tell(Watch(uri))
        shown(alice, uri, is_online=True, note="before")
        mark = alice.mark()
        kill_part(town, "switch", town.is_serving_without)
        [row] = town.subscriptions("alice")
        assert row["resource"] == "bob"
        alice.wait_for_message("NOTIFY", containing="before", after=mark)
        subscribed = len(sent(alice, "SUBSCRIBE"))
        bob.tell(BeThere(True, "after"))
        shown(alice, uri, is_online=True, note="after", after=mark)
        assert len(sent(alice, "SUBSCRIBE")) == subscribed
        for phone in (alice, bob):
            phone.stop()
