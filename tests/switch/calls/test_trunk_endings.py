"""What a call tells of its trunks: seizures, answers, delays, causes; and how emergency calls ended."""

import pytest

from switch.calls.routing import make_routing
from switch.status import status_of
from switch.trunks.endings import IN, OUT
from tests.switch.house import House, Phone, make_conf, make_line, make_trunk
from tests.switch.test_operator_surface import Running, metrics

ONE, TWO = "192.0.2.50", "192.0.2.51"


class Exchange:
    """Line alice, and trunks one and two; emergency calls take the second."""

    def __init__(self) -> None:
        routing = make_routing({"+": ("one", "two")}, emergency_trunks=("two",), version="routing1")
        conf = make_conf(trunks=[make_trunk("one", ONE), make_trunk("two", TWO)], routing=routing)
        self.house = House(conf=conf, lines=[make_line("alice"), make_line("bob")])
        self.alice = self.house.phone("alice", "192.0.2.10")
        self.bob = self.house.phone("bob", "192.0.2.11")
        self.one, self.two = self.house.phone("one", ONE), self.house.phone("two", TWO)
        self.alice.register()
        self.bob.register()

    def causes(self) -> dict[tuple[str, str, int], int]:
        return dict(self.house.exchange.trunks.endings.totals())

    def end(self) -> None:
        self.alice.hang_up()
        self.house.run(40)
        self.house.assert_clean()


def test_an_answered_call_is_a_seizure_an_answer_and_at_its_end_a_cause() -> None:
    exchange = Exchange()
    exchange.alice.invite("01632960123")
    exchange.house.run(10)
    seen = metrics(exchange.house)
    assert seen['offhook_trunk_seizures_total{trunk="one"}'] == 1
    assert seen['offhook_trunk_answers_total{trunk="one"}'] == 1
    assert seen['offhook_trunk_post_dial_delay_seconds_count{trunk="one"}'] == 1
    assert exchange.causes() == {}
    exchange.end()
    assert exchange.causes() == {("one", OUT, 16): 1}
    seen = metrics(exchange.house)
    assert seen['offhook_trunk_calls_ended_total{cause="16",direction="out",trunk="one"}'] == 1
    assert seen['offhook_trunk_post_dial_delay_seconds_count{trunk="one"}'] == 1
    assert 0 < seen['offhook_trunk_cause_load{cause="16",direction="out",trunk="one",window="15m"}'] < 1
    status = status_of(Running(exchange.house))  # type: ignore[arg-type]
    assert list(status["trunk_causes_per_minute"]) == ["one out 16 normal clearing"]  # type: ignore[call-overload]


def test_a_trunk_that_refused_is_counted_at_once_and_the_call_goes_on() -> None:
    exchange = Exchange()
    exchange.one.ring_status, exchange.one.answer = 0, 503
    exchange.alice.invite("01632960123")
    exchange.house.run(10)
    assert exchange.causes() == {("one", OUT, 41): 1}
    seen = metrics(exchange.house)
    assert (
        seen['offhook_trunk_seizures_total{trunk="one"}']
        == seen['offhook_trunk_seizures_total{trunk="two"}']
        == 1
    )
    assert seen['offhook_trunk_answers_total{trunk="one"}'] == 0
    assert seen['offhook_trunk_answers_total{trunk="two"}'] == 1
    exchange.end()
    assert exchange.causes() == {("one", OUT, 41): 1, ("two", OUT, 16): 1}


def test_a_call_between_lines_counts_nothing_of_trunks() -> None:
    exchange = Exchange()
    exchange.alice.invite("bob")
    exchange.house.run(5)
    exchange.end()
    assert exchange.house.exchange.trunks.endings.of_trunk == {}


@pytest.mark.parametrize(("answers", "outcome"), [(200, "answered"), (503, "failed"), (404, "failed")])
def test_emergency_calls_are_counted_by_how_they_ended(answers: int, outcome: str) -> None:
    exchange = Exchange()
    exchange.two.answer = answers
    exchange.alice.invite("999")
    exchange.house.run(5)
    if answers == 200:
        exchange.alice.hang_up()
    exchange.house.run(60)
    seen = metrics(exchange.house)
    for name in ("answered", "failed", "cancelled"):
        assert seen[f'offhook_emergency_calls_ended_total{{outcome="{name}"}}'] == int(name == outcome)


def test_a_call_that_came_by_a_trunk_counts_there() -> None:
    exchange = Exchange()
    carrier = Phone(exchange.house, "one", (ONE, 5070))
    carrier.invite("+441632960999")
    exchange.house.run(2)
    assert [(ending[:2], count) for ending, count in exchange.causes().items()] == [(("one", IN), 1)]
