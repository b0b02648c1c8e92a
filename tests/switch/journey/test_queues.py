"""Rows of waiting calls: their order, whom they get, who is spared, and that nobody is lost."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.journey.moves import Place, PlaceKind, Queue, Strategy
from switch.journey.queues import PAUSE_S, ROWS_MAX, SPARED_S, WAITING_MAX, Moved, Offer, Queues

A, B, C = (Place(PlaceKind.LINE, user) for user in "abc")
MOBILE = Place(PlaceKind.NUMBER, "+447700900123")


def queue(
    strategy: Strategy = Strategy.IN_ORDER,
    *places: Place,
    name: str = "main/sales",
    waiting_max: int = 10,
    says_position: bool = True,
) -> Queue:
    return Queue(name, places or (A, B, C), strategy, 20, waiting_max, 60, "", says_position=says_position)


def offer(
    queues: Queues, now: float = 0.0, free: str = "abc", rests: dict[str, int] | None = None
) -> Offer | None:
    def rested_since(user: str) -> int:
        return (rests or {}).get(user, 0)

    return queues.free_place(1, "main/sales", lambda place: place.value[0] in free + "+", rested_since, now)


def test_calls_are_served_in_their_order_and_each_member_rings_for_one() -> None:
    queues = Queues()
    assert [queues.enter(1, queue(), call, 0.0) for call in ("one", "two", "three")] == [1, 2, 3]
    assert offer(queues) == Offer("one", (A,), 20)
    assert offer(queues) == Offer("two", (B,), 20)
    assert offer(queues, free="ab") is None
    assert offer(queues) == Offer("three", (C,), 20)
    assert offer(queues) is None
    queues.not_answered("one", 20.0)
    assert offer(queues, 20.0, free="a") is None  # spared
    assert offer(queues, 20.0 + SPARED_S, free="a") == Offer("one", (A,), 20)


def test_those_behind_move_up_and_are_told_if_the_queue_tells() -> None:
    for says in (True, False):
        queues = Queues()
        for call in ("one", "two", "three", "four"):
            queues.enter(1, queue(says_position=says), call, 0.0)
        assert queues.answered("one") == [
            Moved("two", 1, says),
            Moved("three", 2, says),
            Moved("four", 3, says),
        ]
        assert queues.leave("three") == [Moved("four", 2, says)]
        assert queues.leave("four", is_late=True) == []
        assert queues.leave("four") == queues.answered("four") == []
        assert [queues.position(call) for call in ("one", "two", "three", "four")] == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("strategy", "served"),
    [
        (Strategy.IN_ORDER, [(A,), (A,), (A,), (A,)]),
        (Strategy.ROUND_ROBIN, [(A,), (B,), (C,), (A,)]),
        (Strategy.TOGETHER, [(A, B, C)] * 4),
        (Strategy.LONGEST_IDLE, [(C,), (B,), (A,), (C,)]),
    ],
)
def test_whom_a_call_gets(strategy: Strategy, served: list[tuple[Place, ...]]) -> None:
    queues, rests, seen = Queues(), {"a": 30, "b": 20, "c": 10}, []
    for turn in range(4):
        queues.enter(1, queue(strategy), f"call{turn}", 0.0)
        made = offer(queues, rests=rests)
        assert made is not None
        seen.append(made.places)
        queues.answered(f"call{turn}")
        rests[made.places[0].value] = 100 + turn
    assert seen == served


def test_a_number_of_which_no_rest_is_known_comes_last() -> None:
    queues = Queues()
    queues.enter(1, queue(Strategy.LONGEST_IDLE, MOBILE, A), "one", 0.0)
    made = offer(queues, rests={"a": 10**15})
    assert made is not None and made.places == (A,)


@pytest.mark.parametrize(
    ("made", "pause_s"),
    [
        (queue(Strategy.IN_ORDER, A), PAUSE_S),
        (queue(Strategy.TOGETHER), PAUSE_S),
        (queue(Strategy.ROUND_ROBIN), SPARED_S),
    ],
)
def test_a_phone_that_refuses_at_once_is_not_called_in_a_circle(made: Queue, pause_s: float) -> None:
    queues = Queues()
    queues.enter(1, made, "one", 0.0)
    rung = offer(queues, free="a")
    assert rung is not None
    queues.not_answered("one", 1.0)
    assert offer(queues, 1.0, free="a") is None
    assert offer(queues, 1.0 + pause_s, free="a") == rung


def test_who_answers_late_is_let_ring_and_who_waited_too_long_is_named() -> None:
    queues = Queues()
    queues.enter(1, queue(), "one", 0.0)
    queues.enter(1, queue(), "two", 1.0)
    assert offer(queues, 50.0, free="a") == Offer("one", (A,), 20)
    assert queues.late(59.9) == []
    assert queues.late(61.0) == ["two"]
    queues.not_answered("one", 62.0)
    assert queues.late(62.0) == ["one", "two"]
    assert queues.waiting_rows() == [(1, "main/sales")]


def test_limits_turn_calls_away_and_are_counted() -> None:
    queues = Queues()
    assert [queues.enter(1, queue(waiting_max=2), f"c{n}", 0.0) for n in range(3)] == [1, 2, 0]
    for n in range(WAITING_MAX):
        queues.enter(1, queue(name=f"q{n}"), f"d{n}", 0.0)
    assert len(queues) == WAITING_MAX
    assert queues.turned_away == {"queue": 1, "all": 2}


def test_rows_that_are_empty_make_room() -> None:
    queues = Queues()
    for n in range(ROWS_MAX + 5):
        assert queues.enter(1, queue(name=f"q{n}"), "call", 0.0) == 1
        queues.leave("call")
    assert queues.rows == ROWS_MAX


def test_a_plan_that_changes_changes_the_row() -> None:
    queues = Queues()
    queues.enter(1, queue(Strategy.IN_ORDER, A, B), "one", 0.0)
    queues.enter(1, queue(Strategy.IN_ORDER, C), "two", 0.0)
    assert offer(queues) == Offer("one", (C,), 20)


def _kept(queues: Queues) -> tuple[int, ...]:
    (row,) = queues.views(0.0, str)
    return row.entered, row.answered + row.gave_up + row.timed_out + row.waiting


@given(st.randoms(use_true_random=False), st.sampled_from(list(Strategy)))
@settings(deadline=None)
def test_nobody_is_lost_overtaken_or_rung_for_twice(random: Random, strategy: Strategy) -> None:
    queues, row, ringing, now = Queues(), [], {}, 0.0
    free: Callable[[Place], bool] = lambda _place: random.random() < 0.7  # noqa: E731
    for step in range(80):
        now += random.random() * 10
        match random.randrange(5):
            case 0 | 1:
                if queues.enter(1, queue(strategy, waiting_max=6), f"call{step}", now):
                    row.append(f"call{step}")
            case 2:
                made = queues.free_place(1, "main/sales", free, lambda _user: random.randrange(9), now)
                if made is not None:
                    assert made.call_id == next(call for call in row if call not in ringing)
                    assert made.places and not {p for places in ringing.values() for p in places} & set(
                        made.places
                    )
                    ringing[made.call_id] = made.places
            case 3 if ringing:
                call = random.choice(list(ringing))
                del ringing[call]
                if random.random() < 0.5:
                    queues.not_answered(call, now)
                else:
                    behind = row[row.index(call) + 1 :]
                    row.remove(call)
                    assert [moved.call_id for moved in queues.answered(call)] == behind
            case 4 if row:
                call = random.choice(row)
                row.remove(call)
                ringing.pop(call, None)
                queues.leave(call, is_late=random.random() < 0.5)
        assert [queues.position(call) for call in row] == list(range(1, len(row) + 1))
        assert len(queues) == len(row)
    if queues.rows:
        entered, kept = _kept(queues)
        assert entered == kept
