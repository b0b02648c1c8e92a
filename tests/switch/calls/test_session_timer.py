"""Session timers on each leg, and what a call costs whose ends have vanished (RFC 4028)."""

import pytest

from switch.calls.session_timer import SessionExpires, min_se, session_expires
from switch.config import CallLimits
from switch.sip.headers import Headers
from switch.sip.message import Response
from tests.switch.calls.reliable_phone import ReliablePhone
from tests.switch.house import ANSWER, OFFER, House, make_conf, make_line, make_trunk

CARRIER = "192.0.2.50"
CONNECT, PER_SECOND = 10_000, 1_000  # UK mobile in the house's tariff
INTERVAL_S = 600  # what the house offers


def make_house(session_expires_s: int = INTERVAL_S) -> tuple[House, ReliablePhone, ReliablePhone]:
    house = House(
        conf=make_conf(
            trunks=[make_trunk("carrier", CARRIER)], calls=CallLimits(session_expires_s=session_expires_s)
        ),
        lines=[make_line("alice")],
        balances={1: 100_000_000},
    )
    alice, carrier = ReliablePhone(house, "alice", "192.0.2.10"), ReliablePhone(house, "carrier", CARRIER)
    alice.register()
    return house, alice, carrier


def call(
    house: House,
    alice: ReliablePhone,
    carrier: ReliablePhone,
    asked: list[tuple[str, str]] = [],  # noqa: B006
    answered: list[tuple[str, str]] = [],  # noqa: B006
) -> Response:
    """A call that is up; `asked` and `answered` are fields of alice's INVITE and the carrier's 200."""
    carrier.answer_headers = answered
    alice.invite("07700900123", extra=asked)
    house.run(2)
    response = alice.responses[-1]
    for phone in (alice, carrier):
        for noted in (phone.statuses, phone.responses, phone.acks):
            noted.clear()
    return response


def assert_over(house: House) -> None:
    house.run(120)
    house.assert_clean()
    assert house.exchange.stack.transactions_count == 0


TIMER = ("supported", "timer")
UPDATE = ("allow", "INVITE, ACK, BYE, CANCEL, UPDATE")


# What is agreed with the caller


@pytest.mark.parametrize(
    ("asked", "said", "requires"),
    [
        ([TIMER, ("session-expires", "300")], "300;refresher=uac", True),
        ([TIMER, ("session-expires", "300;refresher=uac")], "300;refresher=uac", True),
        ([TIMER, ("session-expires", "300;refresher=uas")], "300;refresher=uas", False),
        ([TIMER, ("x", "1800 ; refresher=UAC")], "600;refresher=uac", True),  # compact, and shortened to ours
        ([TIMER, ("session-expires", "1800"), ("min-se", "900")], "900;refresher=uac", True),
        ([TIMER, ("session-expires", "90")], "90;refresher=uac", True),
        ([TIMER], "600;refresher=uac", True),
        ([("session-expires", "300")], "300;refresher=uas", False),  # a proxy's wish: its UAC cannot refresh
        ([("session-expires", "300;refresher=uac")], "300;refresher=uac", True),  # forgot Supported, means it
        ([], None, False),
        ([TIMER, ("session-expires", "soon")], "600;refresher=uac", True),
    ],
)
def test_what_the_answer_says(asked: list[tuple[str, str]], said: str | None, requires: bool) -> None:
    house, alice, carrier = make_house()
    answer = call(house, alice, carrier, asked)
    assert answer.headers.get("session-expires") == said
    assert ("timer" in answer.headers.tokens("require")) is requires
    assert "timer" in answer.headers.tokens("supported")


@pytest.mark.parametrize("interval", ["1", "89", "0"])
def test_too_short_a_session_is_422_with_the_minimum(interval: str) -> None:
    house, alice, carrier = make_house()
    alice.invite("07700900123", extra=[TIMER, ("session-expires", interval)])
    house.run(2)
    assert alice.statuses[-1] == 422
    assert alice.responses[-1].headers.get("min-se") == "90"
    assert carrier.requests == []
    assert house.journal.cdrs()[0].outcome == "session_too_brief"


def test_an_emergency_call_connects_however_short_its_session() -> None:
    house, alice, _ = make_house()
    alice.invite("999", extra=[TIMER, ("session-expires", "1;refresher=uas")])
    house.run(2)
    assert alice.statuses[-1] == 200
    sent = len(house.link.sent)
    house.run(60)
    assert len(house.link.sent) == sent  # no storm of refreshes


