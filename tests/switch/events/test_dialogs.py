"""Busy lamps: what a watcher of a line sees of its calls (RFC 4235), and that it is always what the calls say."""

from collections import Counter
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from switch.calls.leg import LegState
from switch.calls.line_calls import ENDED_KEPT_S, LineCalls
from switch.events.dialogs import DIALOGS_MAX
from tests.switch.events.dialog_info import DialogInfo, SeenDialog, read_dialog_info
from tests.switch.events.watcher import Watch, pidf, publish
from tests.switch.house import (
    DOMAIN,
    House,
    Phone,
    make_account,
    make_conf,
    make_line,
    make_trunk,
)

NUMBERS = {"+441632960001": "alice", "+441632960002": "bob", "+441632960003": "carol"}
RPID = "{urn:ietf:params:xml:ns:pidf:rpid}"


def firm(**settings: object) -> House:
    """alice, bob and carol of one account, mallory of another, and a carrier."""
    lines = settings.pop("lines", None) or [make_line(user) for user in ("alice", "bob", "carol")]
    return House(
        lines=[*lines, make_line("mallory", account_id=2)],
        accounts=[make_account(1), make_account(2)],
        numbers=NUMBERS,
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")]),
        **settings,
    )


def phones(house: House, *users: str) -> list[Phone]:
    found = [house.phone(user, f"192.0.2.{place}") for place, user in enumerate(users, start=10)]
    for phone in found:
        phone.register()
    return found


def seen(watch: Watch) -> DialogInfo:
    """The last document."""
    return read_dialog_info(watch.bodies()[-1])


def only_dialog(watch: Watch) -> SeenDialog:
    [dialog] = seen(watch).dialogs.values()
    return dialog


def states(watch: Watch) -> list[list[str]]:
    """The states in each document so far."""
    return [[d.state for d in read_dialog_info(body).dialogs.values()] for body in watch.bodies()]


def test_the_lamp_follows_an_incoming_call() -> None:
    house = firm()
    alice, bob, carol = phones(house, "alice", "bob", "carol")
    bob.answer_after_s = 3
    watch = Watch(carol, "bob", "dialog")
    assert watch.status == 200
    assert watch.notifies()[0].headers.get("content-type") == "application/dialog-info+xml"
    assert (seen(watch).version, seen(watch).entity, seen(watch).dialogs) == (0, f"sip:bob@{DOMAIN}", {})
    alice.invite("01632960002")
    house.run(2)
    ringing = only_dialog(watch)
    assert (ringing.state, ringing.direction) == ("early", "recipient")
    assert ringing.remote == f"sip:+441632960001@{DOMAIN}"
    house.run(3)
    assert only_dialog(watch).state == "confirmed"
    alice.hang_up()
    house.run(2)
    assert only_dialog(watch).state == "terminated"
    versions = [read_dialog_info(body).version for body in watch.bodies()]
    assert versions == list(range(len(versions)))
    told = len(versions)
    house.run(ENDED_KEPT_S + 60)
    assert len(watch.bodies()) == told, "nothing is said twice"
    house.assert_clean()


def test_the_lamp_follows_an_outgoing_call() -> None:
    house = firm()
    alice, bob = phones(house, "alice", "bob")
    carrier = house.phone("carrier", "192.0.2.50")
    carrier.ring_status = 0
    carrier.answer_after_s = 4
    watch = Watch(bob, "01632960001", "dialog")
    alice.invite("02079460123")
    house.run(2)
    dialog = only_dialog(watch)
    assert (dialog.state, dialog.direction, dialog.remote) == (
        "trying",
        "initiator",
        f"sip:+442079460123@{DOMAIN}",
    )
    house.run(4)
    assert only_dialog(watch).state == "confirmed"
    carrier.hang_up()
    house.run(2)
    assert only_dialog(watch).state == "terminated"


def test_a_line_watches_itself() -> None:
    house = firm()
    alice, _ = phones(house, "alice", "bob")
    watch = Watch(alice, "alice", "dialog")
    alice.invite("bob")
    house.run(2)
    assert seen(watch).live == [("confirmed", "initiator")]


def test_a_ringing_call_can_be_picked_up_with_what_the_document_says() -> None:
    """RFC 3891: call-id;to-tag=remote-tag;from-tag=local-tag name the dialog as the exchange has it."""
    house = firm()
    alice, bob, carol = phones(house, "alice", "bob", "carol")
    bob.answer_after_s = 5
    watch = Watch(carol, "bob", "dialog")
    alice.invite("bob")
    house.run(2)
    dialog = only_dialog(watch)
    invite = bob.requests_of("INVITE")[0]
    assert dialog.call_id == invite.call_id
    assert dialog.remote_tag == invite.from_tag
    assert dialog.local_tag == bob._ringing[0].user_data
    leg = house.exchange.board.legs[dialog.call_id, dialog.remote_tag]
    assert leg.line_user == "bob"
    house.run(5)
    confirmed = only_dialog(watch)
    assert (confirmed.call_id, confirmed.local_tag, confirmed.remote_tag) == ("", "", "")


