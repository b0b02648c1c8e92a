"""Who may come in: challenges, logins, and what strangers get for their requests."""

from collections import Counter

import pytest
from structlog.testing import capture_logs

from provisioning.model import DigestPolicy
from switch.sip.digest import parse_challenge
from switch.sip.flow import UDP, Flow
from switch.sip.headers import Headers
from switch.sip.message import Request, Response
from tests.switch.house import DOMAIN, House, Phone, make_line

SOMEWHERE = Flow(UDP, "192.0.2.99", 5060, "192.0.2.1", 5060)


def make_house(**line: object) -> tuple[House, Phone]:
    house = House(lines=[make_line("alice", **line)])
    return house, house.phone("alice", "192.0.2.10")


def test_a_right_password_registers() -> None:
    house, alice = make_house()
    alice.register()
    assert alice.statuses == [401, 200]
    assert house.exchange.bindings.count == 1


def algorithms_of(response: Response | None) -> list[str]:
    """What a 401 or 407 asks for."""
    assert response is not None
    values = response.headers.get_all("proxy-authenticate" if response.status == 407 else "www-authenticate")
    return [challenge.algorithm for value in values if (challenge := parse_challenge(value))]


@pytest.mark.parametrize("policy", DigestPolicy)
def test_a_wrong_password_and_an_unknown_user_get_the_same_answers(policy: DigestPolicy) -> None:
    house, _ = make_house(digest=policy)
    wrong = house.phone("alice", "192.0.2.20", password="wrong")
    nobody = house.phone("nobody", "192.0.2.21")
    wrong.register()
    nobody.register()
    assert wrong.statuses == nobody.statuses == [401, 401]
    shapes = [
        [
            ([name for name, _ in response.headers.items()], algorithms_of(response))
            for response in phone.responses
        ]
        for phone in (wrong, nobody)
    ]
    assert shapes[0] == shapes[1]
    assert house.exchange.bindings.count == 0
    assert house.exchange.counts.logins["wrong"] == 2


def offer_to(house: House, user: str, authorization: str = "") -> tuple[str, ...]:
    headers = Headers()
    for name, value in [
        ("from", f"<sip:{user}@{DOMAIN}>;tag=1"),
        ("to", f"<sip:{user}@{DOMAIN}>"),
        ("call-id", "1"),
        ("cseq", "1 REGISTER"),
        ("authorization", authorization),
    ]:
        if value:
            headers.add(name, value)
    response = house.exchange.screen(Request("REGISTER", f"sip:{DOMAIN}", headers), SOMEWHERE, 0.0)
    assert response is not None
    return (str(response.status), response.reason, *algorithms_of(response))


MIXED = [
    make_line(f"{policy.value}{number}", digest=policy)
    for policy, count in ((DigestPolicy.MD5, 10), (DigestPolicy.BOTH, 6), (DigestPolicy.SHA256, 4))
    for number in range(count)
]
STRANGERS = [f"stranger{number}" for number in range(1000)]


def test_a_strangers_challenge_is_as_likely_as_a_lines() -> None:
    """Otherwise an exchange whose lines differ in policy would tell who exists to whoever asks."""
    house = House(lines=MIXED)
    known = Counter(offer_to(house, line.user) for line in MIXED)
    strangers = Counter(offer_to(house, user) for user in STRANGERS)
    assert strangers.keys() == known.keys()
    for offer, lines in known.items():
        assert strangers[offer] / len(STRANGERS) == pytest.approx(lines / len(MIXED), abs=0.05)


def test_a_strangers_challenge_stays_the_same_also_after_a_restart() -> None:
    house = House(lines=MIXED)
    offers = [offer_to(house, user) for user in STRANGERS]
    assert [offer_to(house, user) for user in STRANGERS] == offers
    again = House(lines=MIXED, state=house.journal.state, seed=2)
    assert [offer_to(again, user) for user in STRANGERS] == offers


def test_a_strangers_challenge_cannot_be_foretold() -> None:
    """The key is each exchange's own."""
    one, other = House(lines=MIXED), House(lines=MIXED, seed=2)
    assert [offer_to(one, user) for user in STRANGERS] != [offer_to(other, user) for user in STRANGERS]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_credentials_are_judged_for_a_stranger_as_for_a_line_with_the_same_challenge(algorithm: str) -> None:
    """Also answers that are malformed, stale, or in an algorithm that was not asked for."""
    house = House(lines=MIXED)
    nonces = [house.exchange._screening._digest._nonces.mint(0.0, SOMEWHERE.remote_host), "0" * 40]
    shapes = [
        f'Digest username="%s", realm="offhook", nonce="{nonce}", uri="sip:{DOMAIN}", response="0", '
        f"algorithm={algorithm}{rest}"
        for nonce in nonces
        for rest in ("", ', qop=auth, nc=00000001, cnonce="x"')
    ]
    for line in MIXED[::5]:
        offer = offer_to(house, line.user)
        stranger = next(user for user in STRANGERS if offer_to(house, user) == offer)
        for shape in shapes:
            assert offer_to(house, line.user, shape % line.user) == offer_to(
                house, stranger, shape % stranger
            )


