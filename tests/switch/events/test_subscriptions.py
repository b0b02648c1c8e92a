"""The life of a subscription (RFC 6665 4.2): begun, renewed, ended, lost; and what is refused."""

import pytest

from provisioning.model import LineChanged, LineRemoved
from switch.events import limits
from switch.events.stored import SUBSCRIPTION_KEY
from switch.sip.flow import Flow
from switch.sip.message import Request, make_response
from tests.switch.events.watcher import Watch, pidf, publish, send, town
from tests.switch.house import DOMAIN, EXCHANGE, House, Phone, make_line


@pytest.fixture
def house() -> House:
    return town()


@pytest.fixture
def alice(house: House) -> Phone:
    phone = house.phone("alice", "192.0.2.10")
    phone.register()
    return phone


@pytest.fixture
def bob(house: House) -> Phone:
    phone = house.phone("bob", "192.0.2.20")
    phone.register()
    return phone


def kept(house: House) -> list[str]:
    return [key for key in house.journal.state if key.startswith(SUBSCRIPTION_KEY)]


def assert_none_left(house: House) -> None:
    notifier = house.exchange.events.notifier
    assert not notifier.subscriptions and not notifier._of_watcher and not notifier._watching
    assert kept(house) == []
    assert house.exchange.counts.bugs == 0


def test_a_subscribe_is_challenged_answered_and_followed_by_a_notify(house: House, alice: Phone) -> None:
    watch = Watch(alice, "bob", expires=600)
    assert alice.statuses[-2:] == [401, 200]
    headers = watch.response.headers
    assert headers.get("expires") == "600"
    assert headers.get("contact") == f"<sip:{EXCHANGE[0]}:{EXCHANGE[1]}>"
    assert headers.get("allow-events") == "presence, message-summary, reg, dialog, as-feature-event"
    (notify,) = watch.notifies()
    (state,) = watch.states()
    assert (state.state, state.expires_s) == ("active", 600)
    assert notify.headers.get("event") == "presence"
    assert notify.headers.get("content-type") == "application/pidf+xml"
    assert notify.contact is not None
    assert (notify.from_tag, notify.to_tag) == (watch.dialog.remote_tag, watch.dialog.local_tag)
    assert notify.uri == alice.contact
    assert len(kept(house)) == 1


def test_without_an_expiry_the_longest_is_granted_and_a_longer_one_is_cut(alice: Phone) -> None:
    assert Watch(alice, "bob", expires=None).response.headers.get("expires") == "3600"
    assert Watch(alice, "bob", expires=2**32).response.headers.get("expires") == "3600"


def test_too_short_an_expiry_is_423_with_the_minimum(house: House, alice: Phone) -> None:
    watch = Watch(alice, "bob", expires=59)
    assert watch.status == 423
    assert watch.response.headers.get("min-expires") == "60"
    assert_none_left(house)
    assert Watch(alice, "bob", expires=60).status == 200


def test_a_poll_is_told_the_state_and_nothing_is_kept(house: House, alice: Phone) -> None:
    watch = Watch(alice, "bob", expires=0)
    assert watch.response.headers.get("expires") == "0"
    (state,) = watch.states()
    assert (state.state, state.reason) == ("terminated", "timeout")
    assert watch.bodies() == [watch.bodies()[0]] and b"<presence" in watch.bodies()[0]
    assert_none_left(house)


def test_the_id_of_an_event_is_repeated_in_each_notify(alice: Phone) -> None:
    watch = Watch(alice, "bob", "presence;id=7")
    assert watch.notifies()[0].headers.get("event") == "presence;id=7"
    assert watch.renew(event="presence").status == 403
    assert watch.renew(event="presence;id=7").status == 200


def test_a_renewal_moves_the_expiry_and_tells_the_state(house: House, alice: Phone) -> None:
    watch = Watch(alice, "bob", expires=100)
    house.run(90)
    response = watch.renew(100)
    assert (response.status, response.headers.get("expires")) == (200, "100")
    house.run(90)
    assert [state.state for state in watch.states()] == ["active", "active"]
    assert [notify.cseq.number for notify in watch.notifies()] == [1, 2]
    house.run(20)
    assert watch.states()[-1].state == "terminated"