@pytest.mark.parametrize("target", ["alice", "nobody", "01632960001"])
def test_a_stranger_watches_nobody(target: str) -> None:
    house = firm()
    mallory = house.phone("mallory", "192.0.2.66")
    watch = Watch(mallory, target, "dialog")
    assert watch.status == 403
    assert not house.exchange.board.line_calls.watched


@pytest.mark.parametrize(("changes", "fields"), [({"withholds_cli": True}, []), ({}, [("privacy", "id")])])
def test_a_withheld_number_is_withheld_from_watchers(
    changes: dict[str, object], fields: list[tuple[str, str]]
) -> None:
    house = firm(lines=[make_line("alice", **changes), make_line("bob"), make_line("carol")])
    alice, bob, carol = phones(house, "alice", "bob", "carol")
    bob.answer_after_s = 5
    watch = Watch(carol, "bob", "dialog")
    alice.invite("bob", extra=fields)
    house.run(2)
    assert only_dialog(watch).remote == "sip:anonymous@anonymous.invalid"
    assert not any(b"alice" in body or b"960001" in body for body in watch.bodies())


def test_whom_an_emergency_call_reaches_is_nobodys_business() -> None:
    house = firm()
    alice, bob = phones(house, "alice", "bob")
    house.phone("carrier", "192.0.2.50")
    watch = Watch(bob, "alice", "dialog")
    alice.invite("999")
    house.run(2)
    dialog = only_dialog(watch)
    assert (dialog.state, dialog.remote) == ("confirmed", "")
    assert b"999" not in watch.bodies()[-1].split(b"entity=")[1]


def test_a_display_name_is_no_xml() -> None:
    house = firm()
    alice, bob, carol = phones(house, "alice", "bob", "carol")
    bob.answer_after_s = 5
    watch = Watch(carol, "bob", "dialog")
    alice.invite("bob", from_=f'"</dialog> & \\"co\\"" <sip:alice@{DOMAIN}>')
    house.run(2)
    assert only_dialog(watch).display == '</dialog> & "co"'


def test_a_call_that_is_refused_at_once_lights_nothing() -> None:
    house = firm()
    alice, bob = phones(house, "alice", "bob")
    watch = Watch(bob, "alice", "dialog")
    alice.invite("1")
    house.run(3)
    assert states(watch) == [[]]


def test_a_call_given_up_puts_the_lamp_out() -> None:
    house = firm()
    alice, bob, carol = phones(house, "alice", "bob", "carol")
    bob.answer_after_s = None
    watch = Watch(carol, "bob", "dialog")
    alice.invite("bob")
    house.run(2)
    alice.stack.cancel(alice.invites[-1], house.clock.now)
    house.run(3)
    assert states(watch)[-1] == ["terminated"]
    assert seen(watch).live == []


def test_a_queue_of_callers_is_cut_and_those_that_ring_come_first() -> None:
    house = firm(lines=[make_line("alice"), make_line("bob", calls_max=50), make_line("carol")])
    alice, bob, carol = phones(house, "alice", "bob", "carol")
    carrier = house.phone("carrier", "192.0.2.50")
    watch = Watch(carol, "bob", "dialog")
    for _ in range(DIALOGS_MAX):
        carrier.invite("+441632960002")
    house.run(2)
    bob.answer_after_s = None
    alice.invite("bob")
    house.run(2)
    dialogs = list(seen(watch).dialogs.values())
    assert len(dialogs) == DIALOGS_MAX
    assert dialogs[0].state == "early"
    assert {dialog.state for dialog in dialogs[1:]} == {"confirmed"}


def test_changes_are_told_once_a_second_at_most() -> None:
    house = firm()
    alice, bob, carol = phones(house, "alice", "bob", "carol")
    bob.answer_after_s = 0.1
    watch = Watch(carol, "bob", "dialog")
    before = len(watch.bodies())
    for _ in range(5):
        alice.invite("bob")
        house.run(0.4)
        alice.hang_up()
        house.run(0.1)
    house.run(2)
    assert len(watch.bodies()) - before <= 5
    assert seen(watch).live == []


def test_nobody_watches_and_nothing_is_kept() -> None:
    house = firm()
    alice, bob = phones(house, "alice", "bob")
    watch = Watch(bob, "alice", "dialog")
    watch.renew(0)
    assert not house.exchange.board.line_calls.watched
    alice.invite("bob")
    house.run(2)
    assert len(house.exchange.board.line_calls) == 2
    alice.hang_up()
    house.run(1)
    line_calls = house.exchange.board.line_calls
    assert len(line_calls) == 0
    assert not line_calls._ended and not line_calls._left and not line_calls._due


