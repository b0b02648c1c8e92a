"""999, 112 and 18000 connect, whatever else is broken or barred. Local trunks only."""

import pytest

from switch.calls.routing import make_routing
from switch.config import CallLimits, IdentityHeader
from switch.control import Control, ControlRequest
from tests.switch.house import DOMAIN, House, Phone, make_account, make_conf, make_line, make_trunk
from tests.switch.test_operator_surface import Running


def make_house(**changes: object) -> House:
    line = make_line(
        "alice",
        emergency_number="+441632960001",
        emergency_address="1 Test Street",
        withholds_cli=True,
        calls_max=1,
    )
    return House(
        conf=make_conf(
            trunks=[make_trunk("one", "192.0.2.50", calls_max=1), make_trunk("two", "192.0.2.51")],
            calls=CallLimits(calls_max=1, calls_per_account_max=1, calls_per_line_max=1),
        ),
        lines=[line],
        accounts=[make_account(is_suspended=True, tariff="missing")],
        balances={1: -5_000_000},
        **changes,
    )


def alice_and_trunk(house: House) -> tuple[Phone, Phone]:
    alice, trunk = house.phone("alice", "192.0.2.10"), house.phone("one", "192.0.2.50")
    alice.register()
    alice.statuses.clear()
    return alice, trunk


@pytest.mark.parametrize(
    ("dialled", "uri", "sent"),
    [
        ("999", "", "999"),
        ("112", "", "112"),
        ("18000", "", "18000"),
        ("141999", "", "999"),
        ("1470112", "", "112"),
        ("", "urn:service:sos", "999"),
        ("", "urn:service:sos.police", "999"),
        ("", "tel:999", "999"),
        ("+44999", "", "999"),
    ],
)
def test_it_connects_with_no_money_suspended_and_at_every_limit(dialled: str, uri: str, sent: str) -> None:
    house = make_house()
    alice, trunk = alice_and_trunk(house)
    house.journal.durable = "never"
    house.journal.is_failed = True
    alice.invite(dialled, uri=uri, extra=[("Privacy", "id")])
    house.run(3)
    assert alice.statuses[-1] == 200
    request = trunk.requests_of("INVITE")[0]
    assert request.uri == f"sip:{sent}@192.0.2.50:5060"
    assert request.from_.uri == f"sip:+441632960001@{DOMAIN}"
    assert request.headers.get("p-asserted-identity") == f"<sip:+441632960001@{DOMAIN}>"
    assert request.headers.get("privacy") is None
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.is_emergency, row.cost_micros, row.payer_account_id) == (True, 0, None)
    assert house.journal.emergencies()[0].line == "alice"
    assert house.exchange.counts.emergency_calls == 1
    assert house.balance() == -5_000_000
    house.assert_clean()


@pytest.mark.parametrize("identity", list(IdentityHeader))
def test_the_number_is_asserted_even_to_a_trunk_that_is_told_no_other(identity: IdentityHeader) -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("one", "192.0.2.50", identity=identity)]),
        lines=[make_line("alice", withholds_cli=True)],
        numbers={"+441632960001": "alice"},
    )
    alice, trunk = alice_and_trunk(house)
    alice.invite("999")
    house.run(2)
    header = "remote-party-id" if identity is IdentityHeader.RPID else "p-asserted-identity"
    sent = trunk.requests_of("INVITE")[-1].headers
    assert (sent.get(header) or "").startswith(f"<sip:+441632960001@{DOMAIN}>")
    assert sent.get("privacy") is None
    (live,) = Control(Running(house))._calls(ControlRequest("calls"))
    assert (live.cli, live.is_emergency) == ("+441632960001", True)
    alice.hang_up()
    alice.invite("01632960123")
    house.run(2)
    sent = trunk.requests_of("INVITE")[-1].headers
    assert (header in sent) is (identity is not IdentityHeader.NONE)
    assert sent.get("privacy") == "id"


def test_no_time_limit_of_calls_ends_it_ringing_or_answered() -> None:
    limits = CallLimits(no_answer_timeout_s=5, call_duration_max_s=60)
    house = House(
        conf=make_conf(trunks=[make_trunk("one", "192.0.2.50")], calls=limits),
        lines=[make_line("alice", emergency_number="+441632960001")],
    )
    alice, trunk = alice_and_trunk(house)
    trunk.answer_after_s = 90.0
    alice.invite("999")
    house.run(89)
    assert alice.statuses[-1] == 180
    house.run(200)
    assert alice.statuses[-1] == 200
    assert alice.requests_of("BYE") == []
    alice.hang_up()
    house.run(40)
    trunk.answer_after_s = None
    alice.invite("01632960123")
    house.run(10)
    assert alice.statuses[-1] == 480
    house.assert_clean()


def test_a_second_emergency_call_passes_full_limits() -> None:
    house = make_house()
    alice, trunk = alice_and_trunk(house)
    for _ in range(3):
        alice.invite("999")
        house.run(2)
    assert len(trunk.requests_of("INVITE")) == 3
    assert len(house.exchange.board.calls) == 3


def test_without_a_trunk_for_it_the_record_says_so() -> None:
    house = House(conf=make_conf(routing=make_routing({}, version="routing1")), lines=[make_line("alice")])
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite("999")
    house.run(3)
    assert alice.statuses[-1] == 500
    (row,) = house.journal.cdrs()
    assert (row.is_emergency, row.sip_status, row.reason) == (True, 500, "no trunk for emergency calls is there")


def test_the_next_trunk_takes_it_when_the_first_fails() -> None:
    house = make_house()
    alice, trunk = alice_and_trunk(house)
    second = house.phone("two", "192.0.2.51")
    house.link.detach(trunk.address)
    alice.invite("999")
    house.run(20)
    assert second.requests_of("INVITE")
    assert alice.statuses[-1] == 200


def test_the_flow_of_a_live_binding_needs_no_password() -> None:
    house = make_house()
    alice, trunk = alice_and_trunk(house)
    alice.password = "forgotten"
    alice.invite("999")
    house.run(3)
    assert trunk.requests_of("INVITE")
    alice.invite("07700900123")
    house.run(3)
    assert len(trunk.requests_of("INVITE")) == 1


def test_a_stranger_is_challenged() -> None:
    house = make_house()
    _, trunk = alice_and_trunk(house)
    stranger = house.phone("alice", "192.0.2.66", password="guess")
    stranger.invite("999")
    house.run(3)
    assert trunk.requests == []
    assert stranger.statuses[-1] == 407


def test_while_closing_down() -> None:
    house = make_house()
    alice, trunk = alice_and_trunk(house)
    house.exchange.drain(house.clock.now)
    alice.invite("112")
    house.run(3)
    assert trunk.requests_of("INVITE")
