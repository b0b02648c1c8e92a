"""Calls to phones with several flows (RFC 5626), behind proxies (RFC 3327), and to one instance (RFC 5627)."""

import pytest

from provisioning.model import LineKind
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.uri import parse_name_addr
from tests.switch.house import DOMAIN, EXCHANGE, House, Phone, make_conf, make_line, make_trunk

DESK, MOBILE = (
    "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>",
    "<urn:uuid:00000000-0000-1000-8000-00D0C0FFEE00>",
)
ASKED = [("supported", "path, outbound, gruu")]
EDGE = "<sip:flow1token@192.0.2.80;lr;ob>"


def make_house(**settings: object) -> House:
    return House(
        conf=make_conf(trunks=[make_trunk("one", "192.0.2.50")]),
        lines=[make_line("alice"), make_line("bob"), make_line("pbx", kind=LineKind.TRUNK)],
        numbers={"+441632960001": "alice", "+441632960002": "bob", "+442079460100": "pbx"},
        **settings,  # type: ignore[arg-type]
    )


def on_connection(phone: Phone, connection: str) -> Phone:
    phone.flow = Flow("TCP", *EXCHANGE, *phone.address, connection)
    return phone


def flow_of(phone: Phone) -> Flow:
    """As the exchange sees it."""
    return Flow("TCP", *phone.address, *EXCHANGE, phone.flow.connection)


def register_flow(phone: Phone, reg_id: int, instance: str = DESK) -> Phone:
    params = f';reg-id={reg_id};+sip.instance="{instance}"'
    phone.register(params=params, extra=ASKED, call_id=f"{phone.user}-{instance[-4:]}-{reg_id}")
    assert phone.statuses[-1] == 200
    return phone


def two_flows(house: House) -> tuple[Phone, Phone]:
    """Bob's one phone, by its two connections; the second is the latest and so the better one."""
    first = on_connection(house.phone("bob", "192.0.2.11"), "c1")
    second = on_connection(house.phone("bob", "192.0.2.12"), "c2")
    return register_flow(first, 1), register_flow(second, 2)


def alice_of(house: House) -> Phone:
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.statuses.clear()
    return alice


# Several flows


def test_a_phone_with_two_flows_rings_once() -> None:
    house = make_house()
    first, second = two_flows(house)
    alice = alice_of(house)
    alice.invite("bob")
    house.run(2)
    assert alice.statuses[-1] == 200
    assert (len(second.requests_of("INVITE")), first.requests) == (1, [])
    alice.hang_up()
    house.run(40)
    house.assert_clean()


def test_early_media_passes_as_it_is_one_phone() -> None:
    house = make_house()
    _, second = two_flows(house)
    second.ring_status, second.ring_body = 183, b"early"
    alice = alice_of(house)
    alice.invite("bob")
    house.run(2)
    assert [response.body for response in alice.responses if response.status == 183] == [b"early"]


def test_two_phones_ring_together_each_by_one_flow() -> None:
    house = make_house()
    first, second = two_flows(house)
    mobile = register_flow(on_connection(house.phone("bob", "192.0.2.13"), "c3"), 1, MOBILE)
    plain = house.phone("bob", "192.0.2.14")
    plain.register()
    for phone in (first, second, mobile, plain):
        phone.answer_after_s = None
    alice = alice_of(house)
    alice.invite("bob")
    house.run(2)
    rung = [phone.address[0] for phone in (first, second, mobile, plain) if phone.requests_of("INVITE")]
    assert rung == ["192.0.2.12", "192.0.2.13", "192.0.2.14"]


def test_the_next_flow_is_taken_when_the_connection_breaks() -> None:
    house = make_house()
    first, second = two_flows(house)
    house.link.detach(second.address)
    alice = alice_of(house)
    alice.invite("bob")
    house.run(1)
    assert first.requests == []
    house.exchange.on_flow_lost(flow_of(second), house.clock.now)
    house.run(2)
    assert alice.statuses[-1] == 200
    assert len(first.requests_of("INVITE")) == 1
    alice.hang_up()
    house.run(40)
    assert [row.sip_status for row in house.journal.cdrs()] == [200, 503, 200]
    house.assert_clean()


def test_the_next_flow_is_taken_when_nothing_comes_back() -> None:
    house = make_house()
    first, second = two_flows(house)
    house.link.detach(second.address)
    alice = alice_of(house)
    alice.invite("bob")
    house.run(8)
    assert alice.statuses[-1] == 200
    assert len(first.requests_of("INVITE")) == 1
    alice.hang_up()
    house.run(60)
    house.assert_clean()


