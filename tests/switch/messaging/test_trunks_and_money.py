"""Texts to the outside and from there, and what they cost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.settings import Bar, LineSettings
from rating.tariff import load_tariff
from switch.calls.number_plan import NumberFormat
from switch.calls.routing import make_routing
from switch.conf_values import Secret
from switch.messaging import limits
from switch.sip.digest import parse_challenge
from switch.sip.message import Request, make_response
from tests.clock import HandClock
from tests.link import Link
from tests.switch.events.watcher import send
from tests.switch.house import DOMAIN, House, Phone, make_account, make_conf, make_line, make_trunk
from tests.switch.messaging.texts import NUMBERS, PLAIN, answer_with, assert_clean, bodies, records_of, text
from tests.tables import cases

HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
CALLS = "+44,UK,0,0.012,60,6,2020-01-01,\n"
TEXTS = "sms:+447,Text to a UK mobile,0.06,0,1,1,2020-01-01,\nsms:+44770090,Text,0.05,0,1,1,2020-01-01,\n"
PRICE = 50_000
MOBILE = "07700900123"


def make_town(tariff: str = CALLS + TEXTS, **options: object) -> tuple[House, Phone, Phone]:
    """alice, and a carrier that takes texts; `second` stands behind it, one that takes none before."""
    carrier = options.pop("carrier", {})
    conf = make_conf(
        trunks=[
            make_trunk("calls_only", "192.0.2.52"),
            make_trunk("carrier", "192.0.2.50", messages=True, **carrier),  # type: ignore[dict-item]
            make_trunk("second", "192.0.2.51", messages=True),
        ],
        routing=make_routing(
            {"+447": ("calls_only", "carrier", "second"), "+4420": ("calls_only",)},
            emergency_trunks=("carrier",),
            version="routing1",
        ),
        tariff=load_tariff("retail", HEADER + tariff, "inc_vat"),
    )
    options.setdefault("lines", [make_line("alice"), make_line("bob"), make_line("carol", account_id=2)])
    options.setdefault("accounts", [make_account(1), make_account(2)])
    house = House(conf=conf, numbers=NUMBERS, **options)  # type: ignore[arg-type]
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    return house, alice, house.phone("carrier", "192.0.2.50")


def test_a_text_goes_to_a_trunk_that_takes_them_and_is_charged_once() -> None:
    house, alice, carrier = make_town()
    assert text(alice, MOBILE).status == 200
    [message] = carrier.requests_of("MESSAGE")
    assert message.body == b"Watson, come here."
    assert message.uri == "sip:+447700900123@192.0.2.50:5060"
    assert message.from_.uri == f"sip:+441632960001@{DOMAIN}"
    assert message.headers.get("p-asserted-identity") == f"<sip:+441632960001@{DOMAIN}>"
    assert message.headers.get("content-type") == "text/plain"
    assert "proxy-authorization" not in message.headers
    assert house.balance() == 10_000_000 - PRICE
    [usage] = house.journal.usage()
    sender, destination = records_of(house)
    assert (usage.account_id, usage.call_id, usage.leg, usage.amount_micros) == (1, sender.call_id, 0, -PRICE)
    assert (sender.cost_micros, sender.connect_fee_micros, sender.usage_micros) == (PRICE, PRICE, 0)
    assert (sender.billed_s, sender.duration_ms, sender.answered_at_ms) == (0, 0, None)
    assert (sender.rate_prefix, sender.destination_name, sender.tariff) == ("sms:+44770090", "Text", "retail")
    assert (sender.balance_after_micros, sender.payer_account_id) == (house.balance(), 1)
    assert (sender.destination, sender.outcome, sender.sip_status) == ("+447700900123", "delivered", 200)
    assert (destination.trunk, destination.cost_micros, destination.payer_account_id) == ("carrier", 0, None)
    assert_clean(house)


@pytest.mark.parametrize(
    ("number_format", "user", "sender"),
    [
        (NumberFormat.E164, "447700900123", "441632960001"),
        (NumberFormat.NATIONAL, "07700900123", "01632960001"),
        (NumberFormat.INTERNATIONAL_00, "00447700900123", "00441632960001"),
    ],
)
def test_numbers_are_written_as_the_trunk_wants_them(
    number_format: NumberFormat, user: str, sender: str
) -> None:
    _, alice, carrier = make_town(carrier={"number_format": number_format})
    assert text(alice, MOBILE).status == 200
    [message] = carrier.requests_of("MESSAGE")
    assert message.uri == f"sip:{user}@192.0.2.50:5060"
    assert message.from_.uri == f"sip:{sender}@{DOMAIN}"


def test_a_withheld_number_is_asserted_to_the_carrier_alone() -> None:
    _, alice, carrier = make_town()
    text(alice, MOBILE, fields=[*PLAIN, ("privacy", "id"), ("x-mine", "1")])
    [message] = carrier.requests_of("MESSAGE")
    assert message.from_.uri == "sip:anonymous@anonymous.invalid"
    assert message.headers.get("privacy") == "id"
    assert "x-mine" not in message.headers


# What the carrier says -> the sender hears, who was tried, what it costs.
@pytest.mark.parametrize(
    ("first", "second", "told", "tried", "cost"),
    cases(
        """
        # first second -> told tried cost
          200   200    -> 200  1     50000
          202   200    -> 202  1     50000
          404   200    -> 404  1     0
          603   200    -> 603  1     0
          488   200    -> 488  1     0
          500   200    -> 200  2     50000
          503   202    -> 202  2     50000
          401   200    -> 200  2     50000
          503   503    -> 500  2     0
          503   404    -> 404  2     0
          302   200    -> 480  1     0
        """
    ),
)
def test_failover_and_the_charge(first: str, second: str, told: str, tried: str, cost: str) -> None:
    house, alice, carrier = make_town()
    other = house.phone("second", "192.0.2.51")
    answer_with(carrier, int(first))
    answer_with(other, int(second))
    assert text(alice, MOBILE).status == int(told)
    assert len(carrier.requests_of("MESSAGE")) == 1
    assert len(other.requests_of("MESSAGE")) == int(tried) - 1
    assert house.balance() == 10_000_000 - int(cost)
    assert len(house.journal.usage()) == (int(cost) > 0)
    assert_clean(house)


def test_a_silent_trunk_is_left_for_the_next() -> None:
    house, alice, carrier = make_town()
    other = house.phone("second", "192.0.2.51")
    answer_with(carrier, 0)
    text(alice, MOBILE)
    house.run(8)
    assert alice.statuses[-1] == 200
    assert len(other.requests_of("MESSAGE")) == 1
    assert house.balance() == 10_000_000 - PRICE
    assert_clean(house)


def test_a_trunk_that_takes_it_too_late_changes_nothing() -> None:
    house, alice, carrier = make_town()
    house.phone("second", "192.0.2.51")
    late = []

    def on_request(transaction, request, flow, now) -> None:  # type: ignore[no-untyped-def]
        late.append(transaction)

    carrier.on_request = on_request  # type: ignore[method-assign]
    text(alice, MOBILE)
    house.run(8)
    late[0].respond(make_response(late[0].request, 202), house.clock.now)
    house.run(5)
    assert alice.statuses[-1] == 200
    assert house.balance() == 10_000_000 - PRICE
    assert [row.trunk for row in records_of(house)] == ["", "second"]
    assert_clean(house)


def test_a_trunk_that_was_left_may_still_take_it() -> None:
    house, alice, carrier = make_town()
    other = house.phone("second", "192.0.2.51")
    answer_with(other, 0)
    late = []

    def on_request(transaction, request, flow, now) -> None:  # type: ignore[no-untyped-def]
        late.append(transaction)

    carrier.on_request = on_request  # type: ignore[method-assign]
    text(alice, MOBILE)
    house.run(8)
    late[0].respond(make_response(late[0].request, 202), house.clock.now)
    house.run(5)
    assert alice.statuses[-1] == 202
    assert house.balance() == 10_000_000 - PRICE
    assert [row.trunk for row in records_of(house)] == ["", "carrier"]
    assert_clean(house)


def test_silence_of_all_costs_nothing_and_is_said_in_time() -> None:
    house, alice, carrier = make_town()
    answer_with(carrier, 0)
    text(alice, MOBILE)
    house.run(limits.DEADLINE_S + 1)
    assert alice.statuses[-1] == 504
    assert house.balance() == 10_000_000
    assert [row.outcome for row in records_of(house)] == ["failed", "failed"]
    assert_clean(house)


def test_a_carriers_challenge_is_answered() -> None:
    house, alice, carrier = make_town(carrier={"username": "offhook42", "password": Secret("pw")})

    def on_request(transaction, request, flow, now) -> None:  # type: ignore[no-untyped-def]
        carrier.requests.append(request)
        given = request.headers.get("authorization")
        response = make_response(request, 200 if given else 401)
        if not given:
            response.headers.add("www-authenticate", 'Digest realm="c", nonce="n", qop="auth"')
        transaction.respond(response, now)

    carrier.on_request = on_request  # type: ignore[method-assign]
    assert text(alice, MOBILE).status == 200
    first, second = carrier.requests_of("MESSAGE")
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert 'username="offhook42"' in (second.headers.get("authorization") or "")
    assert parse_challenge('Digest realm="c", nonce="n"') is not None
    assert house.balance() == 10_000_000 - PRICE


@pytest.mark.parametrize(
    ("options", "target", "status"),
    [
        ({"tariff": CALLS}, MOBILE, 403),  # no price, never free
        ({"balances": {1: PRICE - 1}}, MOBILE, 402),
        ({"accounts": [make_account(1, is_suspended=True), make_account(2)]}, MOBILE, 403),
        ({"accounts": [make_account(1, tariff="none"), make_account(2)]}, MOBILE, 403),
        ({}, "02079460123", 403),  # a route, but no trunk of it takes texts
        ({}, "999", 403),
        ({}, "112", 403),
        ({}, "0012125550100", 404),
    ],
)
def test_what_is_refused_costs_nothing(options: dict[str, object], target: str, status: int) -> None:
    house, alice, carrier = make_town(**options)  # type: ignore[arg-type]
    before = house.balance()
    assert text(alice, target).status == status
    assert carrier.requests_of("MESSAGE") == []
    assert house.balance() == before
    assert house.journal.usage() == []
    house.assert_clean()


@pytest.mark.parametrize(
    ("of_alice", "of_bob", "target"),
    [
        ({"bars": (Bar("mobile"),)}, {}, MOBILE),
        ({"operator_bars": (Bar("all"),)}, {}, "bob"),
        ({"blocked_destinations": ("+447700900123",)}, {}, MOBILE),
        ({}, {"bars_incoming": True}, "bob"),
        ({}, {"blocked_callers": ("+441632960001",)}, "01632960002"),
    ],
)
def test_bars_and_lists_are_those_of_calls(
    of_alice: dict[str, object], of_bob: dict[str, object], target: str
) -> None:
    lines = [
        make_line("alice", settings=LineSettings(**of_alice)),  # type: ignore[arg-type]
        make_line("bob", settings=LineSettings(**of_bob)),  # type: ignore[arg-type]
    ]
    house, alice, carrier = make_town(lines=lines)
    assert text(alice, target).status in (403, 603)
    assert carrier.requests == [] and house.journal.usage() == []
    assert house.exchange.messaging.waiting.count == 0


def test_who_is_not_to_be_disturbed_may_be_written_to() -> None:
    _, alice, _ = make_town(
        lines=[make_line("alice"), make_line("bob", settings=LineSettings(does_not_disturb=True))]
    )
    assert text(alice, "bob").status == 202


def test_the_last_penny_buys_a_text() -> None:
    house, alice, _ = make_town(balances={1: PRICE})
    assert text(alice, MOBILE).status == 200
    assert house.balance() == 0
    assert text(alice, MOBILE).status == 402


def test_without_a_journal_no_text_is_sold() -> None:
    house, alice, carrier = make_town()
    house.journal.is_failed = True
    response = text(alice, MOBILE)
    assert (response.status, response.headers.get("retry-after")) == (503, "5")
    assert carrier.requests == []


def test_between_lines_a_price_is_charged_when_it_is_accepted() -> None:
    house, alice, _ = make_town(CALLS + "sms:on-net,Text to a line,0.01,0,1,1,2020-01-01,\n")
    assert text(alice, "carol").status == 202
    assert house.balance() == 10_000_000 - 10_000
    bob = house.phone("bob", "192.0.2.20")
    bob.register()
    assert text(alice, "bob").status == 200
    assert house.balance() == 10_000_000 - 20_000
    answer_with(bob, 603)
    assert text(alice, "bob").status == 603
    assert house.balance() == 10_000_000 - 20_000
    carol = house.phone("carol", "192.0.2.30")
    carol.register()
    house.run(5)
    assert len(bodies(carol)) == 1
    assert house.balance() == 10_000_000 - 20_000, "delivery costs nothing more"
    assert house.balance(2) == 10_000_000, "nobody pays for what he gets"
    assert_clean(house)


def from_carrier(carrier: Phone, target: str, body: bytes = b"hello", sender: str = "+447700900123") -> int:
    headers = carrier._headers("MESSAGE", f"<sip:{target}@{DOMAIN}>", from_=f"<sip:{sender}@192.0.2.50>")
    headers.add("content-type", "text/plain")
    request = Request("MESSAGE", f"sip:{target}@{DOMAIN}", headers, body)
    carrier.stack.send_request(request, carrier.flow, carrier, carrier.house.clock.now)
    carrier.house.run(0.3)
    return carrier.statuses[-1]


def test_a_carriers_text_reaches_a_line_or_waits_for_it() -> None:
    house, alice, carrier = make_town()
    assert from_carrier(carrier, "+441632960001") == 200
    [message] = alice.requests_of("MESSAGE")
    assert message.from_.uri == f"sip:+447700900123@{DOMAIN}"
    assert message.to.uri == f"sip:+441632960001@{DOMAIN}"
    assert from_carrier(carrier, "01632960002") == 202
    bob = house.phone("bob", "192.0.2.20")
    bob.register()
    house.run(5)
    assert bodies(bob) == [b"hello"]
    sender = records_of(house)[0]
    assert (sender.trunk, sender.line, sender.cost_micros, sender.payer_account_id) == (
        "carrier",
        "",
        0,
        None,
    )
    assert_clean(house)


@pytest.mark.parametrize("target", ["+447700900999", "+441632960009", "999", "alice", "+442079460123"])
def test_a_carrier_reaches_numbers_assigned_here_alone(target: str) -> None:
    house, alice, carrier = make_town()
    assert from_carrier(carrier, target) in (403, 404)
    assert alice.requests == []
    assert house.exchange.messaging.waiting.count == 0


def test_a_carriers_text_with_a_number_that_breaks_a_rule_is_refused_and_counted() -> None:
    house, alice, carrier = make_town()
    assert from_carrier(carrier, "+441632960001", sender="+449098790123") == 403
    assert alice.requests == []
    assert house.exchange.counts.cli_decisions == {("carrier", "premium", "block"): 1}


def test_a_carrier_without_messages_may_not() -> None:
    house, alice, _ = make_town()
    other = house.phone("calls_only", "192.0.2.52")
    assert from_carrier(other, "+441632960001") == 403
    assert send(other, "PUBLISH", "+441632960001", [("event", "presence")]).status == 403
    assert alice.requests == []


def test_a_carrier_has_a_pace() -> None:
    house, _, carrier = make_town()
    house.exchange.messaging._paces.clear()
    statuses = []
    for _ in range(limits.TRUNK_MESSAGES_BURST + 20):
        headers = carrier._headers(
            "MESSAGE", f"<sip:+441632960001@{DOMAIN}>", from_="<sip:+447700900123@x.example>"
        )
        request = Request("MESSAGE", f"sip:+441632960001@{DOMAIN}", headers, b"x")
        carrier.stack.send_request(request, carrier.flow, carrier, house.clock.now)
    house.run(0.1)
    statuses = carrier.statuses[-(limits.TRUNK_MESSAGES_BURST + 20) :]
    assert statuses.count(480) > 0
    assert statuses.count(200) >= limits.TRUNK_MESSAGES_BURST


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    answers=st.lists(
        st.tuples(st.sampled_from([200, 202, 404, 500, 0]), st.sampled_from([200, 503, 0])), max_size=6
    ),
)
def test_money_is_conserved_over_bad_links(seed: int, answers: list[tuple[int, int]]) -> None:
    """What left the account is what was accepted, to the micro and once; nothing stays reserved."""
    link = Link(HandClock(), seed=seed, loss=0.15, duplication=0.15, reorder=0.15)
    house, alice, carrier = make_town(link=link, balances={1: 3 * PRICE})
    other = house.phone("second", "192.0.2.51")
    for first, second in answers:
        answer_with(carrier, first)
        answer_with(other, second)
        headers = alice._headers("MESSAGE", f"<sip:{MOBILE}@{DOMAIN}>")
        request = Request("MESSAGE", f"sip:{MOBILE}@{DOMAIN}", headers, b"x")
        alice.stack.send_request(request, alice.flow, alice, house.clock.now)
        house.run(70)
    accepted = sum(status in (200, 202) for status in alice.statuses) - alice_registered(alice)
    delivered = [row for row in records_of(house) if row.leg == 0 and row.outcome == "delivered"]
    usage = house.journal.usage()
    assert house.balance() == 3 * PRICE + sum(entry.amount_micros for entry in usage)
    assert len(usage) == len(delivered) == len({entry.call_id for entry in usage})
    assert sum(row.cost_micros for row in delivered) == -sum(entry.amount_micros for entry in usage)
    assert len(usage) >= accepted
    assert house.balance() >= 0
    house.run(70)
    house.assert_clean()


def alice_registered(alice: Phone) -> int:
    """Her 200s to REGISTER."""
    return sum(r.status == 200 and r.cseq.method == "REGISTER" for r in alice.responses)
