"""REFER in a call: what is refused, and how an accepted one is reported (RFC 3515, 4488, 3892)."""

from collections.abc import Callable

import pytest

from switch.calls.call import Call
from switch.calls.leg import Leg
from switch.calls.referral import REFERRAL_S, REFERRALS_PER_LEG_MAX, Referral
from switch.sip.flow import Flow
from switch.sip.message import Request, Response, make_response
from switch.sip.stack import ServerTransaction
from tests.compiled import IS_COMPILED
from tests.switch.calls.test_in_dialog import (
    a_call,
    an_early_call,
    assert_up_until_hung_up,
    only_response,
    send,
)
from tests.switch.house import DOMAIN, House, Phone, make_conf, make_trunk

TO_CAROL = ("refer-to", f"<sip:carol@{DOMAIN}>")


def refer(phone: Phone, *fields: tuple[str, str]) -> Response:
    """One REFER; its answer."""
    phone.responses.clear()
    send(phone, "REFER", *(fields or (TO_CAROL,)))
    return only_response(phone, phone.house)


def told(phone: Phone) -> list[tuple[str, str]]:
    """State and body of each NOTIFY, the seconds left out."""
    return [
        (
            (notify.headers.get("subscription-state") or "").partition(";expires")[0],
            notify.body.decode().strip(),
        )
        for notify in phone.requests_of("NOTIFY")
    ]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ((("refer-to", f"<sip:carol@{DOMAIN}?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>"),), 481),
        ((("refer-to", "<sip:carol@example.net>"),), 404),
        ((("refer-to", f"<sip:999@{DOMAIN}>"),), 403),
        ((("subject", "nothing"),), 400),
        ((TO_CAROL, TO_CAROL), 400),
        ((("refer-to", "<http://www.example.com/>"),), 416),
        ((("refer-to", f"<sip:carol@{DOMAIN};method=MESSAGE>"),), 501),
        ((("refer-to", f"<sip:carol@{DOMAIN};method=BYE>"),), 501),
        ((TO_CAROL, ("require", "norefersub")), 420),
    ],
)
def test_a_transfer_is_declined_before_anything_is_promised(
    fields: tuple[tuple[str, str], ...], status: int
) -> None:
    house, alice, bob = a_call()
    assert refer(bob, *fields).status == status
    house.run(5)
    assert bob.requests == [] and alice.requests == []
    assert len(house.exchange.board.calls) == 1
    assert_up_until_hung_up(house, alice)


def test_a_refer_before_the_answer_is_refused_and_the_call_goes_on() -> None:
    house, alice, bob = an_early_call()
    assert refer(alice).status == 403
    bob.answer_after_s = 0.0
    assert len(house.exchange.board.calls) == 1


