"""Bans: when they begin, how long they last, whom they leave alone, and that nothing pushes them out."""

from hypothesis import given
from hypothesis import strategies as st

from switch.conf_security import Security
from switch.door.ban_record import decode_ban, encode_ban
from switch.door.bans import LINE_WINDOW_S, SITE_FACTOR, Ban, BanReason, Bans
from switch.door.failures import USER_CHARS_MAX, USERS_SHOWN_MAX, FailureTable, FailureWindow

GUESSER = "198.51.100.7"
SETTINGS = Security(
    login_failures_max=5, login_window_s=60, login_failures_per_line_max=12, ban_s=100, ban_max_s=1000
)


def guess(bans: Bans, count: int, now: float, *, source: str = GUESSER, user: str = "alice") -> list[Ban]:
    return [ban for _ in range(count) for ban in bans.failed((source,), user, now)]


def test_a_source_is_banned_at_its_limit_and_not_before() -> None:
    bans = Bans(SETTINGS)
    assert guess(bans, 4, 0.0) == []
    assert not bans.is_banned(GUESSER, 0.0)
    (ban,) = guess(bans, 1, 0.0)
    assert (ban.source, ban.user, ban.reason, ban.failures, ban.until) == (
        GUESSER,
        "",
        BanReason.GUESSING,
        5,
        100.0,
    )
    assert bans.is_banned(GUESSER, 99.9)
    assert not bans.is_banned(GUESSER, 100.0)
    assert not bans.is_banned("198.51.100.8", 0.0)


