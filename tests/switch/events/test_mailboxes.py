"""How many messages wait: told by voicemail alone, and to every phone in the way that it understands."""

import pytest

from provisioning.model import Divert, DivertCondition, DivertKind, LineChanged, LineRemoved
from provisioning.settings import LineSettings
from switch.events.lamps import SETTLE_S
from switch.events.mailboxes import SUMMARY_BYTES_MAX, read_summary
from switch.events.message_summary import MessageCount
from switch.sip.message import Request, Response, make_response
from tests.switch.events.watcher import Watch
from tests.switch.house import EXCHANGE, House, Phone, make_line
from tests.switch.voicemail_stand_in import StandIn, voicemail_conf

SUMMARY = "application/simple-message-summary"


def body(new: int, old: int = 0) -> bytes:
    return f"Messages-Waiting: {'yes' if new else 'no'}\r\nVoice-Message: {new}/{old} (0/0)\r\n".encode()


class Post:
    """An exchange with alice and bob, and voicemail beside it."""

    def __init__(self) -> None:
        self.house = House(conf=voicemail_conf(), lines=[make_line("alice"), make_line("bob")])
        self.voicemail = StandIn(self.house)
        self.mailboxes = self.house.exchange.events.mailboxes
        self.counts = self.house.exchange.events.counts

    def publish(
        self,
        user: str,
        content: bytes,
        *,
        sender: Phone | None = None,
        event: str = "message-summary",
        content_type: str = SUMMARY,
        expires: str = "3600",
    ) -> Response:
        phone = sender or self.voicemail
        uri = f"sip:{user}@{EXCHANGE[0]}:{EXCHANGE[1]}"
        headers = phone._headers("PUBLISH", f"<{uri}>")
        for name, value in (("event", event), ("expires", expires), ("content-type", content_type)):
            headers.add(name, value)
        phone.stack.send_request(
            Request("PUBLISH", uri, headers, content), phone.flow, phone, self.house.clock.now
        )
        self.house.run(0.2)
        return phone.responses[-1]

    def phone(self, user: str = "alice", host: str = "192.0.2.10") -> Phone:
        phone = self.house.phone(user, host)
        phone.register()
        return phone


def lamps(phone: Phone) -> list[bytes]:
    return [notify.body.partition(b"Voice-Message: ")[2][:3] for notify in phone.requests_of("NOTIFY")]


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (body(2, 8), MessageCount(2, 8)),
        (b"Messages-Waiting: no\r\n", MessageCount(0, 0)),
        (b"messages-waiting:no\nvoice-message:0/3\n", MessageCount(0, 3)),
        (b"Messages-Waiting: yes\r\nVoice-Message: 4/8 (1/2)\r\n", MessageCount(4, 8, 1, 2)),
        (b"Messages-Waiting: yes\r\nFax-Message: 9/9\r\nVoice-Message: 1/0\r\n", MessageCount(1, 0)),
        (b"Messages-Waiting: yes\r\n", None),
        (b"", None),
        (b"Voice-Message: 1_0/0\r\n", None),
        (b"Voice-Message: +1/0\r\n", None),
        (b"Voice-Message: -1/0\r\n", None),
        (b"Voice-Message: 1\r\n", None),
        (b"Voice-Message: 1234567/0\r\n", None),
        ("Voice-Message: \u0661/\u0662\r\n".encode(), None),
        (b"X-Voice-Message: 1/0\r\n", None),
        (b"Voice-Message: 1/0 (1/0\r\n", None),
        (b"Voice-Message: 1/0\r\n".ljust(SUMMARY_BYTES_MAX + 1), None),
        (b"\xff\x00", None),
    ],
)
def test_what_a_summary_says(content: bytes, count: MessageCount | None) -> None:
    assert read_summary(content) == count


def test_a_published_count_is_what_subscribers_are_told() -> None:
    post = Post()
    alice = post.phone()
    watch = Watch(alice, "alice", "message-summary")
    assert lamps(alice) == [b""]
    response = post.publish("alice", body(1))
    assert response.status == 200 and "sip-etag" in response.headers
    post.house.run(2)
    assert lamps(alice) == [b"", b"1/0"]
    assert watch.dialog is not None and watch.dialog.call_id == alice.requests_of("NOTIFY")[-1].call_id
    post.publish("alice", body(0, 1))
    post.house.run(2)
    assert lamps(alice) == [b"", b"1/0", b"0/1"]
    assert post.counts.lamps == {}  # it has a subscription and needs nothing else
    assert post.counts.mailbox_publishes == {"200": 2}