def test_without_an_offer_of_ours_only_what_is_asked_for_is_kept() -> None:
    house, alice, carrier = make_house(0)
    answer = call(house, alice, carrier, [TIMER, ("session-expires", "300")])
    assert answer.headers.get("session-expires") == "300;refresher=uac"
    assert carrier.requests_of("INVITE")[0].headers.get("session-expires") is None
    house, alice, carrier = make_house(0)
    assert call(house, alice, carrier, [TIMER]).headers.get("session-expires") is None
    house.run(4000)
    assert not [request for request in carrier.requests if request.method != "INVITE"]
    assert len(house.exchange.board.calls) == 1


# What is agreed with the callee


def test_the_callee_is_offered_one() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier)
    headers = carrier.requests_of("INVITE")[0].headers
    assert headers.get("session-expires") == "600"
    assert "timer" in headers.tokens("supported")


def test_a_422_is_followed_by_a_longer_session() -> None:
    house, alice, carrier = make_house()
    carrier.ring_status, carrier.answer, carrier.answer_after_s = 0, 422, 0.1
    carrier.answer_headers = [("min-se", "1200")]
    alice.invite("07700900123")
    house.run(0.15)
    carrier.answer, carrier.answer_headers = 200, []
    house.run(2)
    first, second = carrier.requests_of("INVITE")
    assert (first.headers.get("session-expires"), first.headers.get("min-se")) == ("600", None)
    assert (second.headers.get("session-expires"), second.headers.get("min-se")) == ("1200", "1200")
    assert first.call_id == second.call_id
    assert second.cseq.number == first.cseq.number + 1
    assert alice.statuses[-1] == 200


@pytest.mark.parametrize("minimum", ["", "60000000", "1_0", "-1"])
def test_a_422_that_cannot_be_met_is_a_failure_of_ours(minimum: str) -> None:
    house, alice, carrier = make_house()
    carrier.ring_status, carrier.answer, carrier.answer_headers = 0, 422, [("min-se", minimum)]
    alice.invite("07700900123")
    house.run(40)
    assert len(carrier.requests_of("INVITE")) == 1
    assert alice.statuses[-1] == 500
    house.run(80)
    house.assert_clean()


def test_a_callee_that_always_wants_more_is_left_after_two_tries() -> None:
    house, alice, carrier = make_house()
    carrier.ring_status, carrier.answer, carrier.answer_after_s = 0, 422, 0.1
    alice.invite("07700900123")
    for n in range(1, 8):
        carrier.answer_headers = [("min-se", str(1000 * n))]
        house.run(0.12)
    house.run(40)
    assert len(carrier.requests_of("INVITE")) == 3
    assert alice.statuses[-1] == 500


# Refreshes of ours


def test_where_we_refresh_it_is_by_update_at_half_the_interval() -> None:
    house, alice, carrier = make_house()
    agreed = [UPDATE, TIMER, ("session-expires", "400;refresher=uac")]
    call(house, alice, carrier, answered=agreed)
    house.run(190)
    assert carrier.requests_of("UPDATE") == []
    carrier.answer_headers = []
    house.run(15)
    (update,) = carrier.requests_of("UPDATE")
    assert update.headers.get("session-expires") == "400;refresher=uac"
    assert "timer" in update.headers.tokens("supported")
    assert update.body == b""
    assert update.headers.get("contact")
    assert alice.requests == []  # no business of the other side's
    alice.hang_up()
    assert_over(house)


def test_a_peer_without_update_is_refreshed_by_reinvite_with_what_it_was_told_last() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier)
    house.run(310)
    assert [request.body for request in carrier.requests_of("INVITE")[1:]] == [OFFER]
    assert [request.body for request in alice.requests_of("INVITE")] == [ANSWER]
    assert len(carrier.acks) == len(alice.acks) == 1
    house.run(300)
    assert len(carrier.requests_of("INVITE")) == 3
    alice.hang_up()
    assert_over(house)


def test_after_a_hold_the_refresh_says_the_hold() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier)
    hold = OFFER + b"a=sendonly\r\n"
    carrier.answer_body = ANSWER + b"a=recvonly\r\n"
    alice.send_in_dialog("INVITE", hold)
    house.run(310)
    assert carrier.requests_of("INVITE")[-1].body == hold
    assert alice.requests_of("INVITE")[-1].body == ANSWER + b"a=recvonly\r\n"


@pytest.mark.parametrize("status", [488, 500, 501, 405, 491])
def test_a_refused_refresh_is_a_sign_of_life(status: int) -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [TIMER])
    carrier.reinvite_status = status
    for _ in range(3):
        alice.update(b"", None, TIMER)
        house.run(250)
    assert len(house.exchange.board.calls) == 1
    assert len(carrier.requests_of("INVITE")) >= 3
    alice.hang_up()
    assert_over(house)


