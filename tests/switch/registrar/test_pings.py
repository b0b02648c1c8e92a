"""OPTIONS pings: only where a NAT has to be kept open, spread out, never too many, and what they find out."""

import itertools
import random

import pytest

from switch.registrar.bindings import Binding, Bindings, RegistrarLimits
from switch.registrar.pings import DEAD_INTERVAL_FACTOR, FAILURES_UNTIL_DEAD, PingLimits, PingSchedule
from switch.sip.flow import UDP, Flow
from tests.switch.registrar.phones import CONNECTION, HOME_URI, binding


def make(interval_s: float = 30.0, rate_max: float = 1000.0) -> PingSchedule:
    return PingSchedule(PingLimits(interval_s, rate_max), random.Random(7).random)


def pinged(
    schedule: PingSchedule, start: float, end: float, step: float = 0.1
) -> list[tuple[float, Binding]]:
    found = []
    for tick in range(int((end - start) / step)):
        now = start + tick * step
        found += [(now, each) for each in schedule.due(now)]
    return found


def test_a_phone_behind_a_nat_is_asked_about_once_an_interval() -> None:
    schedule = make()
    schedule.watch(binding(), 0.0)
    times = [now for now, _ in pinged(schedule, 0.0, 600.0)]
    assert times[0] <= 31.0
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(26.9 < gap < 34.0 for gap in gaps)
    assert len({round(gap, 1) for gap in gaps}) > 3, "jittered"


@pytest.mark.parametrize(
    "phone",
    [
        pytest.param(binding(is_behind_nat=False), id="not behind a NAT"),
        pytest.param(binding(flow=CONNECTION), id="a connection"),
        pytest.param(binding(expires_at=0.0), id="expired"),
    ],
)
def test_others_are_never_asked(phone: Binding) -> None:
    schedule = make()
    schedule.watch(phone, 0.0)
    assert pinged(schedule, 0.0, 100.0) == []


def test_an_interval_of_zero_switches_pings_off() -> None:
    schedule = make(interval_s=0.0)
    schedule.watch(binding(), 0.0)
    assert pinged(schedule, 0.0, 10.0) == []


def test_registering_again_does_not_double_the_pings() -> None:
    schedule = make()
    phone = binding()
    for second in range(60):
        schedule.watch(phone, float(second))
    assert len(pinged(schedule, 60.0, 360.0)) in range(9, 12)


def test_a_binding_that_is_gone_is_no_longer_asked() -> None:
    bindings, schedule = Bindings(RegistrarLimits()), make()
    gone, stays = binding(), binding(user="bob")
    for each in (gone, stays):
        bindings.add(each)
        schedule.watch(each, 0.0)
    bindings.remove(gone)
    assert {each.user for _, each in pinged(schedule, 0.0, 100.0)} == {"bob"}
    assert not gone.is_watched


def test_an_expired_binding_that_is_refreshed_in_time_goes_on_being_asked() -> None:
    bindings, schedule = Bindings(RegistrarLimits()), make()
    phone = binding(expires_at=60.0)
    bindings.add(phone)
    schedule.watch(phone, 0.0)
    pinged(schedule, 0.0, 50.0)
    bindings.refresh(phone, binding(expires_at=600.0))
    schedule.watch(phone, 50.0)
    assert len(pinged(schedule, 50.0, 350.0)) in range(9, 12)


def test_the_rate_is_never_exceeded_and_nobody_is_forgotten() -> None:
    schedule = make(interval_s=30.0, rate_max=20.0)
    for number in range(600):
        flow = Flow(UDP, "203.0.113.7", 1024 + number, "198.51.100.1", 5060)
        schedule.watch(binding(user=f"u{number}", flow=flow), 0.0)
    found = pinged(schedule, 0.0, 70.0)
    for second in range(70):
        assert len([now for now, _ in found if second <= now < second + 1]) <= 20 + 5
    assert len({each.user for _, each in found}) == 600


def test_after_a_pause_of_the_caller_there_is_no_burst_beyond_a_quarter_second() -> None:
    schedule = make(interval_s=30.0, rate_max=100.0)
    for number in range(1000):
        schedule.watch(binding(user=f"u{number}"), 0.0)
    assert len(schedule.due(1000.0)) == 25
    assert schedule.waiting_count == 975


def test_failures_in_a_row_make_a_phone_dead_once() -> None:
    schedule, phone = make(), binding()
    for _ in range(FAILURES_UNTIL_DEAD - 1):
        assert not schedule.failed(phone)
        assert not phone.is_dead
    assert schedule.failed(phone)
    assert phone.is_dead
    assert not schedule.failed(phone)


def test_an_answer_between_failures_keeps_it_alive_and_one_after_brings_it_back() -> None:
    schedule, phone = make(), binding()
    for _ in range(5):
        schedule.failed(phone)
        assert schedule.answered(phone) is False
    for _ in range(FAILURES_UNTIL_DEAD):
        schedule.failed(phone)
    assert schedule.answered(phone) is True
    assert not phone.is_dead


def test_a_dead_phone_comes_back_with_its_next_register() -> None:
    bindings, schedule, phone = Bindings(RegistrarLimits()), make(), binding()
    bindings.add(phone)
    for _ in range(FAILURES_UNTIL_DEAD):
        schedule.failed(phone)
    bindings.refresh(phone, binding())
    assert bindings.contacts_for("alice", 1.0)[0].contact == HOME_URI
    assert not phone.is_dead
    assert not schedule.failed(phone), "its old failures are forgotten"


def test_a_dead_phone_is_asked_less_often_but_still_asked() -> None:
    schedule, phone = make(), binding(expires_at=1e6)
    schedule.watch(phone, 0.0)
    phone.is_dead = True
    asked = len(pinged(schedule, 0.0, 1200.0))
    assert asked in range(1200 // (30 * DEAD_INTERVAL_FACTOR) - 2, 1200 // (30 * DEAD_INTERVAL_FACTOR) + 3)