def test_what_did_not_change_is_not_told() -> None:
    post = Post()
    alice = post.phone()
    for _ in range(3):
        post.publish("alice", body(1))
        post.house.run(2)
    assert lamps(alice) == [b"1/0"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"event": "presence"}, 489),
        ({"content_type": "application/pidf+xml"}, 415),
        ({"content": b"hello"}, 400),
        ({"user": "carol"}, 404),
        ({"user": "a%00b"}, 404),
    ],
)
def test_what_is_no_mailbox_is_refused(changes: dict[str, object], status: int) -> None:
    post = Post()
    assert post.publish(**{"user": "alice", "content": body(1), **changes}).status == status
    assert len(post.mailboxes) == 0


def test_a_phone_cannot_light_lamps() -> None:
    post = Post()
    alice, bob = post.phone(), post.phone("bob", "192.0.2.20")
    assert post.publish("alice", body(9), sender=bob).status in (403, 489)
    assert post.publish("alice", body(9), sender=alice).status == 489
    assert post.mailboxes.count("alice") is None
    # nor one at the same address and another port, or at another with the same port
    for place in (("192.0.2.70", 5071), ("192.0.2.71", 5070)):
        near = Phone(post.house, "bob", place)
        assert post.publish("alice", body(9), sender=near).status in (403, 489)
        assert post.mailboxes.count("alice") is None


def test_voicemail_may_publish_and_nothing_else_without_a_login() -> None:
    post = Post()
    post.voicemail.password = ""
    post.voicemail.invite("alice")
    post.house.run(1)
    assert post.voicemail.statuses[-1] == 407
    assert not post.house.exchange.board.calls


def test_expiry_zero_ends_a_mailbox_and_so_does_the_end_of_its_line() -> None:
    post = Post()
    post.publish("alice", body(1))
    post.publish("bob", body(1))
    post.publish("alice", body(1), expires="0")
    assert (post.mailboxes.count("alice"), len(post.mailboxes)) == (None, 1)
    post.house.exchange.apply_changes([LineRemoved("bob")], post.house.clock.now)
    assert len(post.mailboxes) == 0


# --- phones that do not subscribe


def test_a_phone_that_never_subscribes_is_told_right_after_a_change() -> None:
    post = Post()
    alice = post.phone()
    post.publish("alice", body(1))
    assert lamps(alice) == [b"1/0"]
    notify = alice.requests_of("NOTIFY")[0]
    assert notify.headers.get("event") == "message-summary"
    assert (notify.headers.get("subscription-state") or "").startswith("terminated")
    assert notify.uri == alice.contact and notify.to_tag is None
    assert post.counts.lamps == {"accepted": 1}
    # quickly one after the other: no more than once a second, and the last word counts
    for new in (2, 3, 4):
        post.publish("alice", body(new))
    post.house.run(2)
    assert lamps(alice)[-1] == b"4/0"
    assert len(lamps(alice)) <= 3


def test_every_phone_of_the_line_is_told() -> None:
    post = Post()
    desk = post.phone()
    kitchen = Phone(post.house, "alice", ("192.0.2.11", 5060))
    kitchen.register(call_id="kitchen")
    post.publish("alice", body(1))
    assert (lamps(desk), lamps(kitchen)) == ([b"1/0"], [b"1/0"])


def test_a_phone_that_registers_anew_is_told_and_one_that_renews_is_not() -> None:
    post = Post()
    alice = post.phone()
    post.publish("alice", body(1))
    alice.register()
    post.house.run(SETTLE_S + 1)
    assert lamps(alice) == [b"1/0"]
    restarted = Phone(post.house, "alice", alice.address, seed=8)
    restarted.register(call_id="after-the-power-cut")
    post.house.run(SETTLE_S + 1)
    assert lamps(restarted) == [b"1/0"]


def test_a_phone_that_comes_when_messages_wait_is_told_unless_it_subscribes_by_itself() -> None:
    post = Post()
    post.publish("alice", body(1))
    silent = post.phone()
    post.house.run(SETTLE_S + 1)
    assert lamps(silent) == [b"1/0"]
    asking = Phone(post.house, "alice", ("192.0.2.11", 5060))
    asking.register(call_id="asking")
    Watch(asking, "alice", "message-summary")
    post.house.run(SETTLE_S + 1)
    assert len(asking.requests_of("NOTIFY")) == 1
    assert asking.requests_of("NOTIFY")[0].to_tag is not None


