"""How many calls lines, accounts and trunks have at once: a target that was left is nobody's call any more."""

import msgspec
import pytest

from provisioning.model import Divert, DivertCondition, DivertKind, LineKind
from provisioning.settings import AccountSettings
from rating.tariff import load_tariff
from switch.calls.high_cost import HighCost
from switch.calls.routing import make_routing
from switch.conf_safety import FraudSettings, Safety
from tests.switch.calls.test_customer_trunks import FIRST, SECOND, at
from tests.switch.calls.test_plans import Office
from tests.switch.calls.test_safety import OPEN, TARIFF, alarms
from tests.switch.house import TARIFF_CSV, House, make_account, make_conf, make_line, make_trunk

ON_NET = "on-net,On-net,0.01,0.03,60,60,2020-01-01,\n"


def two_carriers(**changes: object) -> House:
    """alice (account 1); bob (account 2) diverts all calls to Cuba. The first carrier of the route refuses."""
    trunks = [make_trunk("one", "192.0.2.50"), make_trunk("two", "192.0.2.51")]
    routing = make_routing({"+": ("one", "two")}, version="routing1")
    conf = make_conf(trunks=trunks, tariff=TARIFF, routing=routing)
    abroad = Divert(DivertCondition.ALL, DivertKind.NUMBER, "+5371234567")
    house = House(
        conf=msgspec.structs.replace(conf, **changes),
        lines=[make_line("alice"), make_line("bob", 2, diverts=(abroad,))],
        accounts=[make_account(1), make_account(2, settings=AccountSettings(opted_in=OPEN))],
        balances={1: 10**9, 2: 10**9},
    )
    one = house.phone("one", "192.0.2.50")
    one.ring_status, one.answer = 0, 503
    house.phone("two", "192.0.2.51")
    return house


@pytest.mark.parametrize("dialled", ["07700900123", "bob"])
def test_a_trunk_that_refused_the_call_has_room_for_another_while_it_goes_on_by_the_next(dialled: str) -> None:
    house = two_carriers()
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite(dialled)
    house.run(3)
    board = house.exchange.board
    assert alice.statuses[-1] == 200
    assert +board.of_trunk == {"two": 1}
    assert +board.of_account == ({1: 1, 2: 1} if dialled == "bob" else {1: 1})
    assert board.safety.of_high_cost == ({2: 1} if dialled == "bob" else {})
    alice.hang_up()
    house.run(40)
    house.assert_clean()


def test_a_diverted_call_is_one_new_dear_call_however_many_carriers_are_tried() -> None:
    fraud = FraudSettings(new_high_cost_per_minute=2, short_calls=0, countries_at_once=0)
    house = two_carriers(safety=Safety(HighCost(OPEN), 5, fraud))
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    for count in (0, 0, 1):
        alice.invite("bob")
        house.run(2)
        assert len(alarms(house)) == count


GROUP = """
start = "team"
[team]
group = ["number 07700900121", "number 07700900122", "number 07700900123"]
strategy = "in_order"
ring = 8
"""


def test_a_caller_for_whom_mobiles_are_rung_in_turn_is_at_one_of_them() -> None:
    office = Office(GROUP)
    board = office.house.exchange.board
    office.mobile.answer_after_s = None
    office.call(1)
    office.house.run(8)
    assert len(office.mobile.requests_of("INVITE")) == 2
    assert +board.of_account == {1: 1, 2: 1}
    assert +board.of_trunk == {"out": 1}
    office.mobile.answer_after_s = 1.0
    office.house.run(10)
    assert len(office.talkers()[0]) == 2
    assert +board.of_account == {1: 1, 2: 1}
    assert +board.of_trunk == {"out": 1}
    office.end()


def test_a_mobile_that_is_given_up_makes_room_for_the_next_one_of_a_full_account() -> None:
    office = Office(GROUP)
    books = office.house.exchange.books
    books.accounts[2] = msgspec.structs.replace(books.accounts[2], calls_max=1)
    office.mobile.answer_after_s = None
    office.call(1)
    office.house.run(16)
    assert len(office.mobile.requests_of("INVITE")) == 3
    assert +office.house.exchange.board.of_account == {1: 1, 2: 1}
    office.house.run(30)
    office.end()


def test_of_mobiles_that_ring_together_only_the_one_that_answered_counts_on() -> None:
    office = Office(GROUP.replace("in_order", "together"))
    board = office.house.exchange.board
    office.mobile.answer_after_s = None
    office.call(1)
    assert +board.of_account == {1: 1, 2: 3}
    first = office.mobile._ringing[0]
    office.mobile._answer(first, first.user_data, office.house.clock.now)
    office.house.run(2)
    assert +board.of_account == {1: 1, 2: 1}
    assert +board.of_trunk == {"out": 1}
    office.end()


@pytest.mark.parametrize("is_silent", [True, False])
def test_the_next_way_to_a_pbx_is_paid_and_written_as_the_first_one_was(is_silent: bool) -> None:
    tariff = load_tariff("retail", TARIFF_CSV + ON_NET, "inc_vat")
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], tariff=tariff),
        lines=[
            make_line("pbx", kind=LineKind.TRUNK, addresses=at(FIRST, SECOND)),
            make_line("bob", diverts=(Divert(DivertCondition.ALL, DivertKind.LINE, "pbx"),)),
        ],
        numbers={"+441632960001": "bob"},
    )
    second, carrier = house.phone("pbx", SECOND), house.phone("carrier", "192.0.2.50")
    if not is_silent:
        first = house.phone("pbx", FIRST)
        first.ring_status, first.answer = 0, 503
    carrier.invite("+441632960001")
    house.run(30)
    assert +house.exchange.board.of_account == {1: 1}
    (invite,) = second.requests_of("INVITE")
    assert "<sip:+441632960001@example.com>;reason=unconditional" in (invite.headers.get("diversion") or "")
    assert invite.uri == f"sip:pbx@{SECOND}:5060"  # called by its name, and not by the number of who diverted
    carrier.hang_up()
    house.run(60)
    rows = [(row.leg, row.payer_account_id, row.cost_micros) for row in house.journal.cdrs()]
    assert rows == [(0, None, 0), (1, 1, 0), (2, 1, 40_000)]
    assert [(entry.leg, entry.amount_micros) for entry in house.journal.usage()] == [(2, -40_000)]
    house.assert_clean()