def test_a_renewal_that_is_too_short_changes_nothing(house: House, alice: Phone) -> None:
    watch = Watch(alice, "bob", expires=100)
    assert watch.renew(5).status == 423
    house.run(90)
    assert len(house.exchange.events.notifier.subscriptions) == 1


def test_expires_0_ends_it_with_a_last_notify(house: House, alice: Phone) -> None:
    watch = Watch(alice, "bob")
    assert watch.renew(0).headers.get("expires") == "0"
    assert str(watch.states()[-1]) == "terminated;reason=timeout"
    assert_none_left(house)
    assert watch.renew().status == 481


def test_nobody_renews_and_it_ends(house: House, alice: Phone) -> None:
    watch = Watch(alice, "bob", expires=60)
    house.run(59)
    assert len(watch.notifies()) == 1
    house.run(2)
    assert str(watch.states()[-1]) == "terminated;reason=timeout"
    assert b"<presence" in watch.bodies()[-1]
    assert_none_left(house)


def test_a_dialog_is_for_one_subscription(alice: Phone) -> None:
    watch = Watch(alice, "bob")
    assert watch.renew(event="reg").status == 403


def test_requests_in_its_dialog_come_in_order_and_are_subscribes(house: House, alice: Phone) -> None:
    watch = Watch(alice, "bob")
    assert watch.dialog is not None
    for method, status in (("BYE", 481), ("INFO", 481), ("OPTIONS", 200)):
        request = watch.dialog.create_request(method, contact=None)
        alice.stack.send_request(request, alice.flow, alice, house.clock.now)
        house.run(0.3)
        assert alice.statuses[-1] == status
    watch.dialog.local_cseq = 1
    assert watch.renew().status == 500
    watch.dialog.local_cseq = 50
    assert watch.renew(fields=[("require", "eventlist")]).status == 420
    assert watch.renew().status == 200


def test_another_remote_tag_is_another_dialog(alice: Phone) -> None:
    watch = Watch(alice, "bob")
    assert watch.dialog is not None
    watch.dialog.local_tag = "guessed"
    assert watch.renew(0).status == 481


@pytest.mark.parametrize(
    ("target", "fields", "status"),
    [
        ("bob", [("event", "conference")], 489),
        ("bob", [("event", "Presence")], 489),
        ("bob", [], 489),
        ("bob", [("event", "presence;id")], 400),
        ("bob", [("event", "presence"), ("event", "reg")], 400),
        ("bob", [("event", "presence"), ("accept", "application/xpidf+xml")], 406),
        ("bob", [("event", "presence"), ("accept", "text/plain;q=0.1, application/*")], 200),
        ("bob", [("event", "presence"), ("expires", "abc")], 400),
        ("bob", [("event", "presence"), ("require", "eventlist")], 420),
        ("carol", [("event", "presence")], 403),
        ("nobody", [("event", "presence")], 403),
        ("07700900123", [("event", "presence")], 403),
        ("01632960002", [("event", "presence")], 200),
        ("bob", [("event", "message-summary")], 403),
        ("bob", [("event", "reg")], 403),
        ("alice", [("event", "reg")], 200),
    ],
)
def test_who_may_watch_what(alice: Phone, target: str, fields: list[tuple[str, str]], status: int) -> None:
    assert send(alice, "SUBSCRIBE", target, fields).status == status


def test_an_unknown_package_is_489_with_the_known_ones(alice: Phone) -> None:
    response = send(alice, "SUBSCRIBE", "bob", [("event", "conference")])
    assert response.headers.get("allow-events") == "presence, message-summary, reg, dialog, as-feature-event"


def test_a_strangers_line_and_no_line_get_the_same_answer(alice: Phone) -> None:
    answers = [send(alice, "SUBSCRIBE", who, [("event", "presence")]) for who in ("carol", "nobody")]
    shapes = [(answer.status, answer.reason, answer.headers.keys()) for answer in answers]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("contact", ["", "<tel:+441632960001>", f"<sip:alice@192.0.2.10;x={'y' * 2048}>"])
def test_there_must_be_a_way_back(house: House, alice: Phone, contact: str) -> None:
    assert Watch(alice, "bob", contact=contact).status == 400
    assert_none_left(house)


