"""5 after a busy line: who asked is rung when it is free, and pays for the call that follows. And call waiting."""

import pytest

from provisioning.model import LineChanged, LineKind
from switch.sip.headers import Headers
from switch.sip.message import Request
from tests.switch.calls.office import Office
from tests.switch.house import OFFER, make_line


def asked_while_busy(dialled: str = "+441632960002", **settings: object) -> Office:
    """bob talks with dora; alice calls him in vain and dials 5."""
    office = Office()
    office.call(office.bob, "dora")
    office.bob.answer = 486
    assert office.status_of(office.alice, dialled, **settings) == 486
    office.call(office.alice, "5")
    assert office.voicemail is not None
    assert office.voicemail.asked[-1] == "say;words=ring-back-set"
    office.voicemail.hang_up()
    office.bob.answer = 200
    office.run(5)
    assert office.voicemail.requests_of("REFER") == []
    return office


def calls_out(office: Office) -> None:
    """The media server does what it was asked."""
    assert office.voicemail is not None
    (refer,) = office.voicemail.requests_of("REFER")
    assert ";then=refer" in refer.uri and "words=ring-back-free" in refer.uri
    token = refer.uri.partition("token=")[2].partition(";")[0]
    uri = str(refer.headers.get("refer-to")).strip("<>")
    headers = Headers()
    for name, value in (
        ("max-forwards", "70"),
        ("from", f"<sip:call.{token}@192.0.2.1>;tag=out"),
        ("to", f"<{uri}>"),
        ("call-id", f"out-{token}"),
        ("cseq", "1 INVITE"),
        ("contact", f"<{office.voicemail.contact}>"),
        ("content-type", "application/sdp"),
    ):
        headers.add(name, value)
    office.voicemail._send_invite(Request("INVITE", uri, headers, OFFER), office.house.clock.now)
    office.run(2)


def test_when_the_line_is_free_both_are_brought_together_and_who_asked_pays() -> None:
    office = asked_while_busy()
    office.bob.hang_up()
    office.run(2)
    calls_out(office)
    assert [invite.to_tag for invite in office.alice.requests_of("INVITE")] == [None]
    assert office.voicemail is not None
    assert office.refer(office.voicemail, "pressed").status == 202
    office.run(2)
    assert office.conversations() == [["alice", "bob"]]
    assert office.voicemail.requests_of("BYE")
    invite = office.bob.requests_of("INVITE")[-1]
    assert "01632960001" in str(invite.headers.get("from")).replace("+44", "0")
    office.run(20)
    office.end(office.alice)
    assert office.assert_money_adds_up() == {1: 40_000, 2: 40_000}, "bob pays for his call to dora"


@pytest.mark.parametrize(
    ("dialled", "settings"),
    [("14101632960002", {}), ("+441632960002", {"extra": [("privacy", "id")]})],
    ids=["by 141", "by the phone"],
)
def test_who_called_without_his_number_is_connected_without_it(
    dialled: str, settings: dict[str, object]
) -> None:
    office = asked_while_busy(dialled, **settings)
    office.bob.hang_up()
    office.run(2)
    calls_out(office)
    assert office.voicemail is not None
    assert office.refer(office.voicemail, "pressed").status == 202
    office.run(2)
    assert office.conversations() == [["alice", "bob"]]
    invite = office.bob.requests_of("INVITE")[-1]
    shown = f"{invite.headers.get('from')} {invite.headers.get('p-asserted-identity')}"
    assert "960001" not in shown and "alice" not in shown
    now_ms = office.house.exchange.board.clock.ms(office.house.clock.now)
    last = office.house.exchange.services.last_callers.of("bob", now_ms)
    assert last is not None and last.is_withheld
    office.end(office.alice)


def test_who_asked_keeps_his_place_while_he_talks() -> None:
    office = asked_while_busy()
    office.call(office.alice, "boss")
    office.bob.hang_up()
    office.run(10)
    assert office.voicemail is not None
    assert office.voicemail.requests_of("REFER") == []
    office.alice.hang_up()
    office.run(2)
    assert len(office.voicemail.requests_of("REFER")) == 1


def test_when_the_line_is_busy_again_the_call_fails_and_says_so() -> None:
    office = asked_while_busy()
    office.bob.hang_up()
    office.run(2)
    calls_out(office)
    office.bob.answer = 486
    assert office.voicemail is not None
    office.refer(office.voicemail, "pressed")
    office.run(2)
    assert office.voicemail.requests_of("NOTIFY")[-1].body.startswith(b"SIP/2.0 486")
    office.voicemail.hang_up()
    office.run(2)
    office.assert_over()


def test_a_phone_that_is_not_there_is_not_waited_for_in_vain() -> None:
    office = asked_while_busy()
    office.bob.hang_up()
    office.house.exchange.bindings.remove_user("bob")
    office.run(5)
    assert office.voicemail is not None
    assert office.voicemail.requests_of("REFER") == []
    office.bob.register()
    office.run(2)
    assert len(office.voicemail.requests_of("REFER")) == 1


@pytest.mark.parametrize(("kind", "rings"), [(LineKind.PHONE, False), (LineKind.TRUNK, True)])
def test_a_pbx_is_free_when_one_of_its_calls_is_over(kind: LineKind, rings: bool) -> None:
    office = Office()
    line = make_line("bob", 2, kind=kind, calls_max=2)
    office.house.exchange.apply_changes([LineChanged(line)], office.house.clock.now)
    office.call(office.dora, "bob")
    office.call(office.boss, "bob")
    assert office.status_of(office.alice, "+441632960002") == 486
    office.call(office.alice, "5")
    assert office.voicemail is not None
    office.voicemail.hang_up()
    office.run(5)
    assert office.voicemail.requests_of("REFER") == [], "it has two calls, and may have no more"
    office.dora.hang_up()
    office.run(5)
    assert bool(office.voicemail.requests_of("REFER")) is rings


@pytest.mark.parametrize(("kind", "expected"), [(LineKind.PHONE, True), (LineKind.TRUNK, False)])
def test_a_second_call_rings_as_one_that_waits(kind: LineKind, expected: bool) -> None:
    office = Office()
    line = make_line("bob", 2, kind=kind)
    office.house.exchange.apply_changes([LineChanged(line)], office.house.clock.now)
    office.call(office.alice, "bob")
    assert office.bob.requests_of("INVITE")[-1].headers.get("alert-info") is None
    office.dora.invite("bob")
    office.run(1)
    said = office.bob.requests_of("INVITE")[-1].headers.get("alert-info")
    assert said == ("<urn:alert:service:call-waiting>" if expected else None)