def test_a_refer_outside_a_call_places_none() -> None:
    house = House(conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")]))
    carrier, stranger = house.phone("carrier", "192.0.2.50"), house.phone("mallory", "192.0.2.66")
    for phone in (stranger, carrier):
        headers = phone._headers("REFER", f"<sip:service@{DOMAIN}>")
        headers.add("refer-to", "<sip:07700900123@example.net>")
        request = Request("REFER", f"sip:service@{DOMAIN}", headers)
        phone.stack.send_request(request, phone.flow, phone, house.clock.now)
        house.run(5)
        assert phone.statuses == [405]
        assert "REFER" not in phone.responses[0].headers.tokens("allow")
    assert carrier.requests == []
    house.assert_clean()


# What a call that accepts sees and says


class Decision:
    """A call that accepts, and keeps what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[Leg, Referral]] = []
        decision = self

        def on_refer(call: Call, leg: Leg, referral: Referral, now: float) -> None:
            decision.asked.append((leg, referral))
            referral.accept(now)

        monkeypatch.setattr(Call, "on_refer", on_refer)

    def report(self, house: House, status: int, reason: str = "", *, which: int = -1) -> None:
        self.asked[which][1].report(status, reason, house.clock.now)
        house.run(1)


@pytest.fixture
def decision(monkeypatch: pytest.MonkeyPatch) -> Decision:
    if IS_COMPILED:
        pytest.skip("a compiled call cannot be given another mind")
    return Decision(monkeypatch)


def end(house: House, alice: Phone) -> None:
    """Nothing is left, neither of the call nor of its referrals."""
    leg = house.exchange.board.legs
    for one in leg.values():
        assert not one.referrals
    assert_up_until_hung_up(house, alice)
    assert len(house.exchange.timers) == 0


def test_an_accepted_refer_goes_as_in_rfc_3515_4_1(decision: Decision) -> None:
    house, alice, bob = a_call()
    answer = refer(bob, TO_CAROL, ("referred-by", f"<sip:bob@{DOMAIN}>"))
    assert answer.status == 202 and answer.contact is not None
    ((leg, referral),) = decision.asked
    assert leg.index == 1
    assert referral.refer.target.uri == f"sip:carol@{DOMAIN}"
    assert referral.refer.referred_by is not None
    assert told(bob) == [("active", "SIP/2.0 100 Trying")]
    (notify,) = bob.requests_of("NOTIFY")
    assert notify.headers.get("event") == "refer"
    assert notify.headers.get("content-type") == "message/sipfrag;version=2.0"
    assert notify.headers.get("subscription-state") == f"active;expires={REFERRAL_S}"
    decision.report(house, 180)
    decision.report(house, 200)
    assert told(bob)[1:] == [
        ("active", "SIP/2.0 180 Ringing"),
        ("terminated;reason=noresource", "SIP/2.0 200 OK"),
    ]
    decision.report(house, 500)
    assert len(told(bob)) == 3
    assert alice.requests == []
    end(house, alice)


def test_a_failed_transfer_is_reported_and_the_call_stays(decision: Decision) -> None:
    house, alice, bob = a_call()
    refer(bob)
    decision.report(house, 486)
    assert told(bob)[-1] == ("terminated;reason=noresource", "SIP/2.0 486 Busy Here")
    end(house, alice)


def test_a_second_refer_in_a_dialog_has_an_id(decision: Decision) -> None:
    """RFC 3515 2.4.6 and 4.2."""
    house, alice, bob = a_call()
    refer(bob)
    refer(bob)
    second = decision.asked[1][1].refer.cseq
    assert [notify.headers.get("event") for notify in bob.requests_of("NOTIFY")] == [
        "refer",
        f"refer;id={second}",
    ]
    decision.report(house, 486, which=0)
    decision.report(house, 200, which=1)
    assert [notify.headers.get("event") for notify in bob.requests_of("NOTIFY")][2:] == [
        "refer",
        f"refer;id={second}",
    ]
    end(house, alice)


def test_a_phone_that_wants_no_notifies_gets_none(decision: Decision) -> None:
    house, alice, bob = a_call()
    answer = refer(bob, TO_CAROL, ("refer-sub", "false"), ("supported", "norefersub"))
    assert (answer.status, answer.headers.get("refer-sub")) == (202, "false")
    decision.report(house, 200)
    assert told(bob) == []
    end(house, alice)


def test_transfers_at_once_have_a_limit(decision: Decision) -> None:
    house, alice, bob = a_call()
    statuses = [refer(bob).status for _ in range(REFERRALS_PER_LEG_MAX + 1)]
    assert statuses == [202] * REFERRALS_PER_LEG_MAX + [403]
    for which in range(REFERRALS_PER_LEG_MAX):
        decision.report(house, 200, which=which)
    end(house, alice)


def test_nobody_reports_and_it_ends_by_itself(decision: Decision) -> None:
    house, alice, bob = a_call()
    refer(bob)
    house.run(REFERRAL_S)
    assert told(bob)[-1] == ("terminated;reason=timeout", "SIP/2.0 100 Trying")
    end(house, alice)


def test_the_phone_may_renew_and_end_it(decision: Decision) -> None:
    house, alice, bob = a_call()
    refer(bob)
    house.run(100)
    bob.responses.clear()
    send(bob, "SUBSCRIBE", ("event", "refer"))
    assert only_response(bob, house).headers.get("expires") == str(REFERRAL_S)
    house.run(100)
    assert [state for state, _ in told(bob)] == ["active", "active"]
    bob.responses.clear()
    send(bob, "SUBSCRIBE", ("event", f"refer;id={decision.asked[0][1].refer.cseq}"), ("expires", "0"))
    assert only_response(bob, house).headers.get("expires") == "0"
    assert told(bob)[-1][0] == "terminated;reason=timeout"
    bob.responses.clear()
    send(bob, "SUBSCRIBE", ("event", "refer"))
    assert only_response(bob, house).status == 481
    end(house, alice)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ((), 403),
        ((("event", "presence"),), 403),
        ((("event", "refer"),), 481),
        ((("event", "refer;id=9"),), 481),
    ],
)
def test_other_subscriptions_get_dialogs_of_their_own(
    fields: tuple[tuple[str, str], ...], status: int
) -> None:
    house, alice, bob = a_call()
    send(bob, "SUBSCRIBE", *fields)
    assert only_response(bob, house).status == status
    assert_up_until_hung_up(house, alice)


def test_a_notify_that_nobody_asked_for_is_481_and_ends_no_call() -> None:
    house, alice, bob = a_call()
    send(bob, "NOTIFY", ("event", "talk"), ("subscription-state", "active"))
    assert only_response(bob, house).status == 481
    assert_up_until_hung_up(house, alice)


def test_a_notify_while_it_rings_is_481_and_the_call_is_answered() -> None:
    house, alice, bob = an_early_call()
    alice.responses.clear()
    send(alice, "NOTIFY", ("event", "talk"), ("subscription-state", "active"))
    assert only_response(alice, house).status == 481
    for transaction in bob._ringing:
        bob._answer(transaction, str(transaction.user_data), house.clock.now)
    house.run(1)
    assert alice.statuses[-1] == 200
    assert_up_until_hung_up(house, alice)


def answer_notifies(phone: Phone, status: int) -> None:
    answer: Callable[..., None] = phone.on_request

    def on_request(transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        if request.method != "NOTIFY":
            answer(transaction, request, flow, now)
            return
        phone.requests.append(request)
        if status:
            transaction.respond(make_response(request, status), now)

    phone.on_request = on_request  # type: ignore[method-assign]


@pytest.mark.parametrize("status", [481, 0])
def test_a_phone_that_does_not_take_notifies_loses_only_them(decision: Decision, status: int) -> None:
    house, alice, bob = a_call()
    answer_notifies(bob, status)
    refer(bob)
    decision.report(house, 180)
    decision.report(house, 183)
    house.run(35)
    assert {body for _, body in told(bob)} == {"SIP/2.0 100 Trying"}
    end(house, alice)


def test_while_a_notify_is_on_its_way_only_the_last_word_waits(decision: Decision) -> None:
    house, alice, bob = a_call()
    refer(bob)
    house.link.is_lost = lambda datagram: b"NOTIFY" in datagram.data
    for status in (180, 183, 200):
        decision.report(house, status)
    house.link.is_lost = lambda datagram: False
    house.run(10)
    assert told(bob) == [
        ("active", "SIP/2.0 100 Trying"),
        ("active", "SIP/2.0 180 Ringing"),
        ("terminated;reason=noresource", "SIP/2.0 200 OK"),
    ]
    end(house, alice)


def test_the_transferring_phone_hangs_up_and_still_hears_how_it_went(decision: Decision) -> None:
    house, _, bob = a_call()
    refer(bob)
    bob.hang_up()
    house.run(1)
    decision.report(house, 200)
    assert told(bob)[-1] == ("terminated;reason=noresource", "SIP/2.0 200 OK")
    house.run(120)
    house.assert_clean()