def test_a_subscribe_for_another_domain_is_not_ours(alice: Phone) -> None:
    headers = alice._headers("SUBSCRIBE", "<sip:bob@example.net>")
    headers.add("event", "presence")
    headers.add("contact", f"<{alice.contact}>")
    alice.stack.send_request(Request("SUBSCRIBE", "sip:bob@example.net", headers), alice.flow, alice, 0.0)
    alice.house.run(1)
    assert alice.statuses[-1] == 404


def refuse_notifies(phone: Phone, status: int) -> None:
    """From here on the phone answers each NOTIFY so; 0 leaves it unanswered."""
    answer = phone.on_request

    def on_request(transaction, request, flow, now) -> None:  # type: ignore[no-untyped-def]
        if request.method != "NOTIFY":
            answer(transaction, request, flow, now)
            return
        phone.requests.append(request)
        if status:
            transaction.respond(make_response(request, status), now)

    phone.on_request = on_request  # type: ignore[method-assign]


@pytest.mark.parametrize("status", [481, 404, 489, 405])
def test_a_notify_that_is_refused_for_good_ends_it(house: House, alice: Phone, status: int) -> None:
    refuse_notifies(alice, status)
    watch = Watch(alice, "bob")
    house.run(1)
    assert len(watch.notifies()) == 1
    assert_none_left(house)


@pytest.mark.parametrize("status", [500, 401, 503])
def test_a_notify_that_is_refused_just_now_does_not(house: House, alice: Phone, status: int) -> None:
    refuse_notifies(alice, status)
    Watch(alice, "bob")
    house.run(1)
    assert len(house.exchange.events.notifier.subscriptions) == 1


def test_a_phone_that_does_not_answer_loses_it(house: House, alice: Phone) -> None:
    refuse_notifies(alice, 0)
    Watch(alice, "bob")
    house.run(31)
    assert len(house.exchange.events.notifier.subscriptions) == 1
    house.run(3)
    assert_none_left(house)
    assert house.exchange.events.counts.subscriptions_ended["notify_unanswered"] == 1


def test_changes_are_told_at_most_so_often_and_the_last_one_counts(
    house: House, alice: Phone, bob: Phone
) -> None:
    watch = Watch(alice, "bob")
    tag = ""
    for number in range(20):
        tag = publish(bob, pidf(str(number)), tag=tag).headers.get("sip-etag") or ""
    house.run(30)
    # 20 changes over 6 s: one NOTIFY at the SUBSCRIBE, then one in 5 s.
    assert len(watch.notifies()) == 3
    assert watch.bodies()[-1] == pidf("19")


def test_while_a_notify_is_on_its_way_changes_wait(house: House, alice: Phone, bob: Phone) -> None:
    refuse_notifies(alice, 0)
    watch = Watch(alice, "bob")
    publish(bob, pidf("1"))
    house.run(10)
    publish(bob, pidf("2"))
    house.run(10)
    assert {notify.cseq.number for notify in watch.notifies()} == {1}


def test_a_renewal_waits_for_the_answer_to_the_notify_before(house: House, alice: Phone) -> None:
    """Otherwise two would be under way, and the older one could come last."""
    house.link.is_lost = lambda datagram: datagram.data.startswith(b"NOTIFY")
    watch = Watch(alice, "bob")
    assert watch.renew().status == 200
    assert watch.renew().status == 200
    house.link.is_lost = lambda datagram: False
    house.run(10)
    assert [notify.cseq.number for notify in watch.notifies()] == [1, 2]


def test_a_registration_that_is_renewed_as_it_was_is_no_news(house: House, alice: Phone, bob: Phone) -> None:
    watch = Watch(alice, "bob")
    bob.register()
    house.run(20)
    assert len(watch.notifies()) == 1
    bob.register(expires=0)
    house.run(20)
    assert b"closed" in watch.bodies()[-1]


def test_at_a_lines_limit_the_oldest_makes_room(
    monkeypatch: pytest.MonkeyPatch, house: House, alice: Phone, bob: Phone
) -> None:
    monkeypatch.setattr(limits, "SUBSCRIPTIONS_PER_LINE_MAX", 2)
    first, second = Watch(alice, "bob"), Watch(alice, "bob")
    first.renew()
    others = Watch(bob, "alice")
    third = Watch(alice, "bob")
    assert third.status == 200
    assert str(second.states()[-1]) == "terminated;reason=probation;retry-after=600"
    assert first.states()[-1].state == others.states()[-1].state == "active"


