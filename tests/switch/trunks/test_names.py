"""What is known of names as time passes: refreshed early, negative answers, name servers that fail, limits."""

from itertools import pairwise

import pytest

from switch.trunks.locate import Choice, Endpoint, Located, Wanted
from switch.trunks.names import (
    HEARD_KEPT_S,
    HEARD_MAX,
    LOOKUPS_AT_ONCE,
    LOST_AFTER_S,
    NEGATIVE_TTL_MAX_S,
    TTL_MAX_S,
    TTL_MIN_S,
    Names,
)

CARRIER = Wanted("carrier.example", 0, "UDP")
HOST = Wanted("host.carrier.example", 5060, "UDP")


def good(host: str = "192.0.2.7", ttl_s: float = 100.0) -> Located:
    return Located(((Choice(0, (Endpoint("UDP", host, 5060),)),),), ttl_s)


NONE = Located((), 100.0)
FAILED = Located((), 0.0, "the name servers do not answer")


class Told:
    def __init__(self) -> None:
        self.changes: list[Wanted] = []
        self.names = Names(lambda: 0.0, lambda wanted, now: self.changes.append(wanted))

    def hosts(self, wanted: Wanted = CARRIER) -> list[str]:
        return [endpoint.host for endpoint in self.names.endpoints(wanted)]


@pytest.fixture
def told() -> Told:
    made = Told()
    made.names.watch([CARRIER], 0.0)
    return made


def test_a_name_of_the_configuration_is_looked_up_at_once_and_only_once_at_a_time(told: Told) -> None:
    assert told.names.due(0.0) == [CARRIER]
    assert told.names.due(1.0) == []
    told.names.found(CARRIER, good(), 2.0)
    assert told.hosts() == ["192.0.2.7"]
    assert told.changes == [CARRIER]


@pytest.mark.parametrize(
    ("ttl_s", "again_after_s"),
    [(100.0, 80.0), (0.0, 0.8 * TTL_MIN_S), (1e9, 0.8 * TTL_MAX_S), (float("inf"), 0.8 * TTL_MAX_S)],
)
def test_it_is_looked_up_again_before_its_time_is_up(told: Told, ttl_s: float, again_after_s: float) -> None:
    told.names.due(0.0)
    told.names.found(CARRIER, good(ttl_s=ttl_s), 0.0)
    assert told.names.due(again_after_s - 0.01) == []
    assert told.names.due(again_after_s) == [CARRIER]
    assert told.hosts() == ["192.0.2.7"], "in use while it is refreshed"


def test_the_last_good_answer_outlives_name_servers_that_fail(told: Told) -> None:
    told.names.due(0.0)
    told.names.found(CARRIER, good(), 0.0)
    now = 80.0
    for _ in range(50):
        assert told.names.due(now) == [CARRIER]
        told.names.found(CARRIER, FAILED, now)
        assert told.hosts() == ["192.0.2.7"]
        now += 30.0
    assert (told.names.failed, told.names.failing) == (50, 1)
    assert told.names.problem(CARRIER) == "the name servers do not answer"
    told.names.due(now)
    told.names.found(CARRIER, good("192.0.2.8"), now)
    assert told.hosts() == ["192.0.2.8"]
    assert (told.names.failing, told.names.problem(CARRIER)) == (0, "")


def test_failures_are_retried_ever_more_slowly(told: Told) -> None:
    asked = []
    for tenths in range(1500):
        now = tenths / 10
        if told.names.due(now):
            asked.append(now)
            told.names.found(CARRIER, FAILED, now)
    waits = [round(after - before) for before, after in pairwise(asked)]
    assert waits == [2, 5, 10, 30, 30, 30, 30]


def test_a_name_that_is_gone_takes_no_calls_but_emergency_calls(told: Told) -> None:
    told.names.due(0.0)
    told.names.found(CARRIER, good(), 0.0)
    told.names.due(80.0)
    told.names.found(CARRIER, NONE, 80.0)
    assert told.hosts() == []
    assert told.names.located(CARRIER) is None
    last = told.names.located(CARRIER, even_if_gone=True)
    assert last == good()
    assert told.names.due(80.0 + 0.8 * NEGATIVE_TTL_MAX_S) == [CARRIER], (
        "not for the hours that the zone says"
    )


def test_an_answer_that_is_the_same_changes_nothing(told: Told) -> None:
    told.names.due(0.0)
    told.names.found(CARRIER, good(ttl_s=10), 0.0)
    told.names.due(10.0)
    told.names.found(CARRIER, good(ttl_s=20), 10.0)
    assert told.changes == [CARRIER]


def test_a_name_of_a_dialog_is_looked_up_and_not_kept_for_ever(told: Told) -> None:
    assert told.names.ask(HOST, 5.0), "its first answer is to come"
    assert HOST in told.names.due(5.0)
    told.names.found(HOST, good("192.0.2.9", ttl_s=10), 5.0)
    assert told.hosts(HOST) == ["192.0.2.9"]
    assert not told.names.ask(HOST, 6.0)
    assert HOST in told.names.due(100.0)
    told.names.found(HOST, good("192.0.2.9"), 100.0)
    assert HOST not in told.names.due(100.0 + HEARD_KEPT_S), "nobody used it for so long"


def test_names_of_dialogs_have_a_limit_and_the_carriers_own_have_not(told: Told) -> None:
    for number in range(HEARD_MAX + 50):
        told.names.ask(Wanted(f"h{number}.example", 5060, "UDP"), 1.0)
    assert told.names.count == HEARD_MAX
    assert told.names.refused == 51
    assert not told.names.ask(HOST, 2.0)
    told.names.watch([CARRIER, HOST], 2.0)
    assert told.names.count == HEARD_MAX + 1
    assert told.names.ask(Wanted("late.example", 5060, "UDP"), 3.0 + HEARD_KEPT_S), (
        "those of before made room"
    )


def test_so_many_at_once_and_no_more(told: Told) -> None:
    told.names.watch([Wanted(f"t{number}.example", 0, "UDP") for number in range(100)], 0.0)
    assert [len(told.names.due(0.0)) for _ in range(5)] == [LOOKUPS_AT_ONCE] * 3 + [4, 0]


def test_a_look_up_that_nobody_reports_is_repeated(told: Told) -> None:
    told.names.due(0.0)
    assert told.names.due(LOST_AFTER_S - 1) == []
    assert told.names.due(LOST_AFTER_S) == [CARRIER]


def test_a_name_that_the_configuration_lost_is_forgotten_with_its_answer(told: Told) -> None:
    told.names.due(0.0)
    told.names.watch([], 1.0)
    told.names.found(CARRIER, good(), 2.0)
    assert told.names.count == 0
    assert told.changes == []
