"""The pool of ports: none twice, none lost, none too soon again."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.relay.limits import PORT_REST_S
from media.relay.port_pool import PortPool, ports_of


def test_all_pairs_of_the_range_are_there_in_no_order() -> None:
    pool = PortPool(20_001, 20_200, shuffle=random.Random(1).shuffle)
    taken = [pool.take(0.0) for _ in range(pool.ports_max)]
    assert sorted(port for port in taken if port is not None) == list(range(20_002, 20_200, 2))
    assert taken != sorted(port for port in taken if port is not None)
    assert pool.take(0.0) is None
    assert pool.free == 0


def test_a_port_rests_before_it_is_used_again() -> None:
    pool = PortPool(20_000, 20_001, shuffle=random.shuffle)
    assert pool.take(0.0) == 20_000
    pool.give_back(20_000, 1.0)
    assert pool.take(1.0 + PORT_REST_S - 0.1) is None
    assert pool.take(1.0 + PORT_REST_S) == 20_000


@given(
    st.lists(st.tuples(st.sampled_from(["take", "name", "back", "wait"]), st.integers(0, 9)), max_size=100)
)
def test_no_port_is_taken_twice_and_none_is_lost(steps: list[tuple[str, int]]) -> None:
    pool = PortPool(20_000, 20_019, shuffle=random.Random(1).shuffle)
    taken: list[int] = []
    now = 0.0
    for step, number in steps:
        named = 20_000 + 2 * number
        if step == "wait":
            now += number * 10.0
        elif step == "back" and taken:
            pool.give_back(taken.pop(number % len(taken)), now)
        elif step == "name" and not pool.is_taken(named):
            pool.take_this(named)
            taken.append(named)
        elif step == "take" and (port := pool.take(now)) is not None:
            assert port not in taken
            taken.append(port)
        assert pool.free == pool.ports_max - len(taken)
    now += PORT_REST_S
    while (port := pool.take(now)) is not None:
        assert port not in taken
        taken.append(port)
    assert sorted(taken) == list(range(20_000, 20_020, 2))


@pytest.mark.parametrize(
    "text",
    ["", "20000", "20000-", "-20001", "20000-20000", "20001-20002", "29999-20000", "1000-2000", "65534-65536",
     "20_000-30_000", "+20000-30000", " 20000-30000", "\uff12\uff10\uff10\uff10\uff10-30000", "20000-30000-40000"],
)  # fmt: skip
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="range of ports"):
        ports_of(text)


def test_a_range_is_read() -> None:
    assert ports_of("20000-29999") == (20_000, 29_999)
    assert ports_of("20001-20003") == (20_001, 20_003)