def test_a_flow_that_a_proxy_calls_failed_is_left_until_it_registers_again() -> None:
    house = make_house()
    first, second = two_flows(house)
    second.ring_status, second.answer, second.answer_after_s = 0, 430, 0.0
    alice = alice_of(house)
    alice.invite("bob")
    house.run(2)
    assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(40)
    alice.invite("bob")
    house.run(2)
    assert (len(first.requests_of("INVITE")), len(second.requests_of("INVITE"))) == (2, 1)
    register_flow(second, 2)
    second.ring_status, second.answer, second.answer_after_s = 180, 200, 0.1
    alice.hang_up()
    house.run(40)
    alice.invite("bob")
    house.run(2)
    assert len(second.requests_of("INVITE")) == 2


def test_no_flow_left_is_not_reachable() -> None:
    house = make_house()
    for phone in two_flows(house):
        phone.ring_status, phone.answer, phone.answer_after_s = 0, 430, 0.0
    alice = alice_of(house)
    alice.invite("bob")
    house.run(40)
    assert alice.statuses[-1] == 480
    house.assert_clean()


@pytest.mark.parametrize("status", [486, 500, 503, 603])
def test_what_the_phone_says_is_not_asked_again_by_the_other_flow(status: int) -> None:
    house = make_house()
    first, second = two_flows(house)
    second.answer = status
    alice = alice_of(house)
    alice.invite("bob")
    house.run(40)
    assert first.requests == []
    house.assert_clean()


def test_a_call_goes_on_by_the_other_flow_when_its_own_breaks() -> None:
    house = make_house()
    first, second = two_flows(house)
    alice = alice_of(house)
    alice.invite("bob")
    house.run(2)
    other_call = [leg for leg in house.exchange.board.legs.values() if leg.flow == flow_of(second)]
    assert len(other_call) == 1
    house.link.detach(second.address)
    house.exchange.on_flow_lost(flow_of(second), house.clock.now)
    alice.hang_up()
    house.run(40)
    assert len(first.requests_of("BYE")) == 1
    house.assert_clean()


def test_both_flows_outlive_a_restart() -> None:
    house = make_house()
    first, second = two_flows(house)
    state = dict(house.journal.state)
    house.link.detach(EXCHANGE)
    later = make_house(link=house.link, state=state, seed=2)
    second.ring_status, second.answer, second.answer_after_s = 0, 430, 0.0
    later.link.attach(second.stack, second.timers, second.address)
    alice = alice_of(later)
    alice.invite("bob")
    later.run(3)
    assert alice.statuses[-1] == 200
    assert (len(first.requests_of("INVITE")), len(second.requests_of("INVITE"))) == (1, 1)


# Proxies in between


def behind_edge(house: House) -> Phone:
    """A proxy of somebody's, at which a phone registered: it is the flow, and its Path is what it wants to see."""
    edge = house.phone("bob", "192.0.2.80")
    edge.contact = "sip:bob@10.0.0.7:5060"
    edge.register(extra=[("path", "<sip:inner@192.0.2.81;lr>"), ("path", EDGE), ("require", "path"), *ASKED])
    assert edge.statuses[-1] == 200
    return edge


def test_a_call_carries_the_path_as_its_route_and_goes_where_the_register_came_from() -> None:
    house = make_house()
    edge, elsewhere, alice = behind_edge(house), house.phone("inner", "192.0.2.81"), alice_of(house)
    edge.answer_after_s = None
    alice.invite("bob")
    house.run(2)
    (invite,) = edge.requests_of("INVITE")
    assert invite.uri == "sip:bob@10.0.0.7:5060"
    assert invite.headers.values("route") == ["<sip:inner@192.0.2.81;lr>", EDGE]
    assert elsewhere.requests == []
    alice.stack.cancel(alice.invites[-1], house.clock.now)
    house.run(40)
    (cancel,) = edge.requests_of("CANCEL")
    assert cancel.headers.values("route") == invite.headers.values("route")
    house.assert_clean()


def test_a_phone_cannot_be_made_to_send_somewhere_else_by_its_path() -> None:
    house = make_house()
    bob, victim, alice = house.phone("bob", "192.0.2.11"), house.phone("x", "198.51.100.9"), alice_of(house)
    bob.register(extra=[("path", "<sip:198.51.100.9;lr>")])
    alice.invite("bob")
    house.run(2)
    assert (len(bob.requests_of("INVITE")), victim.requests) == (1, [])


def test_a_plain_phone_gets_no_route() -> None:
    house = make_house()
    bob, alice = house.phone("bob", "192.0.2.11"), alice_of(house)
    bob.register()
    alice.invite("bob")
    house.run(2)
    assert "route" not in bob.requests_of("INVITE")[0].headers


