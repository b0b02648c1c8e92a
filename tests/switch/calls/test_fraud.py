"""The fraud rules by themselves: thresholds, windows, what is forgotten and how much is kept."""

from switch.calls.fraud import ACCOUNTS_MAX, DAY_MS, MINUTE_MS, PREFIXES_MAX, Velocity
from switch.conf_safety import FraudRule, FraudSettings

LIMITS = FraudSettings(
    new_high_cost_per_minute=3, short_calls=4, short_calls_window_s=60, countries_at_once=2
)
START = 1_790_000_000_000


def dear(velocity: Velocity, *calls: tuple[str, int]) -> list[bool]:
    return [
        velocity.dear_call(1, prefix, START + at_ms, LIMITS) is FraudRule.NEW_HIGH_COST
        for prefix, at_ms in calls
    ]


def test_more_than_so_many_calls_a_minute_to_new_prefixes() -> None:
    assert dear(Velocity(), ("+53", 0), ("+53", 1), ("+252", 2), ("+881", 3)) == [False, False, False, True]
    spread = [(f"+{number}", number * MINUTE_MS // 3) for number in range(20)]
    assert not any(dear(Velocity(), *spread))


def test_a_prefix_is_new_for_a_day() -> None:
    velocity = Velocity()
    dear(velocity, ("+53", 0))
    assert not any(dear(velocity, *(("+53", DAY_MS + number) for number in range(20))))
    assert dear(velocity, *(("+252", DAY_MS + number) for number in range(4)))[-1]


def test_many_short_calls_within_the_window() -> None:
    velocity = Velocity()
    assert [velocity.short_call(1, START + 10_000 * n, LIMITS) for n in range(4)] == [None] * 4
    assert velocity.short_call(1, START + 59_999, LIMITS) is FraudRule.SHORT_CALLS
    quiet = Velocity()
    assert [quiet.short_call(1, START + 15_000 * n, LIMITS) for n in range(30)] == [None] * 30


def test_two_countries_at_once_and_not_one_after_the_other() -> None:
    velocity = Velocity()
    assert velocity.foreign_call(1, "FR", START, LIMITS) is None
    assert velocity.foreign_call(1, "FR", START, LIMITS) is None
    velocity.foreign_call_over(1, "FR")
    assert velocity.foreign_call(1, "ES", START, LIMITS) is FraudRule.COUNTRIES_AT_ONCE
    velocity.foreign_call_over(1, "FR")
    velocity.foreign_call_over(1, "ES")
    assert velocity.foreign_call(1, "DE", START, LIMITS) is None
    assert velocity.foreign_call(2, "ES", START, LIMITS) is None


def test_a_threshold_of_0_switches_its_rule_off() -> None:
    off = FraudSettings(new_high_cost_per_minute=0, short_calls=0, countries_at_once=0)
    velocity = Velocity()
    for number in range(100):
        assert velocity.dear_call(1, f"+{number}", START, off) is None
        assert velocity.short_call(1, START, off) is None
        assert velocity.foreign_call(1, f"C{number}", START, off) is None


def test_what_is_kept_of_an_account_and_of_all_is_bounded() -> None:
    velocity = Velocity()
    for number in range(10 * PREFIXES_MAX):
        velocity.dear_call(1, f"+{number}", START, LIMITS)
        velocity.short_call(1, START, LIMITS)
    watch = velocity._watches[1]
    assert (len(watch.known), len(watch.new_calls), len(watch.short_calls)) == (PREFIXES_MAX, 4, 5)
    for account_id in range(ACCOUNTS_MAX + 10):
        velocity.short_call(account_id, START, LIMITS)
    assert (len(velocity), velocity.forgotten) == (ACCOUNTS_MAX, 10)


def test_quiet_accounts_are_forgotten_after_a_day() -> None:
    velocity = Velocity()
    velocity.short_call(1, START, LIMITS)
    velocity.short_call(2, START + DAY_MS - 1, LIMITS)
    velocity.sweep(START + DAY_MS)
    assert len(velocity) == 1
    velocity.sweep(START + 2 * DAY_MS)
    assert len(velocity) == 0


def test_after_an_operators_look_counting_starts_anew() -> None:
    velocity = Velocity()
    dear(velocity, ("+53", 0), ("+53", 1), ("+53", 2), ("+53", 3))
    velocity.forget(1)
    velocity.forget(2)
    assert dear(velocity, *(("+53", 4 + number) for number in range(10))) == [False] * 10