def test_a_refresh_that_is_rung_on_is_taken_back() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier)
    carrier.reinvite_status = 0
    house.run(350)
    assert carrier.requests_of("CANCEL")
    carrier.reinvite_status = 200
    carrier.send_in_dialog("INVITE", ANSWER.replace(b"- 1 1", b"- 1 2"))  # nothing is left in its way
    house.run(1)
    assert carrier.statuses[-1] == 200


def test_a_reinvite_that_meets_a_refresh_is_491() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier)
    carrier.reinvite_status = 0
    house.run(302)
    carrier.send_in_dialog("INVITE", ANSWER.replace(b"- 1 1", b"- 1 2"))
    alice.send_in_dialog("INVITE", OFFER.replace(b"- 1 1", b"- 1 2"))
    house.run(0.1)
    assert [status for status in carrier.statuses if status > 100] == [491]
    assert [status for status in alice.statuses if status > 100] == [491]


def test_a_short_call_is_not_refreshed() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier)
    house.run(200)
    alice.hang_up()
    house.run(1000)
    assert [request.method for request in carrier.requests] == ["INVITE", "BYE"]
    house.assert_clean()
    assert len(house.exchange.timers) == 0


# Refreshes of the peer's


def test_a_peers_refresh_by_update_keeps_the_call_and_is_answered_in_the_same_terms() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [TIMER, ("session-expires", "300;refresher=uac")], [UPDATE])
    for _ in range(6):
        house.run(150)
        alice.update(b"", None, TIMER, ("session-expires", "300;refresher=uac"))
    house.run(1)
    assert [response.headers.get("session-expires") for response in alice.responses[-6:]] == [
        "300;refresher=uac"
    ] * 6
    assert len(house.exchange.board.calls) == 1
    alice.hang_up()
    assert_over(house)


def test_a_peers_refresh_by_reinvite_needs_nobody_else() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [TIMER, ("session-expires", "300;refresher=uac")])
    house.run(100)
    request = alice.dialogs[-1].create_request("INVITE", contact=f"<{alice.contact}>")
    for name, value in (TIMER, ("session-expires", "300;refresher=uac"), ("content-type", "application/sdp")):
        request.headers.add(name, value)
    request.body = OFFER
    alice.stack.send_request(request, alice.flow, alice, house.clock.now)
    house.run(1)
    assert (alice.responses[-1].status, alice.responses[-1].body) == (200, ANSWER)
    assert alice.responses[-1].headers.get("session-expires") == "300;refresher=uac"
    assert len(carrier.requests) == 1


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_refresh_for_too_short_a_session_is_422_and_the_call_goes_on(method: str) -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [TIMER])
    request = alice.dialogs[-1].create_request(method, contact=f"<{alice.contact}>")
    request.headers.add("session-expires", "30")
    alice.stack.send_request(request, alice.flow, alice, house.clock.now)
    house.run(1)
    assert (alice.statuses[-1], alice.responses[-1].headers.get("min-se")) == (422, "90")
    assert len(house.exchange.board.calls) == 1


def test_a_peer_that_does_not_refresh_is_hung_up_before_the_end_of_its_session() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [TIMER, ("session-expires", "300;refresher=uac")])
    house.run(264)
    assert alice.requests_of("BYE") == []
    house.run(8)  # 300 s less 32
    for phone in (alice, carrier):
        assert "Session timer expired" in (phone.requests_of("BYE")[0].headers.get("reason") or "")
    assert_over(house)


# What it costs


def charged(house: House) -> tuple[int, int]:
    """Seconds billed, and micros; the balance, the row and the ledger agree."""
    row = house.journal.cdrs()[0]
    assert (
        100_000_000 - house.balance()
        == row.cost_micros
        == -sum(e.amount_micros for e in house.journal.usage())
    )
    assert row.cost_micros == (CONNECT + row.usage_micros if row.billed_s else 0)
    assert row.usage_micros == row.billed_s * PER_SECOND
    assert row.ended_at_ms - row.answered_at_ms == row.duration_ms
    return row.billed_s, row.cost_micros


def silence(house: House, *phones: ReliablePhone) -> None:
    for phone in phones:
        house.link.detach(phone.address)


