"""Calls to and from carriers: failover, identities, numbers, and what may not cross the border."""

import pytest

from switch.calls.number_plan import NumberFormat
from switch.calls.passing import BODY_HEADERS, OURS
from switch.conf_trunks import Trunk
from switch.config import IdentityHeader
from switch.sip.message import Request
from tests.switch.house import ANSWER, DOMAIN, House, Phone, make_conf, make_line, make_trunk

FIRST, SECOND = "192.0.2.50", "192.0.2.51"


def make_house(*trunks: Trunk, **line: object) -> House:
    return House(
        conf=make_conf(trunks=list(trunks) or [make_trunk("one", FIRST), make_trunk("two", SECOND)]),
        lines=[make_line("alice", **line)],
        numbers={"+441632960001": "alice", "+441632960009": "alice"},
    )


def phones(house: House) -> tuple[Phone, Phone, Phone]:
    alice, one, two = (
        house.phone("alice", "192.0.2.10"),
        house.phone("one", FIRST),
        house.phone("two", SECOND),
    )
    alice.register()
    alice.statuses.clear()
    return alice, one, two


@pytest.mark.parametrize("status", [408, 500, 503])
def test_the_next_trunk_is_tried_on_a_failover_code(status: int) -> None:
    house = make_house()
    alice, one, two = phones(house)
    one.ring_status, one.answer = 0, status
    alice.invite("01632960123")
    house.run(5)
    assert two.requests_of("INVITE")
    assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(40)
    assert [row.trunk for row in house.journal.cdrs()] == ["", "one", "two"]
    assert [row.sip_status for row in house.journal.cdrs()] == [200, status, 200]
    house.assert_clean()


@pytest.mark.parametrize("status", [486, 404, 603])
def test_a_final_word_of_the_first_trunk_is_final(status: int) -> None:
    house = make_house()
    alice, one, two = phones(house)
    one.answer = status
    alice.invite("01632960123")
    house.run(40)
    assert alice.statuses[-1] == status
    assert two.requests == []
    house.assert_clean()


def test_no_failover_after_the_first_18x() -> None:
    house = make_house()
    alice, one, two = phones(house)
    one.ring_status, one.answer = 180, 503
    alice.invite("01632960123")
    house.run(40)
    assert alice.statuses[-1] == 500  # a 503 would say that the exchange is down
    assert [row.sip_status for row in house.journal.cdrs()] == [500, 503]
    assert two.requests == []


def test_a_silent_trunk_is_left_after_its_time() -> None:
    house = make_house(make_trunk("one", FIRST, answer_timeout_s=4), make_trunk("two", SECOND))
    alice, one, _ = phones(house)
    house.link.detach(one.address)
    alice.invite("01632960123")
    house.run(10)
    assert alice.statuses[-1] == 200
    invited = next(d for d in house.link.sent if d.destination[0] == SECOND)
    first = next(d for d in house.link.sent if d.destination[0] == FIRST)
    assert invited.sent_at - first.sent_at == pytest.approx(4.0, abs=0.1)
    alice.hang_up()
    house.run(80)
    house.assert_clean()


def test_a_trunk_that_only_says_100_is_left_for_the_next_and_the_last_one_may_take_its_time() -> None:
    house = make_house()
    alice, one, two = phones(house)
    one.ring_status = two.ring_status = 0
    one.answer_after_s, two.answer_after_s = None, 25.0
    alice.invite("01632960123")
    house.run(40)
    assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(80)
    rows = house.journal.cdrs()
    assert [(row.trunk, row.outcome, row.sip_status) for row in rows] == [
        ("", "answered", 200),
        ("one", "no_answer", 408),
        ("two", "answered", 200),
    ]
    house.assert_clean()


def test_a_last_trunk_that_says_nothing_at_all_is_left_after_its_time() -> None:
    house = make_house(make_trunk("one", FIRST, answer_timeout_s=4))
    alice, one, _ = phones(house)
    house.link.detach(one.address)
    alice.invite("01632960123")
    house.run(4.5)
    assert alice.statuses[-1] == 408
    house.run(80)
    house.assert_clean()


def test_unreachable_trunks_end_in_a_clear_answer() -> None:
    house = make_house()
    alice, one, two = phones(house)
    house.link.detach(one.address)
    house.link.detach(two.address)
    alice.invite("01632960123")
    house.run(90)
    assert alice.statuses[-1] == 408
    assert house.journal.cdrs()[0].outcome == "no_answer"
    house.assert_clean()


