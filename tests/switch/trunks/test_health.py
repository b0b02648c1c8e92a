"""Which addresses of trunks are passed over: the breaker as a table, OPTIONS, calls into silence, emergency calls."""

import msgspec
import pytest

from switch.conf_addresses import TrunkAddress
from switch.conf_trunks import Trunk
from switch.sip.message import make_response
from switch.trunks.breaker import Breaker, BreakerState
from switch.trunks.call_rate import CallRate
from tests.switch.house import House, Phone, make_conf, make_line

FIRST, SECOND, THIRD = "192.0.2.50", "192.0.2.51", "192.0.2.52"

CLOSED, OPEN, HALF = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def breaker_in(state: BreakerState, *, is_probed: bool = False) -> Breaker:
    """Opened at 0 for 30 s, after two silences."""
    breaker = Breaker(failures_max=2, open_s=30, is_probed=is_probed, now=0.0)
    if state is not CLOSED:
        breaker.silent(0.0)
        breaker.silent(0.0)
    if state is HALF:
        breaker.try_begins(30.0)
    return breaker


@pytest.mark.parametrize(
    ("before", "event", "at", "after", "lets_through"),
    [
        (CLOSED, "silent", 0.0, CLOSED, True),
        (CLOSED, "heard", 0.0, CLOSED, True),
        (CLOSED, "try", 0.0, CLOSED, True),
        (OPEN, "silent", 1.0, OPEN, False),
        (OPEN, "try", 29.0, OPEN, False),
        (OPEN, "try", 30.0, HALF, False),  # one at a time
        (OPEN, "heard", 1.0, CLOSED, True),  # an answer that came late
        (HALF, "heard", 31.0, CLOSED, True),
        (HALF, "silent", 31.0, OPEN, False),
        (HALF, "try", 31.0, HALF, False),
        (HALF, "try", 60.0, HALF, False),  # the try before it was lost without a word
    ],
)
def test_the_breaker_does_what_the_table_says(
    before: BreakerState, event: str, at: float, after: BreakerState, lets_through: bool
) -> None:
    breaker = breaker_in(before)
    {"silent": breaker.silent, "heard": breaker.heard, "try": breaker.try_begins}[event](at)
    assert breaker.state is after
    assert breaker.lets_through(at) is lets_through


def test_silences_count_only_in_a_row() -> None:
    breaker = breaker_in(CLOSED)
    for _ in range(10):
        breaker.silent(0.0)
        breaker.heard(0.0)
    assert breaker.is_closed


def test_where_options_are_sent_no_call_is_the_guinea_pig() -> None:
    assert breaker_in(OPEN).lets_through(30.0)
    assert not breaker_in(OPEN, is_probed=True).lets_through(30.0)


def test_a_bucket_lets_so_many_through_a_second() -> None:
    rate = CallRate(5, 0.0)
    passed = 0
    for tick in range(1000):
        now = tick / 100
        while rate.has_room(now):
            rate.take_anyway(now)
            passed += 1
    assert passed == pytest.approx(5 + 5 * 10, abs=1)
    for _ in range(100):
        rate.take_anyway(10.0)  # emergency calls are not held
    assert not rate.has_room(11.0)
    assert rate.has_room(12.5), "and the debt has a bottom"


# The whole exchange


def trunk(name: str, *hosts: str, **settings: object) -> Trunk:
    return Trunk(name=name, addresses=tuple(TrunkAddress(host, 5060) for host in hosts), **settings)


def make_house(*trunks: Trunk) -> House:
    return House(
        conf=make_conf(trunks=list(trunks)), lines=[make_line("alice")], numbers={"+441632960001": "alice"}
    )


def caller(house: House) -> Phone:
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    return alice


def call(house: House, alice: Phone, dialled: str = "01632960123", talk_s: float = 10) -> int:
    """One call; the answer that the caller got."""
    alice.statuses.clear()
    alice.invite(dialled)
    house.run(talk_s)
    status = alice.statuses[-1] if alice.statuses else 0
    if status == 200:
        alice.hang_up()
        house.run(1)
    return status


def tried(house: House, host: str, method: str = "INVITE") -> int:
    """First copies of requests sent there."""
    return len(
        {d.data for d in house.link.sent if d.destination[0] == host and d.start_line.startswith(method)}
    )


def breaker_at(house: House, name: str, host: str) -> Breaker:
    return next(b for e, b in house.exchange.trunks[name].breakers.items() if e.host == host)


def test_a_silent_address_is_passed_over_after_three_calls_and_tried_again_by_one() -> None:
    house = make_house(trunk("one", FIRST, SECOND, answer_timeout_s=2))
    house.phone("second", SECOND)
    alice = caller(house)
    for _ in range(5):
        assert call(house, alice, talk_s=4) == 200
    assert tried(house, FIRST) == 3
    assert breaker_at(house, "one", FIRST).state is OPEN
    house.run(30)
    house.phone("first", FIRST)
    assert call(house, alice) == 200
    assert tried(house, FIRST) == 4
    assert breaker_at(house, "one", FIRST).is_closed
    house.run(60)
    house.assert_clean()


def test_a_dead_trunk_is_tried_when_all_are_dead() -> None:
    house = make_house(trunk("one", FIRST, answer_timeout_s=2, breaker_failures=1))
    alice = caller(house)
    assert call(house, alice) == 408
    assert breaker_at(house, "one", FIRST).state is OPEN
    house.phone("first", FIRST)
    assert call(house, alice) == 200


