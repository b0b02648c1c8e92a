"""Ring back when free: who is rung first, what lapses, and where it ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.calls.ring_back import FOR_ONE_LINE_MAX, KEPT_S, OF_ONE_ASKER_MAX, RingBacks
from tests.switch.calls.test_service_codes import Street


def test_who_asked_first_is_rung_first_and_once() -> None:
    ring_backs = RingBacks()
    assert ring_backs.ask("1001", "1009", "01632960009", 0.0)
    assert ring_backs.ask("1002", "1009", "1009", 1.0)
    first = ring_backs.became_free("1009", 2.0)
    assert first is not None and (first.asker, first.wanted, first.dialled) == ("1001", "1009", "01632960009")
    second = ring_backs.became_free("1009", 3.0)
    assert second is not None and second.asker == "1002"
    assert ring_backs.became_free("1009", 4.0) is None and ring_backs.waiting == 0


def test_after_45_minutes_nobody_is_rung() -> None:
    ring_backs = RingBacks()
    ring_backs.ask("1001", "1009", "1009", 0.0)
    ring_backs.ask("1002", "1009", "1009", 10.0)
    found = ring_backs.became_free("1009", KEPT_S + 1)
    assert found is not None and found.asker == "1002" and ring_backs.lapsed == 1
    ring_backs.ask("1001", "1008", "1008", 0.0)
    ring_backs.on_second(KEPT_S)
    assert (ring_backs.waiting, ring_backs.lapsed) == (0, 2)


def test_limits() -> None:
    ring_backs = RingBacks()
    assert not ring_backs.ask("1001", "1001", "1001", 0.0)
    for line in range(OF_ONE_ASKER_MAX):
        assert ring_backs.ask("1001", f"2{line}", "", 0.0)
    assert not ring_backs.ask("1001", "3", "", 0.0)
    assert ring_backs.ask("1001", "20", "", 5.0)  # asked for again
    for asker in range(FOR_ONE_LINE_MAX):
        assert ring_backs.ask(f"5{asker}", "4", "", 0.0)
    assert not ring_backs.ask("6", "4", "", 0.0)
    assert ring_backs.cancel("1001") == OF_ONE_ASKER_MAX and ring_backs.of("1001") == []


STEPS = st.tuples(st.sampled_from(["ask", "free", "cancel", "second", "gone"]), st.integers(0, 4), st.integers(0, 4))


@given(st.lists(STEPS, max_size=60))
def test_the_count_is_that_of_the_table(steps: list[tuple[str, int, int]]) -> None:
    ring_backs = RingBacks()
    for now, (what, one, other) in enumerate(steps):
        match what:
            case "ask":
                ring_backs.ask(str(one), str(other), "", now * 300.0)
            case "free":
                ring_backs.became_free(str(one), now * 300.0)
            case "cancel":
                ring_backs.cancel(str(one))
            case "gone":
                ring_backs.line_removed(str(one))
            case _:
                ring_backs.on_second(now * 300.0)
        assert ring_backs.waiting == sum(len(ring_backs.of(str(asker))) for asker in range(5))


@pytest.mark.parametrize("dialled", ["01632960002", "1002"])
def test_5_after_a_busy_line_asks_for_it_and_the_cancel_code_takes_it_back(dialled: str) -> None:
    street = Street()
    busy = street.phones["1002"]
    busy.answer, busy.ring_status = 486, 0
    street.me.invite(dialled)
    street.books.run(1)
    assert street.me.statuses[-1] == 486
    street.house.exchange.board.of_line["1002"] += 1  # it talks with somebody
    assert street.dial("5") == "ring-back-set"
    (request,) = street.house.exchange.services.ring_backs.of("1001")
    assert (request.wanted, request.dialled) == ("1002", dialled)
    assert street.dial("#37#") == "ring-back-cancelled"
    assert street.dial("#37#") == "ring-back-is-not-set"
    street.house.exchange.board.of_line["1002"] -= 1
    street.close()


def test_5_after_a_call_to_somewhere_else_is_not_available() -> None:
    street = Street()
    street.me.invite("07700900123")
    street.books.run(1)
    assert street.dial("5") == "service-not-available"