def test_early_media_of_a_trunk_passes() -> None:
    house = make_house()
    alice, one, _ = phones(house)
    one.ring_status, one.ring_body = 183, ANSWER
    alice.invite("01632960123")
    house.run(0.4)
    assert (alice.statuses[-1], alice.responses[-1].body) == (183, ANSWER)


@pytest.mark.parametrize(
    ("number_format", "dialled", "caller"),
    [
        (NumberFormat.E164_PLUS, "+441632960123", "+441632960001"),
        (NumberFormat.E164, "441632960123", "441632960001"),
        (NumberFormat.NATIONAL, "01632960123", "01632960001"),
        (NumberFormat.INTERNATIONAL_00, "00441632960123", "00441632960001"),
    ],
)
def test_numbers_go_out_as_the_trunk_wants_them(
    number_format: NumberFormat, dialled: str, caller: str
) -> None:
    house = make_house(make_trunk("one", FIRST, number_format=number_format))
    alice, one, _ = phones(house)
    alice.invite("01632960123")
    house.run(2)
    request = one.requests_of("INVITE")[0]
    assert request.uri == f"sip:{dialled}@{FIRST}:5060"
    assert request.from_.uri == f"sip:{caller}@{DOMAIN}"
    assert request.headers.get("p-asserted-identity") == f"<sip:{caller}@{DOMAIN}>"


def test_a_line_presents_only_what_it_owns() -> None:
    house = make_house()
    alice, one, _ = phones(house)
    alice.invite("01632960123", from_='"Police" <sip:+441632960999@example.com>')
    house.run(2)
    assert one.requests_of("INVITE")[0].from_.uri == f"sip:+441632960001@{DOMAIN}"
    assert one.requests_of("INVITE")[0].from_.display == ""
    alice.invite("01632960123", from_="<sip:01632960009@example.com>")
    house.run(2)
    second = one.requests_of("INVITE")[-1]
    assert second.from_.uri == f"sip:+441632960009@{DOMAIN}"
    assert second.headers.get("p-asserted-identity") == f"<sip:+441632960001@{DOMAIN}>"


@pytest.mark.parametrize(
    ("dialled", "extra", "from_"),
    [
        ("14101632960123", [], ""),
        ("01632960123", [("Privacy", "id")], ""),
        ("01632960123", [("Privacy", "user;id;critical")], ""),
        ("01632960123", [("Privacy", "user")], ""),
        ("01632960123", [("Privacy", "header")], ""),
        ("01632960123", [("Privacy", "Full")], ""),
        ("01632960123", [("Privacy", "session; header")], ""),
        ("01632960123", [], '"Anonymous" <sip:anonymous@anonymous.invalid>'),
    ],
)
def test_a_withheld_number_is_anonymous_and_asserted(
    dialled: str, extra: list[tuple[str, str]], from_: str
) -> None:
    house = make_house()
    alice, one, _ = phones(house)
    alice.invite(dialled, extra=extra, from_=from_)
    house.run(2)
    request = one.requests_of("INVITE")[0]
    assert request.uri.startswith("sip:+441632960123@")
    assert request.from_.uri == "sip:anonymous@anonymous.invalid"
    assert request.headers.get("privacy") == "id"
    assert request.headers.get("p-asserted-identity") == f"<sip:+441632960001@{DOMAIN}>"
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.privacy, row.network_number) == ("id", "+441632960001")


@pytest.mark.parametrize("privacy", ["none", "session", "critical", "history", "identity"])
def test_another_privacy_withholds_nothing(privacy: str) -> None:
    house = make_house()
    alice, one, _ = phones(house)
    alice.invite("01632960123", extra=[("Privacy", privacy)])
    house.run(2)
    request = one.requests_of("INVITE")[0]
    assert request.from_.uri == f"sip:+441632960001@{DOMAIN}"
    assert request.headers.get("privacy") is None


def test_1470_releases_the_number_of_a_line_that_withholds() -> None:
    house = make_house(withholds_cli=True)
    alice, one, _ = phones(house)
    alice.invite("01632960123")
    house.run(2)
    alice.invite("147001632960123")
    house.run(2)
    first, second = one.requests_of("INVITE")
    assert first.headers.get("privacy") == "id"
    assert second.headers.get("privacy") is None
    assert second.from_.uri == f"sip:+441632960001@{DOMAIN}"