def test_an_emergency_call_tries_the_dead_ones_last() -> None:
    house = make_house(
        trunk("one", FIRST, answer_timeout_s=2, breaker_failures=1), trunk("two", SECOND, answer_timeout_s=2)
    )
    second = house.phone("second", SECOND)
    alice = caller(house)
    assert call(house, alice) == 200
    house.link.detach(second.address)
    first = house.phone("first", FIRST)
    assert call(house, alice, "999") == 200
    assert first.requests_of("INVITE")
    order = [d.destination[0] for d in house.link.sent if d.start_line.startswith("INVITE sip:999@1")]
    assert order[0] == SECOND, "who is known to be dead is not asked first"


def test_a_trunk_that_says_trying_and_no_more_is_not_dead() -> None:
    house = make_house(trunk("one", FIRST, answer_timeout_s=2, breaker_failures=1))
    one = house.phone("first", FIRST)
    one.ring_status, one.answer_after_s = 0, None
    alice = caller(house)
    call(house, alice)
    assert breaker_at(house, "one", FIRST).is_closed


def test_options_find_the_dead_and_the_living() -> None:
    house = make_house(trunk("one", FIRST, SECOND, options_interval_s=10, breaker_failures=2))
    first = house.phone("first", FIRST)
    house.run(100)
    assert 9 <= len(first.requests_of("OPTIONS")) <= 12
    assert breaker_at(house, "one", FIRST).is_closed
    assert breaker_at(house, "one", SECOND).state is not CLOSED
    alice = caller(house)
    house.link.detach(first.address)
    second = house.phone("second", SECOND)
    house.run(45)
    assert breaker_at(house, "one", SECOND).is_closed
    assert breaker_at(house, "one", FIRST).state is not CLOSED
    before = tried(house, FIRST)
    assert call(house, alice) == 200
    assert second.requests_of("INVITE")
    assert tried(house, FIRST) == before, "nobody had to wait for it"


@pytest.mark.parametrize(
    ("status", "alive"), [(200, True), (404, True), (405, True), (500, True), (408, False), (503, False)]
)
def test_any_answer_to_options_is_a_sign_of_life_but_408_and_503(status: int, alive: bool) -> None:
    house = make_house(trunk("one", FIRST, options_interval_s=5, breaker_failures=2))

    class Border(Phone):
        def on_request(self, transaction, request, flow, now):  # type: ignore[no-untyped-def]
            transaction.respond(make_response(request, status, to_tag="x"), now)

    Border(house, "first", (FIRST, 5060))
    house.run(30)
    assert breaker_at(house, "one", FIRST).is_closed is alive


def test_one_question_at_a_time_even_where_nobody_answers() -> None:
    house = make_house(trunk("one", FIRST, options_interval_s=1))
    house.run(100)
    assert tried(house, FIRST, "OPTIONS") <= 100 / 8 + 2


def test_an_unknown_number_of_trunks_is_not_asked_in_one_second() -> None:
    house = make_house(*(trunk(f"t{n}", f"198.51.100.{n}", options_interval_s=60) for n in range(1, 101)))
    house.run(1)
    first = len([d for d in house.link.sent if d.start_line.startswith("OPTIONS")])
    assert first < 50
    house.run(6)
    assert len({d.destination for d in house.link.sent}) == 100


def test_what_did_not_change_keeps_its_health_in_a_new_configuration() -> None:
    before = trunk("one", FIRST, SECOND, answer_timeout_s=2, breaker_failures=1)
    house = make_house(before)
    house.phone("second", SECOND)
    alice = caller(house)
    call(house, alice)
    assert breaker_at(house, "one", FIRST).state is OPEN
    after = msgspec.structs.replace(before, calls_max=7)
    house.exchange.take_over(make_conf(trunks=[after]), house.clock.now)
    assert breaker_at(house, "one", FIRST).state is OPEN


def test_calls_beyond_the_rate_take_the_next_trunk_and_the_record_says_why() -> None:
    house = make_house(trunk("one", FIRST, calls_per_second_max=2), trunk("two", SECOND))
    one, two = house.phone("first", FIRST), house.phone("second", SECOND)
    alice = caller(house)
    for _ in range(5):
        alice.invite("01632960123")
    house.run(0.5)
    assert (len(one.requests_of("INVITE")), len(two.requests_of("INVITE"))) == (2, 3)
    alice.invite("999")
    house.run(0.3)
    assert len(one.requests_of("INVITE")) == 3, "an emergency call has no limit"
    house.run(3)
    house.exchange.drain(house.clock.now)
    house.run(40)
    reasons = {row.leg_reason for row in house.journal.cdrs() if row.trunk}
    assert "trunk two: one has as many calls a second as it may have" in reasons
    house.assert_clean()


def test_where_every_trunk_is_full_the_caller_hears_so() -> None:
    house = make_house(trunk("one", FIRST, calls_per_second_max=1))
    house.phone("first", FIRST)
    alice = caller(house)
    alice.invite("01632960123")
    alice.invite("01632960124")
    house.run(1)
    (row,) = house.journal.cdrs()
    assert (row.outcome, row.sip_status) == ("trunk_calls_limit", 480)
