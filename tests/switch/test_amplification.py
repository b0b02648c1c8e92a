"""An unauthenticated datagram gets one answer, at most 400 octets longer than itself, within a budget."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.model import DigestPolicy
from switch.config import DigestSettings
from switch.door.answer_budget import BURST_OCTETS
from switch.sip.flow import TCP
from switch.sip.message import Response
from switch.sip.parser import parse_message
from switch.sip.stateless import SURPLUS_MAX, fitting
from tests.switch.house import DOMAIN, House, make_conf, make_line, make_trunk
from tests.switch.strangers import Stranger, strict

REALM = "r" * 100  # the longest that a configuration may have


def make_house(realm: str = REALM) -> House:
    conf = make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], security=strict())
    conf = msgspec.structs.replace(conf, digest=DigestSettings(realm=realm))
    return House(conf=conf, lines=[make_line("alice", realm=realm, digest=DigestPolicy.BOTH)])


WORDS = st.text(alphabet="abcxyz", min_size=1, max_size=40)
LONG = st.integers(0, 3).map(lambda n: "x" * (n * 300))
METHODS = st.sampled_from(
    ["REGISTER", "INVITE", "REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE", "NOTIFY", "INFO", "BYE"]
) | st.sampled_from(["UPDATE", "PRACK", "PUBLISH", "REFER", "CANCEL", "ACK", "NEW", "register"])
URIS = st.sampled_from(
    [
        "sip:a",
        "sip:a",
        f"sip:{DOMAIN}",
        f"sip:alice@{DOMAIN}",
        "sips:x",
        "tel:999",
        "urn:service:sos",
        "http:a",
        "<",
    ]
)
FIELDS = {
    "v": "Via",
    "f": "From",
    "t": "To",
    "i": "Call-ID",
    "m": "Contact",
    "l": "Content-Length",
    "k": "Supported",
}
EXTRA = st.sampled_from(
    [
        "Require: a",
        "Proxy-Require: b,c,d",
        "Max-Forwards: 0",
        "Max-Forwards: 1_0",
        "Expires: x",
        "Record-Route: <sip:a;lr>",
        "Authorization: Digest x",
        'Authorization: Digest username="a", realm="'
        + REALM
        + '", nonce="0", uri="sip:a", response="0", qop=auth, '
        "algorithm=MD5, nc=00000001, cnonce=0",
        "Timestamp: 1",
        "CSeq: 2 INVITE",
        "User-Agent: sipcli",
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """As short as can be, mostly: compact names, no Max-Forwards, a Via for each hop; now and then broken."""
    method, uri = draw(METHODS), draw(URIS)
    names = FIELDS.items() if draw(st.booleans()) else [(name, name) for name in FIELDS.values()]
    name_of = {long: short for short, long in names}
    to_tag = f";tag={draw(WORDS)}" if draw(st.integers(0, 3)) == 0 else ""
    lines = [f"{name_of['Via']}:SIP/2.0/UDP {draw(st.sampled_from(['a', '1.2.3.4:9', '[2001:db8::1]']))}"]
    lines[0] += draw(
        st.sampled_from(["", ";rport", ";branch=z9hG4bK" + draw(WORDS), ";rport;received=9.9.9.9"])
    )
    lines += [
        f"{name_of['Via']}:SIP/2.0/UDP b;branch=z9hG4bK{n}"
        for n in range(draw(st.sampled_from([0, 0, 0, 1, 20, 69, 80])))
    ]
    lines += [
        f"{name_of['From']}:<sip:{draw(WORDS)}@{DOMAIN}>;tag={draw(WORDS)}{draw(LONG)}",
        f"{name_of['To']}:sip:{draw(WORDS)}{to_tag}",
        f"{name_of['Call-ID']}:{draw(WORDS)}{draw(LONG)}",
        f"CSeq:{draw(st.integers(1, 9999))} {method}",
    ]
    if draw(st.booleans()):
        lines.append(f"{name_of['Contact']}:<sip:a@b>")
    lines += draw(st.lists(EXTRA, max_size=1) | st.lists(EXTRA, max_size=3))
    if draw(st.integers(0, 9)) == 0:
        lines.pop(draw(st.integers(0, len(lines) - 1)))
    version = draw(st.sampled_from(["SIP/2.0"] * 9 + ["SIP/3.0"]))
    return (f"{method} {uri} {version}\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()


HOUSES = {realm: make_house(realm) for realm in (REALM, "offhook")}


@settings(max_examples=1500, deadline=None)
@given(
    data=requests(),
    realm=st.sampled_from([REALM, "offhook"]),
    host=st.sampled_from(["203.0.113.9", "2001:db8:1111:2222:3333:4444:5555:6666"]),
)
def test_a_stranger_gets_one_answer_no_longer_than_400_octets_more(
    data: bytes, realm: str, host: str
) -> None:
    house = HOUSES[realm]
    house.clock.move_to(house.clock.now + 60.0)  # the budget is whole again
    stranger = Stranger(house, (host, 5060))
    answers = stranger.send(data)
    assert len(answers) <= 1
    assert len(stranger.last_answer) <= len(data) + SURPLUS_MAX
    assert house.exchange.counts.bugs == 0
    assert house.exchange.stack.transactions_count == 0


def test_the_property_sees_answers_of_every_kind() -> None:
    """What the property above is worth: the bench does answer, and with more than the request."""
    house = make_house()
    statuses, surplus = set(), []
    for method in ("REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "BYE", "NEWFANGLED"):
        stranger = Stranger(house, ("203.0.113.9", 5060))
        answer = stranger.ask(method)
        assert answer is not None
        statuses.add(answer.status)
        surplus.append(len(stranger.last_answer) - len(stranger.last_sent))
    assert {401, 407, 200, 481, 501} <= statuses
    assert max(surplus) > 0


SHORT = (
    f"REGISTER sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;rport\r\nf:sip:a;tag=1\r\nt:sip:a@{DOMAIN}\r\ni:1\r\n"
    "CSeq:1 REGISTER\r\n\r\n"
)


def test_of_two_challenges_the_preferred_one_stays_where_both_are_too_long() -> None:
    stranger = Stranger(make_house(), ("203.0.113.9", 5060))
    (answer,) = stranger.send(SHORT.encode())
    (challenge,) = answer.headers.get_all("www-authenticate")
    assert "SHA-256" in challenge
    answer = stranger.ask(
        "REGISTER", fields="Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nSupported: x\r\n" * 5
    )
    assert answer is not None
    assert len(answer.headers.get_all("www-authenticate")) == 2


def test_with_the_realm_as_shipped_a_request_of_any_phone_gets_both_challenges() -> None:
    stranger = Stranger(make_house("offhook"), ("203.0.113.9", 5060))
    answer = stranger.ask("REGISTER")
    assert answer is not None
    assert len(answer.headers.get_all("www-authenticate")) == 2


def test_who_is_no_stranger_gets_the_whole_answer() -> None:
    house = make_house()
    (answer,) = Stranger(house, ("192.0.2.50", 5060)).send(SHORT.encode())
    assert len(answer.headers.get_all("www-authenticate")) == 2
    (answer,) = Stranger(house, ("203.0.113.9", 5060), transport=TCP).send(
        SHORT.replace("UDP", "TCP").encode()
    )
    assert len(answer.headers.get_all("www-authenticate")) == 2


def parsed(text: str) -> Response:
    message = parse_message(text.replace("\n", "\r\n").encode())
    assert isinstance(message, Response)
    return message


def test_what_is_dispensable_goes_first_and_what_is_not_makes_it_no_answer() -> None:
    response = parsed(
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP a\nFrom: <sip:a>;tag=1\nTo: <sip:b>;tag=2\nCall-ID: 1\nCSeq: 1 OPTIONS\n"
        "Server: Offhook\nAllow: INVITE, ACK\nAccept: application/sdp\n\n"
    )
    whole = fitting(response, 10_000)
    assert whole is not None and b"Server" in whole
    less = fitting(response, len(whole) - 1)
    assert less is not None and b"Server" not in less and b"Accept" in less
    least = fitting(response, 130)
    assert least is not None and b"Allow" not in least
    assert fitting(response, 50) is None


def test_over_its_budget_a_source_gets_nothing_and_others_do() -> None:
    house = make_house("offhook")
    stranger, other = Stranger(house, ("203.0.113.9", 5060)), Stranger(house, ("203.0.113.10", 5060))
    sent = 0
    for n in range(2000):
        if stranger.ask("OPTIONS", f"u{n}") is not None:
            sent += len(stranger.last_answer)
    assert BURST_OCTETS - 1000 < sent <= BURST_OCTETS
    assert house.exchange.sip_counts.dropped["answer over budget"] > 0
    assert other.ask("OPTIONS") is not None
    house.clock.move_to(house.clock.now + 1.0)
    assert stranger.ask("OPTIONS") is not None


@pytest.mark.parametrize("host", ["192.0.2.50", "203.0.113.77"])
def test_trunks_and_registered_flows_have_no_budget(host: str) -> None:
    house = make_house("offhook")
    caller = Stranger(house, (host, 5060))
    assert caller.log_in("alice", "secret") == 200
    assert all(caller.ask("OPTIONS", f"u{n}") is not None for n in range(2000))


def test_garbage_that_can_be_answered_is_answered_within_the_budget_too() -> None:
    house = make_house("offhook")
    stranger = Stranger(house, ("203.0.113.9", 5060))
    garbage = (
        b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x;rport;branch=z9hG4bKq\r\nFrom: <<<\r\n"
        + b"X: y\r\n" * 50
    )
    answered = sum(bool(stranger.send(garbage + b"\r\n")) for _ in range(5000))
    assert 0 < answered < 5000


def test_a_stray_cancel_and_a_request_in_no_dialog_leave_nothing_and_count_against_the_budget() -> None:
    house = make_house("offhook")
    stranger = Stranger(house, ("203.0.113.9", 5060))
    for method in ("CANCEL", "BYE", "INVITE", "INFO", "UPDATE"):
        answer = stranger.ask(method, to=f"<sip:alice@{DOMAIN}>;tag=x")
        assert answer is not None and answer.status == 481
    assert house.exchange.stack.transactions_count == 0
    assert house.exchange.door.budgets_count == 1