def test_remote_party_id_and_no_identity() -> None:
    house = make_house(make_trunk("one", FIRST, identity=IdentityHeader.RPID))
    alice, one, _ = phones(house)
    alice.invite("01632960123")
    house.run(2)
    value = one.requests_of("INVITE")[0].headers.get("remote-party-id") or ""
    assert value.startswith(f"<sip:+441632960001@{DOMAIN}>")
    assert "privacy=off" in value
    assert one.requests_of("INVITE")[0].headers.get("p-asserted-identity") is None
    alice.invite("14101632960123")
    house.run(2)
    request = one.requests_of("INVITE")[-1]
    value = request.headers.get("remote-party-id") or ""
    assert value.startswith(f"<sip:+441632960001@{DOMAIN}>")
    assert "privacy=full" in value
    assert request.from_.uri == "sip:anonymous@anonymous.invalid"
    assert request.headers.get("privacy") == "id"


def test_only_listed_headers_go_to_a_trunk() -> None:
    house = make_house(make_trunk("one", FIRST, pass_headers=frozenset({"user-to-user"})))
    alice, one, _ = phones(house)
    alice.invite(
        "01632960123", extra=[("X-Colour", "blue"), ("User-to-User", "abc"), ("Diversion", "<sip:1@x>")]
    )
    house.run(2)
    headers = one.requests_of("INVITE")[0].headers
    assert headers.get("user-to-user") == "abc"
    assert headers.get("x-colour") is None
    assert headers.get("diversion") is None


# What each leg has of its own, and what the exchange says of itself.
OF_THE_LEG = {"via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "content-length"}
OF_THE_EXCHANGE = {"allow", "supported", "session-expires", "user-agent"}
REFUSED = {"require", "proxy-require", "replaces"}  # 420, 481 before anything is sent on
OF_THE_LOGIN = {"authorization", "proxy-authorization"}
# Named here too, so that none can be forgotten there.
ADDRESSES = {
    "route", "record-route", "path", "service-route", "p-asserted-identity", "p-preferred-identity",
    "remote-party-id", "diversion", "history-info", "refer-to", "referred-by", "p-served-user",
    "p-called-party-id",
}  # fmt: skip


@pytest.mark.parametrize(("from_", "to"), [("line", "line"), ("line", "trunk"), ("trunk", "line")])
def test_no_field_of_ours_crosses_whatever_a_trunk_lists(from_: str, to: str) -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("one", FIRST, pass_headers=OURS | ADDRESSES | {"x-marker"})]),
        lines=[make_line("alice"), make_line("bob")],
        numbers={"+441632960001": "alice", "+441632960002": "bob"},
    )
    alice, bob, one = (
        house.phone("alice", "192.0.2.10"),
        house.phone("bob", "192.0.2.11"),
        house.phone("one", FIRST),
    )
    alice.register()
    bob.register()
    sent = (OURS | ADDRESSES | OF_THE_LOGIN | {"privacy"}) - OF_THE_LEG - REFUSED - set(BODY_HEADERS)
    if from_ == "line":
        sent -= OF_THE_LOGIN  # the phone writes its own
    else:
        sent -= {"diversion", "history-info"}  # a carrier is believed (test_invite_fields.py)
    values = dict.fromkeys(sent, "marker") | dict.fromkeys(sent & ADDRESSES, "<sip:marker@192.0.2.9;lr>")
    extra = [*(values | {"expires": "4711"}).items(), ("x-marker", "may pass")]
    caller, callee = alice if from_ == "line" else one, one if to == "trunk" else bob
    caller.invite("+441632960123" if to == "trunk" else "+441632960002", extra=extra)
    house.run(2)
    headers = callee.requests_of("INVITE")[0].headers
    assert headers.get("x-marker") == "may pass"
    written = OF_THE_LEG | OF_THE_EXCHANGE | set(BODY_HEADERS)
    if to == "trunk":
        written |= {"p-asserted-identity"}
    assert (OURS | sent).intersection(headers.keys()) <= written
    assert not [field for field in headers.items() if "marker" in field[1] or field[1] == "4711"]


