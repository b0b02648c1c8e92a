from offhook.supervisor.back_off import DELAY_MAX_S, FIRST_DELAY_S, STEADY_AFTER_S, BackOff


def test_delays_double_up_to_the_maximum_while_a_part_dies_young() -> None:
    back_off = BackOff()
    delays = [back_off.delay_after(0.1) for _ in range(12)]
    assert delays[:4] == [FIRST_DELAY_S, FIRST_DELAY_S * 2, FIRST_DELAY_S * 4, FIRST_DELAY_S * 8]
    assert delays == sorted(delays)
    assert delays[-1] == DELAY_MAX_S == 10.0


def test_a_minute_of_service_makes_the_next_crash_the_first_one() -> None:
    back_off = BackOff()
    for _ in range(5):
        back_off.delay_after(0.1)
    assert back_off.delay_after(STEADY_AFTER_S) == FIRST_DELAY_S
    assert back_off.failures == 1


def test_failures_count_the_deaths_in_a_row() -> None:
    back_off = BackOff()
    for _ in range(3):
        back_off.delay_after(1.0)
    assert back_off.failures == 3