def test_a_phone_with_an_old_password_is_never_banned() -> None:
    """Two wrong logins every 30 s for a week, with the limits as shipped."""
    bans = Bans(Security())
    for turn in range(7 * 86_400 // 60):
        assert guess(bans, 2, turn * 60.0) == []
        bans.sweep(turn * 60.0)


@given(st.lists(st.floats(min_value=0, max_value=30), min_size=1, max_size=200))
def test_the_window_is_never_off_by_more_than_the_piece_before(gaps: list[float]) -> None:
    """At least all failures of the present piece, at most those of the last two."""
    window, now, times = FailureWindow(0.0), 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
        found = window.add("alice", now, 60.0)
        assert 1 <= found <= sum(at > now - 120.0 for at in times) + 1e-6


def test_failures_that_left_the_window_do_not_count() -> None:
    bans = Bans(SETTINGS)
    for turn in range(50):
        assert guess(bans, 1, turn * 25.0, user=f"u{turn}") == []  # 60 / 25 and a little


def test_each_ban_is_twice_as_long_up_to_the_ceiling_and_forgotten_after_it() -> None:
    bans = Bans(SETTINGS)
    now, lengths = 0.0, []
    for turn in range(6):
        (ban,) = guess(bans, 5, now, user=f"u{turn}")
        lengths.append(ban.until - ban.since)
        now = ban.until + 1
        bans.sweep(now)
    assert lengths == [100, 200, 400, 800, 1000, 1000]
    forgotten = bans.sweep(now + SETTINGS.ban_max_s)
    assert [ban.times for ban in forgotten] == [6]
    (ban,) = guess(bans, 5, now + SETTINGS.ban_max_s + 1)
    assert ban.until - ban.since == 100


def test_who_guesses_one_line_slowly_loses_that_line_only() -> None:
    bans = Bans(SETTINGS)
    begun = [ban for turn in range(12) for ban in guess(bans, 1, turn * 40.0)]
    (ban,) = begun
    assert (ban.source, ban.user, ban.reason) == (GUESSER, "alice", BanReason.GUESSING_ONE_LINE)
    now = 11 * 40.0
    assert bans.is_shut(GUESSER, "alice", now)
    assert not bans.is_shut(GUESSER, "bob", now)
    assert not bans.is_shut("198.51.100.8", "alice", now)
    assert not bans.is_banned(GUESSER, now)


def test_a_site_of_ipv6_is_banned_as_a_whole_when_its_networks_guess_in_turn() -> None:
    bans = Bans(SETTINGS)
    site = "2001:db8:7::/48"
    begun = []
    for network in range(100):
        begun += bans.failed((f"2001:db8:7:{network:x}::/64", site), "alice", 0.0)
        if begun:
            break
    assert network + 1 == SITE_FACTOR * SETTINGS.login_failures_max
    assert [ban.source for ban in begun] == [site]


def test_the_operator_lifts_one_or_all_and_what_was_counted_is_forgotten() -> None:
    bans = Bans(SETTINGS)
    guess(bans, 5, 0.0)
    guess(bans, 5, 0.0, source="198.51.100.8")
    guess(bans, 4, 0.0, source="198.51.100.9")
    assert [ban.source for ban in bans.lift(GUESSER)] == [GUESSER]
    assert not bans.is_banned(GUESSER, 0.0)
    assert bans.is_banned("198.51.100.8", 0.0)
    assert len(bans.lift("")) == 1
    assert bans.count == 0
    assert guess(bans, 4, 0.0, source="198.51.100.9") == []
    (ban,) = guess(bans, 5, 1.0)
    assert ban.times == 1


def test_the_operators_ban_does_not_double() -> None:
    bans = Bans(SETTINGS)
    assert bans.add(GUESSER, 3600.0, 0.0) is not None
    assert bans.is_banned(GUESSER, 3599.0)
    assert [ban.source for ban in bans.sweep(3600.0)] == [GUESSER]


def test_failing_from_elsewhere_pushes_out_neither_a_count_nor_a_ban() -> None:
    bans = Bans(SETTINGS, keys_max=50, bans_max=10)
    guess(bans, 4, 0.0)
    for other in range(200):
        guess(bans, 1, 0.0, source=f"203.0.113.{other}", user=f"u{other}")
    assert bans.sources_count == 50
    assert bans.untracked > 0
    (ban,) = guess(bans, 1, 0.0)
    assert ban.source == GUESSER
    for other in range(20):
        guess(bans, 5, 0.0, source=f"203.0.113.{other}")
    assert bans.count == 10
    assert bans.not_taken > 0
    assert bans.is_banned(GUESSER, 1.0)


def test_a_ban_in_force_takes_the_place_of_one_that_is_only_remembered() -> None:
    bans = Bans(SETTINGS, bans_max=1)
    guess(bans, 5, 0.0)
    bans.sweep(200.0)
    assert bans.count == 0
    assert [ban.source for ban in guess(bans, 5, 201.0, source="198.51.100.8")] == ["198.51.100.8"]


def test_a_window_that_is_over_makes_room() -> None:
    table = FailureTable(1)
    table.add(("a", ""), "x", 0.0, 60.0, 5)
    assert table.add(("b", ""), "x", 0.0, 60.0, 1) is None
    table.sweep(120.0, 60.0)
    assert table.add(("b", ""), "x", 120.0, 60.0, 1) is not None


def test_of_the_names_tried_the_first_few_are_kept_and_none_is_long() -> None:
    bans = Bans(SETTINGS)
    begun = [ban for n in range(5) for ban in bans.failed((GUESSER,), f"{n}" + "x" * 10_000, 0.0)]
    assert [len(user) for user in begun[0].users] == [USER_CHARS_MAX] * USERS_SHOWN_MAX
    window = FailureWindow(0.0)
    for n in range(100):
        window.add(str(n), 0.0, 60.0)
    assert len(window.users) == USERS_SHOWN_MAX


def test_a_ban_comes_back_from_the_journal_as_it_was() -> None:
    bans = Bans(SETTINGS)
    (ban,) = guess(bans, 5, 1000.0, user="al\udcffice\x1b[31m")
    again = decode_ban(encode_ban(ban, 5_000_000), 4_500_000)  # the machine was started anew in between
    assert (again.source, again.reason, again.failures, again.times) == (GUESSER, BanReason.GUESSING, 5, 1)
    assert again.until - again.since == 100
    assert again.until == 1600.0
    later = Bans(SETTINGS)
    assert later.restore([again], 1550.0) == []
    assert later.is_banned(GUESSER, 1550.0)
    (ban,) = guess(later, 5, 1650.0)
    assert ban.times == 2
    assert [ban.source for ban in Bans(SETTINGS).restore([again], 10_000.0)] == [GUESSER]


def test_a_clock_that_was_set_back_makes_no_ban_eternal() -> None:
    ban = Ban(GUESSER, "", BanReason.GUESSING, failures=5, users=(), since=1e9, until=1e9 + 100, times=1)
    bans = Bans(SETTINGS)
    bans.restore([ban], 0.0)
    assert not bans.is_banned(GUESSER, SETTINGS.ban_max_s + 1.0)


def test_the_hour_of_a_line_is_longer_than_a_sources_window() -> None:
    assert Security().login_window_s < LINE_WINDOW_S