def test_a_carrier_reaches_a_number_assigned_here() -> None:
    house = make_house()
    alice, one, _ = phones(house)
    one.user = "carrier"
    identity = [("P-Asserted-Identity", "<sip:+441632960777@one.example>")]
    one.invite("+441632960001", extra=identity, from_="<sip:+441632960888@one.example>")
    house.run(3)
    assert one.statuses[-1] == 200
    invite = alice.requests_of("INVITE")[0]
    assert invite.from_.uri == f"sip:+441632960888@{DOMAIN}"
    assert invite.headers.get("p-asserted-identity") is None
    one.hang_up()
    house.run(40)
    caller, callee = house.journal.cdrs()
    assert (caller.trunk, caller.ddi, caller.network_number, caller.presentation_number) == (
        "one",
        "+441632960001",
        "+441632960777",
        "+441632960888",
    )
    assert (caller.account_id, callee.line, callee.account_id) == (None, "alice", 1)
    assert caller.cost_micros == 0
    house.assert_clean()


def test_a_withheld_call_from_a_carrier_shows_no_number() -> None:
    house = make_house()
    alice, one, _ = phones(house)
    one.invite(
        "+441632960001",
        extra=[("P-Asserted-Identity", "<sip:+441632960777@one.example>"), ("Privacy", "id")],
        from_="<sip:+441632960888@one.example>",
    )
    house.run(3)
    text = "".join(value for _, value in alice.requests_of("INVITE")[0].headers.items())
    assert "1632960777" not in text
    assert "1632960888" not in text


@pytest.mark.parametrize(
    ("party", "network_number", "shown", "privacy"),
    [
        ("<sip:+441632960777@x>;party=calling;privacy=off", "+441632960777", "+441632960888", ""),
        ("<sip:+441632960777@x>", "+441632960777", "+441632960888", ""),
        ("<sip:+441632960777@x>;privacy=full;screen=yes", "+441632960777", "anonymous", "id"),
        ("<sip:+441632960777@x>;Privacy=FULL", "+441632960777", "anonymous", "id"),
        ("<<<", "+441632960888", "+441632960888", ""),
    ],
)
def test_a_carriers_remote_party_id_is_the_network_number(
    party: str, network_number: str, shown: str, privacy: str
) -> None:
    house = make_house()
    alice, one, _ = phones(house)
    one.invite("+441632960001", extra=[("Remote-Party-ID", party)], from_="<sip:+441632960888@one.example>")
    house.run(3)
    invite = alice.requests_of("INVITE")[0]
    assert invite.from_.uri.partition("@")[0] == f"sip:{shown}"
    assert invite.headers.get("remote-party-id") is None
    one.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.network_number, row.presentation_number, row.privacy) == (
        network_number,
        "+441632960888",
        privacy,
    )


@pytest.mark.parametrize(
    ("dialled", "outcome"), [("+441632960123", "trunk_to_trunk"), ("999", "trunk_to_trunk")]
)
def test_a_carrier_never_reaches_another_carrier(dialled: str, outcome: str) -> None:
    house = make_house()
    _, one, two = phones(house)
    one.invite(dialled)
    house.run(40)
    assert one.statuses[-1] == 403 or one.statuses[-1] == 404
    assert two.requests == []
    assert house.journal.cdrs()[0].outcome in (outcome, "number_not_assigned")


def test_a_line_calling_an_own_number_stays_on_net() -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("one", FIRST)]),
        lines=[make_line("alice"), make_line("bob")],
        numbers={"+441632960002": "bob"},
    )
    alice, bob, one = (
        house.phone("alice", "192.0.2.10"),
        house.phone("bob", "192.0.2.11"),
        house.phone("one", FIRST),
    )
    alice.register()
    bob.register()
    alice.invite("01632960002")
    house.run(3)
    assert bob.requests_of("INVITE")
    assert one.requests == []


def test_our_own_invite_coming_back_is_a_loop() -> None:
    house = make_house(make_trunk("one", FIRST))
    alice, one, _ = phones(house)
    one.answer_after_s = None
    alice.invite("01632960123")
    house.run(1)
    mine = one.requests_of("INVITE")[0]
    again = Request("INVITE", f"sip:+441632960123@{DOMAIN}", mine.headers.copy(), mine.body)
    again.headers.remove("via")
    one.stack.send_request(again, one.flow, one, house.clock.now)
    house.run(1)
    assert one.statuses[-1] == 482


def test_the_trunks_limit_of_calls_at_once() -> None:
    house = make_house(make_trunk("one", FIRST, calls_max=1))
    alice, one, _ = phones(house)
    alice.invite("01632960123")
    house.run(2)
    alice.invite("01632960124")
    house.run(2)
    assert alice.statuses[-1] == 480
    assert house.journal.cdrs()[-1].outcome == "trunk_calls_limit"
    assert len(one.requests_of("INVITE")) == 1