def test_when_the_exchange_is_full_new_ones_are_503_and_old_ones_go_on(
    monkeypatch: pytest.MonkeyPatch, alice: Phone
) -> None:
    monkeypatch.setattr(limits, "SUBSCRIPTIONS_MAX", 1)
    watch = Watch(alice, "bob")
    refused = Watch(alice, "bob")
    assert (refused.status, refused.response.headers.get("retry-after")) == (503, "60")
    assert watch.renew().status == 200
    assert Watch(alice, "bob", expires=0).status == 200


def test_a_removed_line_neither_watches_nor_is_watched(house: House, alice: Phone, bob: Phone) -> None:
    of_bob, by_bob = Watch(alice, "bob"), Watch(bob, "alice")
    house.exchange.apply_changes([LineRemoved("bob")], house.clock.now)
    house.run(1)
    assert str(of_bob.states()[-1]) == "terminated;reason=noresource"
    assert str(by_bob.states()[-1]) == "terminated;reason=rejected"
    assert_none_left(house)


def test_a_line_that_moved_to_another_account_is_told_nothing_more(
    house: House, alice: Phone, bob: Phone
) -> None:
    watch = Watch(alice, "bob")
    house.exchange.apply_changes([LineChanged(make_line("bob", account_id=2))], house.clock.now)
    publish(bob, pidf("private"))
    house.run(10)
    assert str(watch.states()[-1]) == "terminated;reason=rejected"
    assert not any(b"private" in body for body in watch.bodies())
    assert_none_left(house)


def test_from_another_host_a_renewal_has_to_log_in(house: House, alice: Phone) -> None:
    """Whoever has seen the tags on the wire cannot end it."""
    watch = Watch(alice, "bob")
    thief = house.phone("alice", "192.0.2.66", password="wrong")
    moved = house.phone("alice", "192.0.2.11")
    dialog = watch.dialog
    assert dialog is not None
    for phone, status in ((thief, 401), (moved, 200)):
        request = dialog.create_request("SUBSCRIBE", contact=f"<{phone.contact}>")
        request.headers.add("event", "presence")
        phone.stack.send_request(request, phone.flow, phone, house.clock.now)
        house.run(1)
        dialog.local_cseq += 1
        assert phone.statuses[-1] == status
    assert len(moved.requests_of("NOTIFY")) == 1
    other = house.phone("carol", "192.0.2.12")
    request = dialog.create_request("SUBSCRIBE", contact=f"<{other.contact}>")
    request.headers.add("event", "presence")
    other.stack.send_request(request, other.flow, other, house.clock.now)
    house.run(1)
    assert other.statuses == [401, 481]


def over_tcp(house: House, user: str, host: str, connection: str) -> Phone:
    """A phone on a connection of its own."""
    phone = house.phone(user, host, seed=connection)
    phone.flow = Flow("TCP", *EXCHANGE, *phone.address, connection)
    return phone


def test_when_a_connection_breaks_the_lamps_wait_for_the_phone_and_follow_it(
    house: House, bob: Phone
) -> None:
    alice = over_tcp(house, "alice", "192.0.2.10", "1")
    alice.register()
    watch = Watch(alice, "bob")
    assert len(watch.notifies()) == 1
    flow = next(binding.flow for binding in house.exchange.bindings if binding.user == "alice")
    house.exchange.on_flow_lost(flow, house.clock.now)
    publish(bob, pidf("lunch"))
    house.run(60)
    assert len(watch.notifies()) == 1
    assert len(house.exchange.events.notifier.subscriptions) == 1
    again = over_tcp(house, "alice", "192.0.2.11", "2")
    again.register()
    house.run(10)
    assert [notify.body for notify in again.requests_of("NOTIFY")] == [pidf("lunch")]


