"""A call that is over is freed by its reference counts, at once: nothing of it waits for the garbage collector, nor for
the half minute in which its transactions wait for repeats.

At 400 calls a second the collector's walks, and the caches that what waits fills, cost several percent.
A re-offer and its request know each other, so calls that were held are left to it.
"""

import gc
from collections.abc import Callable

import pytest

from switch.calls.call import Call
from switch.calls.leg import Leg
from switch.sip.timers import T1_S
from tests.switch.house import House, Phone, make_conf, make_line, make_trunk

Story = Callable[[House, Phone, Phone], None]


def answered(house: House, alice: Phone, carrier: Phone) -> None:
    alice.invite("01632960123")
    house.run(2)
    alice.hang_up()


def hung_up_by_the_callee(house: House, alice: Phone, carrier: Phone) -> None:
    alice.invite("01632960123")
    house.run(2)
    carrier.hang_up()


def given_up(house: House, alice: Phone, carrier: Phone) -> None:
    carrier.answer_after_s = None
    alice.invite("01632960123")
    house.run(2)
    alice.stack.cancel(alice.invites[-1], house.clock.now)


def busy(house: House, alice: Phone, carrier: Phone) -> None:
    carrier.answer = 486
    alice.invite("01632960123")


def refused_here(house: House, alice: Phone, carrier: Phone) -> None:
    alice.invite("1")


def never_acknowledged(house: House, alice: Phone, carrier: Phone) -> None:
    alice.acks_answers = False
    alice.invite("01632960123")


@pytest.mark.parametrize(
    ("story", "over_in_s"),
    [
        (answered, 1),
        (hung_up_by_the_callee, 1),
        (given_up, 1),
        (busy, 1),
        (refused_here, 1),
        (never_acknowledged, 64 * T1_S + 2),
    ],
)
def test_nothing_of_a_call_is_left_for_the_collector(story: Story, over_in_s: float) -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("one", "192.0.2.50")]), lines=[make_line("alice")], numbers={}
    )
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("one", "192.0.2.50")
    gc.collect()
    others = [each for each in gc.get_objects() if isinstance(each, Call | Leg)]  # other tests hold on to them
    gc.disable()
    try:
        story(house, alice, carrier)
        house.run(over_in_s)
        assert not house.exchange.board.calls
        left = [each for each in gc.get_objects() if isinstance(each, Call | Leg)]
        assert len(left) == len(others)
    finally:
        gc.enable()