def test_a_login_as_user_at_domain_is_refused_like_any_and_the_operator_is_told_once() -> None:
    house, _ = make_house()
    headers = {user: f'username="{user}@{DOMAIN}"' for user in ("alice", "nobody")}
    nonce = house.exchange._screening._digest._nonces.mint(0.0, SOMEWHERE.remote_host)
    rest = f'realm="offhook", nonce="{nonce}", uri="sip:{DOMAIN}", response="0", qop=auth, nc=00000001, cnonce="x"'
    with capture_logs() as logs:
        answers = [
            offer_to(house, user, f"Digest {headers[user]}, {rest}") for user in ("alice", "nobody") * 2
        ]
    assert set(answers) == {("401", "Unauthorized", "MD5")}
    assert house.exchange.counts.logins == {"user_at_domain": 4}
    assert [(entry["event"], entry["line"], entry["remote"]) for entry in logs] == [
        ("login_as_user_at_domain", "alice", "192.0.2.99:5060")
    ]


def test_a_challenge_leaves_nothing_behind() -> None:
    house, _ = make_house()
    stranger = house.phone("alice", "192.0.2.20", password="")
    before = house.exchange.stack.transactions_count
    stranger.invite("01632960001")
    house.link.run(0.03)
    assert stranger.statuses[0] == 407
    assert house.exchange.stack.transactions_count == before
    assert house.journal.cdrs() == []
    assert house.exchange.counts.unidentified["INVITE"] == 1


@pytest.mark.parametrize(
    ("policy", "algorithms"),
    [
        (DigestPolicy.MD5, ["MD5"]),
        (DigestPolicy.BOTH, ["SHA-256", "MD5"]),
        (DigestPolicy.SHA256, ["SHA-256"]),
    ],
)
def test_a_line_is_challenged_by_its_policy(policy: DigestPolicy, algorithms: list[str]) -> None:
    house, alice = make_house(digest=policy)
    alice.register()
    assert alice.statuses == [401, 200]
    assert algorithms_of(alice.responses[0]) == algorithms
    assert house.exchange.bindings.count == 1


def test_a_line_cannot_register_for_another() -> None:
    house = House(lines=[make_line("alice"), make_line("bob")])
    alice = house.phone("alice", "192.0.2.10")
    headers = alice._headers("REGISTER", f"<sip:bob@{DOMAIN}>")
    headers.add("contact", f"<{alice.contact}>")
    alice.stack.send_request(Request("REGISTER", f"sip:{DOMAIN}", headers), alice.flow, alice, 0.0)
    house.run(1)
    assert alice.statuses == [401, 403]
    assert house.exchange.bindings.count == 0


def test_a_register_for_another_domain_is_not_ours() -> None:
    house, alice = make_house()
    headers = alice._headers("REGISTER", "<sip:alice@elsewhere.example>")
    headers.add("contact", f"<{alice.contact}>")
    alice.stack.send_request(Request("REGISTER", "sip:elsewhere.example", headers), alice.flow, alice, 0.0)
    house.run(1)
    assert alice.statuses[-1] == 404


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("OPTIONS", 200),
        ("SUBSCRIBE", 401),
        ("MESSAGE", 407),
        ("PUBLISH", 401),
        ("REFER", 405),
        ("BYE", 481),
        ("INFO", 481),
        ("NOTIFY", 481),
        ("UPDATE", 481),
        ("PRACK", 481),
        ("NEWFANGLED", 501),
        ("OTHER", 501),  # also the word that unknown methods are counted under
    ],
)
def test_what_a_stranger_gets_for_other_requests(method: str, status: int) -> None:
    house, alice = make_house()
    alice._answer_challenge = lambda *_: False
    headers = alice._headers(method, f"<sip:{DOMAIN}>")
    alice.stack.send_request(Request(method, f"sip:{DOMAIN}", headers), alice.flow, alice, 0.0)
    house.run(1)
    assert alice.statuses == [status]
    if status in (200, 405, 501):
        assert "INVITE" in (alice.responses[0].headers.get("allow") or "")
    assert alice.responses[0].headers.get("accept") == ("application/sdp" if method == "OPTIONS" else None)
    assert house.exchange.counts.bugs == 0


@pytest.mark.parametrize("field", ["require", "proxy-require"])
def test_an_extension_that_we_lack_is_420(field: str) -> None:
    house, alice = make_house()
    alice.invite("01632960001", extra=[(field, "100rel, teleport")])
    house.run(1)
    assert alice.statuses == [420]
    assert alice.responses[0].headers.get("unsupported") == "teleport"


def test_an_invite_without_contact_is_400_and_leaves_nothing() -> None:
    house, alice = make_house()
    transaction_headers = alice._headers("INVITE", f"<sip:01632960001@{DOMAIN}>")
    alice.stack.send_request(
        Request("INVITE", f"sip:01632960001@{DOMAIN}", transaction_headers), alice.flow, alice, 0.0
    )
    house.run(40)
    assert alice.statuses[-1] == 400
    house.assert_clean()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x00" * 2000,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKq\r\nFrom: <<<\r\nTo: \r\n"
        b"Call-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
    ],
)
def test_nonsense_is_survived(data: bytes) -> None:
    house, alice = make_house()
    house.exchange.receive(data, house.link.flow(("192.0.2.1", 5060), alice.address), 0.0)
    assert house.exchange.counts.bugs == 0
    alice.register()
    assert alice.statuses == [401, 200]


def test_headers_of_a_challenge_are_ours_alone() -> None:
    house, alice = make_house()
    alice.invite("01632960001", extra=[("X-Injected", "yes")])
    house.link.run(0.03)
    assert isinstance(alice.responses[0].headers, Headers)
    assert alice.responses[0].headers.get("x-injected") is None