def test_a_notify_that_meets_a_broken_connection_is_sent_again_after_the_next_registration(
    house: House, bob: Phone
) -> None:
    alice = over_tcp(house, "alice", "192.0.2.10", "1")
    alice.register()
    refuse_notifies(alice, 0)
    Watch(alice, "bob")
    flow = next(binding.flow for binding in house.exchange.bindings if binding.user == "alice")
    house.exchange.on_flow_lost(flow, house.clock.now)
    house.run(40)
    assert len(house.exchange.events.notifier.subscriptions) == 1
    alice.flow = Flow("TCP", *EXCHANGE, *alice.address, "2")
    alice.register()
    house.run(1)
    assert len(alice.requests_of("NOTIFY")) == 2


def test_a_watcher_that_is_not_registered_is_answered_where_it_is(house: House) -> None:
    alice = house.phone("alice", "192.0.2.10")
    desk = house.phone("alice", "192.0.2.13")
    desk.register()
    watch = Watch(alice, "bob")
    assert len(watch.notifies()) == 1
    assert desk.requests_of("NOTIFY") == []


# After a restart


def restarted(house: House, seed: int = 2) -> House:
    """A new process with the old one's journal, on the same link."""
    house.link.detach(EXCHANGE)
    return town(state=house.journal.state, seed=seed, link=house.link)


def test_after_a_restart_lamps_go_on_without_a_new_subscribe(house: House, alice: Phone, bob: Phone) -> None:
    watch = Watch(alice, "bob", "presence;id=4", expires=600)
    publish(bob, pidf("here"))
    house.run(10)
    assert watch.bodies()[-1] == pidf("here")
    last_cseq = watch.notifies()[-1].cseq.number
    again = restarted(house)
    again.run(1)
    notify = watch.notifies()[-1]
    assert notify.cseq.number > last_cseq
    assert notify.body == pidf("here")
    assert notify.headers.get("event") == "presence;id=4"
    assert 580 < (watch.states()[-1].expires_s or 0) < 600
    alice.house = bob.house = again
    publish(bob, pidf("gone"))
    again.run(10)
    assert watch.bodies()[-1] == pidf("gone")
    assert watch.renew(600).status == 200
    assert watch.renew(0).status == 200
    assert_none_left(again)


def test_restarts_in_a_row_go_on_counting(house: House, alice: Phone) -> None:
    watch = Watch(alice, "bob")
    for seed in (2, 3, 4):
        house = restarted(house, seed)
        house.run(1)
    numbers = [notify.cseq.number for notify in watch.notifies()]
    assert len(numbers) == 4
    assert numbers == sorted(set(numbers))


def test_what_ran_out_meanwhile_or_cannot_be_read_is_dropped(house: House, alice: Phone) -> None:
    Watch(alice, "bob", expires=60)
    state = dict(house.journal.state)
    state[SUBSCRIPTION_KEY + "x"] = b"\xff"
    assert len(town(state=state).exchange.events.notifier.subscriptions) == 1
    house.link.detach(EXCHANGE)
    house.run(70)
    assert_none_left(town(state=state, link=house.link))


def test_after_a_restart_everybody_is_told_in_turn(
    monkeypatch: pytest.MonkeyPatch, house: House, alice: Phone
) -> None:
    monkeypatch.setattr(limits, "NOTIFY_RATE_MAX", 2)
    watches = [Watch(alice, "bob") for _ in range(6)]
    again = restarted(house)
    again.run(1)
    assert 2 <= sum(len(watch.notifies()) == 2 for watch in watches) <= 3
    again.run(3)
    assert all(len(watch.notifies()) == 2 for watch in watches)


def test_octets_that_are_no_text_do_not_stop_the_journal(house: House, alice: Phone) -> None:
    watch = Watch(alice, "bob", contact='"\udcff" <sip:alice@192.0.2.10:5060>')
    assert watch.status == 200
    headers = alice._headers("SUBSCRIBE", f"<sip:bob@{DOMAIN}>", from_=f'"\udcff" <sip:alice@{DOMAIN}>')
    headers.add("event", "presence")
    headers.add("contact", f"<{alice.contact}>")
    alice.stack.send_request(
        Request("SUBSCRIBE", f"sip:bob@{DOMAIN}", headers), alice.flow, alice, house.clock.now
    )
    house.run(1)
    assert alice.statuses[-1] == 200
    assert house.exchange.counts.bugs == 0
    assert len(kept(house)) == 2