def test_both_ends_vanish_and_the_call_is_charged_to_the_last_sign_of_life() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [], [UPDATE])
    house.run(320)  # both answered a refresh at 300 s
    silence(house, alice, carrier)
    house.run(400)
    house.assert_clean()
    billed_s, _ = charged(house)
    assert billed_s == pytest.approx(300, abs=2)
    row = house.journal.cdrs()[0]
    assert (row.ended_by, row.q850_cause, row.reason) == ("exchange", 102, "Session timer expired")


def test_the_callee_vanishes_and_nobody_pays_for_a_dead_line() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [], [UPDATE])
    house.run(320)
    silence(house, carrier)
    house.run(400)
    assert alice.requests_of("BYE")
    house.assert_clean()
    assert charged(house)[0] == pytest.approx(300, abs=2)
    assert house.exchange.counts.vanished == {"callee": 1}


def test_the_caller_vanishes_and_pays_for_as_long_as_the_callee_was_there() -> None:
    """A phone that ignores our refreshes must not talk for free."""
    house, alice, carrier = make_house()
    call(house, alice, carrier, [], [UPDATE])
    house.run(320)
    house.link.is_lost = lambda datagram: alice.address in (datagram.source, datagram.destination)
    house.run(330)
    assert carrier.requests_of("OPTIONS")
    assert carrier.requests_of("BYE")
    assert charged(house)[0] == pytest.approx(632, abs=3)  # refresh at 600 s, silent for 32
    house.run(120)
    house.assert_clean()


def test_a_caller_that_promised_to_refresh_and_did_not_pays_to_the_end() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [TIMER, ("session-expires", "300;refresher=uac")], [UPDATE])
    house.run(275)
    assert charged(house)[0] == pytest.approx(268, abs=2)
    house.run(120)
    house.assert_clean()


def test_a_callee_that_knows_no_such_call_any_more_ends_it_at_its_last_sign_of_life() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [], [UPDATE])
    house.run(100)
    carrier.send_in_dialog("INFO", b"x", "text/plain")
    house.run(150)
    carrier.update_status = 481
    house.run(60)
    assert charged(house)[0] == pytest.approx(102, abs=2)
    house.run(120)
    house.assert_clean()


def test_a_callee_that_never_spoke_after_its_answer_costs_nothing() -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [], [UPDATE])
    silence(house, carrier)
    house.run(400)
    house.assert_clean()
    assert charged(house) == (0, 0)
    assert house.journal.cdrs()[0].outcome == "answered"


def test_a_broken_connection_is_no_end() -> None:
    """The phone may come back over another one before the next refresh."""
    house, alice, carrier = make_house()
    call(house, alice, carrier, [TIMER], [UPDATE])
    house.link.is_lost = lambda datagram: datagram.destination == carrier.address
    house.run(302)
    house.exchange.on_flow_lost(house.link.flow(("192.0.2.1", 5060), carrier.address), house.clock.now)
    house.link.is_lost = lambda datagram: False
    alice.update(b"", None, TIMER)
    house.run(20)
    assert len(house.exchange.board.calls) == 1


# Reading


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("1800", SessionExpires(1800, "")),
        ("1800;refresher=uac", SessionExpires(1800, "uac")),
        (" 1800 ; Refresher = UAS ;x=y", SessionExpires(1800, "uas")),
        ("1800;refresher=me", SessionExpires(1800, "")),
        ("99999999999999999999", SessionExpires(2**32 - 1, "")),
        ("", None),
        ("1_0", None),
        ("+1", None),
        ("-1", None),
        ("\u0661\u0662", None),
        (";refresher=uac", None),
    ],
)
def test_session_expires_is_read(value: str, found: SessionExpires | None) -> None:
    assert session_expires(Headers([("session-expires", value)])) == found


@pytest.mark.parametrize(("value", "found"), [("90", 90), ("90;x", 90), ("", 0), ("1_0", 0), ("x", 0)])
def test_min_se_is_read(value: str, found: int) -> None:
    assert min_se(Headers([("min-se", value)])) == found


# On a bad link


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("allow", [[UPDATE], []])
def test_a_bad_link_is_no_end_and_the_talk_is_charged(seed: int, allow: list[tuple[str, str]]) -> None:
    house, alice, carrier = make_house()
    call(house, alice, carrier, [*allow], [*allow])
    link = house.link
    link._random.seed(seed)
    link.loss, link.duplication, link.reorder = 0.2, 0.1, 0.1
    house.run(2000)
    assert len(house.exchange.board.calls) == 1
    assert house.exchange.counts.session_refreshes >= 12  # each side at 300, 600, ...
    link.loss = link.duplication = link.reorder = 0.0
    alice.hang_up()
    house.run(120)
    house.assert_clean()
    assert charged(house)[0] == pytest.approx(2002, abs=2)
