"""The octets of answers that a source of datagrams may have."""

from hypothesis import given
from hypothesis import strategies as st

from switch.door.answer_budget import BURST_OCTETS, OCTETS_PER_S, SHARED_FACTOR, AnswerBudgets

ANSWER = 1024
BURST = BURST_OCTETS // ANSWER


def spend(budgets: AnswerBudgets, source: str, now: float, tries: int = 10_000) -> int:
    return sum(budgets.take(source, ANSWER, now) for _ in range(tries))


def test_a_source_gets_a_burst_and_then_so_much_a_second() -> None:
    budgets = AnswerBudgets()
    assert spend(budgets, "192.0.2.1", 0.0) == BURST
    assert spend(budgets, "192.0.2.1", 1.0) == OCTETS_PER_S // ANSWER
    assert spend(budgets, "192.0.2.2", 1.0) == BURST
    assert spend(budgets, "192.0.2.1", 1000.0) == BURST


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=5), st.integers(1, 70_000)), max_size=300))
def test_no_more_than_the_burst_and_the_rate_ever_goes_out(asked: list[tuple[float, int]]) -> None:
    budgets, now, sent = AnswerBudgets(), 0.0, 0
    for pause, octets in asked:
        now += pause
        sent += octets * budgets.take("192.0.2.1", octets, now)
        assert sent <= BURST_OCTETS + now * OCTETS_PER_S + 1


def test_many_forged_addresses_neither_grow_the_table_nor_give_anybody_a_new_budget() -> None:
    budgets = AnswerBudgets(sources_max=100)
    spend(budgets, "192.0.2.1", 0.0)
    answered = sum(budgets.take(f"forged {n}", ANSWER, 0.5) for n in range(20_000))
    assert len(budgets) <= 101
    assert answered <= 99 + SHARED_FACTOR * BURST
    assert spend(budgets, "192.0.2.1", 0.5) == OCTETS_PER_S // ANSWER // 2


def test_a_source_that_has_been_silent_makes_room() -> None:
    budgets = AnswerBudgets(sources_max=2)
    budgets.take("a", ANSWER, 0.0)
    budgets.take("b", ANSWER, 0.0)
    later = BURST_OCTETS / OCTETS_PER_S
    assert spend(budgets, "c", later) == BURST
    assert len(budgets) == 2