def test_a_lamp_that_missed_a_word_is_right_a_second_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document is made from the legs that live, whatever was said of them before."""
    house = firm()
    alice, _, carol = phones(house, "alice", "bob", "carol")
    watch = Watch(carol, "bob", "dialog")
    alice.invite("bob")
    house.run(2)
    monkeypatch.setattr(LineCalls, "changed", lambda self, leg, now: None)
    alice.hang_up()
    house.run(4)
    assert seen(watch).live == []


def test_lamps_are_right_after_a_restart() -> None:
    house = firm()
    alice, _, carol = phones(house, "alice", "bob", "carol")
    watch = Watch(carol, "bob", "dialog")
    alice.invite("bob")
    house.run(2)
    assert seen(watch).live == [("confirmed", "recipient")]
    old = seen(watch).version
    again = firm(link=house.link, state=house.journal.state)
    again.run(3)
    document = seen(watch)
    assert document.live == []
    assert document.version > old
    assert again.exchange.board.line_calls.watched == {"bob": 1}


def activities(watch: Watch) -> list[str]:
    root = ElementTree.fromstring(watch.bodies()[-1])
    return [element.tag for element in root.iter() if element.tag == f"{RPID}on-the-phone"]


def test_presence_says_on_the_phone_where_nobody_publishes() -> None:
    house = firm()
    alice, bob, carol = phones(house, "alice", "bob", "carol")
    watch = Watch(carol, "bob", "presence")
    assert activities(watch) == []
    alice.invite("bob")
    house.run(7)
    assert activities(watch) == [f"{RPID}on-the-phone"]
    assert b"<basic>open</basic>" in watch.bodies()[-1]
    alice.hang_up()
    house.run(7)
    assert activities(watch) == []
    published = pidf("lunch")
    publish(bob, published)
    alice.invite("bob")
    house.run(7)
    assert watch.bodies()[-1] == published


# What is really so: told from the calls, not from the table that lamps are made of.


def calls_of(house: House, user: str) -> list[tuple[str, str]]:
    found = []
    for leg in house.exchange.board.legs.values():
        call = leg.call
        own = call.caller.line.user if leg.index == 0 and hasattr(call.caller, "line") else ""
        target = getattr(leg, "target", None)
        line = getattr(target, "line", None)
        own = own or (line.user if leg.index and line is not None else "")
        if (
            own != user
            or leg.state in (LegState.ENDING, LegState.GONE)
            or getattr(leg, "is_cancelled", False)
        ):
            continue
        state = "confirmed" if leg.is_up else "early" if leg.ringing_at is not None else "trying"
        found.append((state, "recipient" if leg.index else "initiator"))
    return sorted(found)


STEP = st.one_of(
    st.tuples(
        st.just("call"),
        st.sampled_from(["alice", "bob", "carol"]),
        st.sampled_from(["alice", "bob", "carol", "02079460123", "999", "1"]),
    ),
    st.tuples(
        st.just("answering"),
        st.sampled_from(["alice", "bob", "carol", "carrier"]),
        st.sampled_from([(200, 0.3), (200, 1.8), (486, 0.3), (480, 1.8), None]),
    ),
    st.tuples(st.just("hang up"), st.sampled_from(["alice", "bob", "carol", "carrier"]), st.just("")),
    st.tuples(st.just("give up"), st.sampled_from(["alice", "bob", "carol"]), st.just("")),
)


@settings(max_examples=40, deadline=None)
@example(steps=[("call", "alice", "alice")] * 5, waits=[1.0] * 12)  # ten dialogs, of which a document has eight
@given(
    steps=st.lists(STEP, min_size=1, max_size=12), waits=st.lists(st.floats(0.1, 3), min_size=12, max_size=12)
)
def test_the_lamp_always_shows_what_the_calls_say(
    steps: list[tuple[str, str, object]], waits: list[float]
) -> None:
    house = firm()
    by_name = dict(zip(["alice", "bob", "carol"], phones(house, "alice", "bob", "carol"), strict=True))
    by_name["carrier"] = house.phone("carrier", "192.0.2.50")
    watches = {user: Watch(by_name["carol"], user, "dialog") for user in ("alice", "bob", "carol")}
    for (what, name, argument), wait in zip(steps, waits, strict=False):
        phone = by_name[name]
        if what == "call":
            phone.invite(str(argument))
        elif what == "answering":
            phone.answer, phone.answer_after_s = argument or (200, None)  # type: ignore[misc]
        elif what == "hang up" and phone.dialogs:
            phone.hang_up()
        elif what == "give up" and phone.invites:
            phone.stack.cancel(phone.invites[-1], house.clock.now)
        house.run(wait)
        _wait_until_still(house)
        for user, watch in watches.items():
            live, told = calls_of(house, user), seen(watch).live
            assert told == live or (len(told) == DIALOGS_MAX < len(live) and not Counter(told) - Counter(live)), user
    for call in list(house.exchange.board.calls.values()):
        call.hang_up(house.clock.now, words="over", ended_by="test")
    house.run(3)
    for user, watch in watches.items():
        assert seen(watch).live == [], user


def _wait_until_still(house: House) -> None:
    """Until nothing has changed for longer than documents wait for each other."""
    before: object = None
    while (after := [calls_of(house, user) for user in ("alice", "bob", "carol")]) != before:
        before = after
        house.run(1.2)