@pytest.mark.parametrize(
    ("required", "status", "unsupported"),
    [
        ("path", 200, None),
        ("path, outbound, gruu", 200, None),
        ("Path", 200, None),
        ("path, pref", 420, "pref"),
        ("100rel, timer", 420, "100rel, timer"),
    ],
)
def test_what_a_register_may_require(required: str, status: int, unsupported: str | None) -> None:
    house = make_house()
    bob = house.phone("bob", "192.0.2.11")
    bob.register(extra=[("require", required)])
    assert bob.statuses[-1] == status
    assert bob.responses[-1].headers.get("unsupported") == unsupported


# One instance


def gruus_of(phone: Phone) -> tuple[str, str]:
    response = next(response for response in reversed(phone.responses) if response.cseq.method == "REGISTER")
    params = parse_name_addr(response.headers.values("contact")[-1]).params
    return params["pub-gruu"].strip('"'), params["temp-gruu"].strip('"')


def two_phones(house: House) -> tuple[Phone, Phone]:
    desk, mobile = house.phone("bob", "192.0.2.11"), house.phone("bob", "192.0.2.12")
    desk.register(params=f';+sip.instance="{DESK}"', extra=ASKED, call_id="desk")
    mobile.register(params=f';+sip.instance="{MOBILE}"', extra=ASKED, call_id="mobile")
    return desk, mobile


@pytest.mark.parametrize("kind", [0, 1])
def test_a_call_to_a_gruu_rings_that_phone_only(kind: int) -> None:
    house = make_house()
    desk, mobile = two_phones(house)
    alice = alice_of(house)
    for phone, other in ((desk, mobile), (mobile, desk)):
        before = len(other.requests_of("INVITE"))
        alice.invite("", uri=gruus_of(phone)[kind])
        house.run(2)
        assert (alice.statuses[-1], len(other.requests_of("INVITE"))) == (200, before)
        invite: Request = phone.requests_of("INVITE")[-1]
        assert invite.uri == phone.contact
        alice.hang_up()
        house.run(40)
    rows = [row for row in house.journal.cdrs() if row.leg == 0]
    assert {(row.destination, row.cost_micros, row.payer_account_id) for row in rows} == {("bob", 0, 1)}
    house.assert_clean()


def test_the_aor_itself_rings_both() -> None:
    house = make_house()
    phones = two_phones(house)
    alice_of(house).invite("bob")
    house.run(2)
    assert all(phone.requests_of("INVITE") for phone in phones)


def test_a_gruu_of_a_phone_that_is_gone_is_480_and_a_temporary_one_404() -> None:
    house = make_house()
    desk, mobile = two_phones(house)
    public, temporary = gruus_of(desk)
    desk.register(expires=0, call_id="desk")
    alice = alice_of(house)
    for uri, status in ((public, 480), (temporary, 404)):
        alice.invite("", uri=uri)
        house.run(2)
        assert alice.statuses[-1] == status
    assert mobile.requests == []


@pytest.mark.parametrize(
    "uri",
    [
        f"sip:nobody@{DOMAIN};gr=urn:uuid:1",
        f"sip:tgruu.aaaa@{DOMAIN};gr",
        f"sip:tgruu.@{DOMAIN};gr",
        f"sip:bob@{DOMAIN};gr",
        f"sip:01632960002@{DOMAIN};gr=urn:uuid:1",
    ],
)
def test_what_is_no_gruu_of_ours_is_404(uri: str) -> None:
    house = make_house()
    two_phones(house)
    alice = alice_of(house)
    alice.invite("", uri=uri)
    house.run(2)
    assert alice.statuses[-1] == 404


def test_an_emergency_call_is_one_whatever_its_uri_carries() -> None:
    house = make_house()
    carrier, alice = house.phone("one", "192.0.2.50"), alice_of(house)
    alice.invite("", uri=f"sip:999@{DOMAIN};gr=urn:uuid:1")
    house.run(2)
    assert len(carrier.requests_of("INVITE")) == 1


def test_a_temporary_gruu_holds_over_a_restart() -> None:
    house = make_house()
    desk, _ = two_phones(house)
    _, temporary = gruus_of(desk)
    house.link.detach(EXCHANGE)
    later = make_house(link=house.link, state=dict(house.journal.state), seed=2)
    alice = alice_of(later)
    alice.invite("", uri=temporary)
    later.run(2)
    assert alice.statuses[-1] == 200


def test_a_gruu_reaches_a_phone_by_either_flow() -> None:
    house = make_house()
    first, second = two_flows(house)
    public, _ = gruus_of(second)
    second.ring_status, second.answer, second.answer_after_s = 0, 430, 0.0
    alice = alice_of(house)
    alice.invite("", uri=public)
    house.run(2)
    assert (alice.statuses[-1], len(first.requests_of("INVITE"))) == (200, 1)