@pytest.mark.parametrize("status", [481, 405, 489, 501])
def test_a_phone_that_refuses_is_not_asked_again_until_it_registers_anew(status: int) -> None:
    post = Post()
    alice = post.phone()
    refuses(alice, status)
    for new in (1, 2, 3):
        post.publish("alice", body(new))
        post.house.run(2)
    alice.register()
    post.house.run(SETTLE_S + 1)
    assert len(alice.requests_of("NOTIFY")) == 1
    assert post.counts.lamps == {"refused": 1}
    alice.register(call_id="a-new-start")
    post.house.run(SETTLE_S + 1)
    assert len(alice.requests_of("NOTIFY")) == 2


def test_a_phone_that_says_nothing_is_told_at_the_next_change() -> None:
    post = Post()
    alice = post.phone()
    post.house.link.detach(alice.address)
    post.publish("alice", body(1))
    post.publish("alice", body(2))
    post.house.link.attach(alice.stack, alice.timers, alice.address)
    post.house.run(40)
    assert lamps(alice)[-1] == b"2/0"


def test_nobody_is_told_of_a_line_without_a_mailbox() -> None:
    post = Post()
    alice = post.phone()
    post.house.run(SETTLE_S + 1)
    assert lamps(alice) == []
    assert len(post.house.exchange.events.lamps) == 0


def test_what_is_kept_of_phones_goes_with_them() -> None:
    post = Post()
    alice = post.phone()
    post.publish("alice", body(1))
    kept = post.house.exchange.events.lamps
    assert len(kept) == 1
    alice.register(expires=0)
    assert len(kept) == 0
    alice.register()
    assert len(kept) == 1
    post.publish("alice", body(1), expires="0")
    assert len(kept) == 0
    assert post.house.exchange.counts.bugs == 0


def refuses(phone: Phone, status: int) -> None:
    accept = phone.on_request

    def on_request(transaction: object, request: Request, flow: object, now: float) -> None:
        if request.method != "NOTIFY":
            accept(transaction, request, flow, now)
            return
        phone.requests.append(request)
        transaction.respond(make_response(request, status, to_tag="x"), now)

    phone.on_request = on_request


# --- a line whose calls are diverted


def with_hint(post: Post, *diverts: Divert, hint: bool = True, user: str = "alice") -> None:
    line = make_line(user, diverts=diverts, settings=LineSettings(divert_hint=hint))
    post.house.exchange.apply_changes([LineChanged(line)], post.house.clock.now)
    post.house.run(2)


def said(phone: Phone) -> list[bytes]:
    return [notify.body.split(b"\r\n")[0] for notify in phone.requests_of("NOTIFY")]


AWAY = Divert(DivertCondition.ALL, DivertKind.NUMBER, "+447700900123")
WAITING, NOT_WAITING = b"Messages-Waiting: yes", b"Messages-Waiting: no"


def test_a_line_that_wants_it_is_told_that_its_calls_are_diverted() -> None:
    post = Post()
    alice = post.phone()
    with_hint(post, AWAY)
    assert said(alice) == [WAITING], "an adaptor gives an interrupted dial tone for it"
    with_hint(post)
    assert said(alice) == [WAITING, NOT_WAITING]
    restarted = Phone(post.house, "alice", alice.address, seed=8)
    with_hint(post, AWAY)
    restarted.requests.clear()
    restarted.register(call_id="after-the-power-cut")
    post.house.run(SETTLE_S + 1)
    assert said(restarted) == [WAITING]


def test_the_counts_stay_true_beside_the_hint() -> None:
    post = Post()
    alice = post.phone()
    post.publish("alice", body(0, 2))
    with_hint(post, AWAY)
    assert said(alice)[-1] == WAITING and lamps(alice)[-1] == b"0/2"
    with_hint(post)
    assert said(alice)[-1] == NOT_WAITING


@pytest.mark.parametrize(
    "divert",
    [
        Divert(DivertCondition.NO_REPLY, DivertKind.VOICEMAIL, ring_s=15),
        Divert(DivertCondition.ALL, DivertKind.NUMBER, "+447700900123", is_enabled=False),
        Divert(DivertCondition.BUSY, DivertKind.LINE, "bob", sources=("+441632960009",)),
    ],
)
def test_what_is_no_divert_to_be_reminded_of_lights_nothing(divert: Divert) -> None:
    post = Post()
    alice = post.phone()
    with_hint(post, divert)
    assert said(alice) == [NOT_WAITING]


def test_without_the_setting_a_divert_says_nothing_here() -> None:
    post = Post()
    alice = post.phone()
    with_hint(post, AWAY, hint=False)
    assert said(alice) == []


def test_a_subscribed_phone_is_told_too() -> None:
    post = Post()
    alice = post.phone()
    Watch(alice, "alice", "message-summary")
    with_hint(post, AWAY)
    assert said(alice) == [NOT_WAITING, WAITING]
    with_hint(post)
    assert said(alice)[-1] == NOT_WAITING
