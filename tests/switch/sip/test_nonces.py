"""Nonces: ours only, for their lifetime only, and each count of a user once."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.nonces import NONCE_COUNT_WINDOW, Nonces

SECRET = b"a secret of at least 16 bytes"


def make(lifetime_s: float = 300.0, used_max: int = 1000) -> Nonces:
    return Nonces(SECRET, lifetime_s=lifetime_s, used_max=used_max)


def test_a_nonce_is_current_from_its_issue_to_the_end_of_its_lifetime() -> None:
    nonces = make(lifetime_s=300.0)
    nonce = nonces.mint(1000.0)
    assert nonces.is_current(nonce, 1000.0)
    assert nonces.is_current(nonce, 1300.0)
    assert not nonces.is_current(nonce, 1300.01)


def test_a_nonce_of_the_future_is_not_current() -> None:
    nonces = make()
    assert not nonces.is_current(nonces.mint(1000.0), 999.0)


def test_nonces_of_one_moment_differ_and_are_plain_hexadecimal() -> None:
    nonces = make()
    minted = {nonces.mint(5.0) for _ in range(10_000)}
    assert len(minted) == 10_000
    assert all(set(nonce) <= set("0123456789abcdef") for nonce in minted)


def test_minting_a_nonce_stores_nothing() -> None:
    nonces = make()
    for _ in range(10_000):
        nonces.mint(5.0)
    assert len(nonces) == 0


def test_a_changed_nonce_is_not_ours_whatever_digit_was_changed() -> None:
    nonces = make()
    nonce = nonces.mint(5.0)
    for place, digit in enumerate(nonce):
        other = "1" if digit == "0" else "0"
        assert not nonces.is_current(nonce[:place] + other + nonce[place + 1 :], 5.0)


@pytest.mark.parametrize(
    "alien",
    [
        "",
        "0",
        "ea9c8e88df84f1cec4341ae6cbe5a359",
        "x" * 40,
        "\u0660" * 40,
        "\udcff" * 40,
        "1_0" * 13 + "0",
        "0" * 40,
    ],
)
def test_what_is_no_nonce_of_ours_is_refused_without_an_exception(alien: str) -> None:
    assert not make().is_current(alien, 5.0)


def test_a_nonce_made_with_another_secret_is_not_ours() -> None:
    other = Nonces(b"another secret of 16 bytes", lifetime_s=300.0)
    assert not make().is_current(other.mint(5.0), 5.0)


def test_a_short_secret_or_no_lifetime_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="expected at least 16"):
        Nonces(b"short", lifetime_s=300.0)
    with pytest.raises(ValueError, match="expected more than 0"):
        Nonces(SECRET, lifetime_s=0)


def test_a_count_is_taken_once() -> None:
    nonces = make()
    nonce = nonces.mint(1.0)
    assert nonces.take(nonce, "alice", 1, 1.0)
    assert not nonces.take(nonce, "alice", 1, 1.0)
    assert nonces.take(nonce, "alice", 2, 1.0)
    assert not nonces.take(nonce, "alice", 1, 1.0)
    assert not nonces.take(nonce, "alice", 2, 1.0)


def test_fresh_counts_that_overtook_each_other_are_all_taken() -> None:
    nonces = make()
    nonce = nonces.mint(1.0)
    for count in (3, 1, 2, 7, 5, 4, 6):
        assert nonces.take(nonce, "alice", count, 1.0)
    for count in range(1, 8):
        assert not nonces.take(nonce, "alice", count, 1.0)


def test_a_count_too_far_below_the_highest_is_refused_even_if_it_is_fresh() -> None:
    nonces = make()
    nonce = nonces.mint(1.0)
    assert nonces.take(nonce, "alice", 100, 1.0)
    assert nonces.take(nonce, "alice", 100 - NONCE_COUNT_WINDOW + 1, 1.0)
    assert not nonces.take(nonce, "alice", 100 - NONCE_COUNT_WINDOW, 1.0)


def test_counts_are_kept_per_nonce_and_per_user() -> None:
    nonces = make()
    first, second = nonces.mint(1.0), nonces.mint(1.0)
    assert nonces.take(first, "alice", 1, 1.0)
    assert nonces.take(second, "alice", 1, 1.0)
    assert nonces.take(first, "bob", 1, 1.0)


@given(st.lists(st.one_of(st.integers(1, 200), st.integers(1, 2**32 - 1)), max_size=300))
def test_whatever_the_order_no_count_is_taken_twice_and_none_above_the_highest_is_refused(
    counts: list[int],
) -> None:
    nonces = make()
    nonce = nonces.mint(1.0)
    taken: set[int] = set()
    for count in counts:
        highest = max(taken, default=0)
        expected = count not in taken and count > highest - NONCE_COUNT_WINDOW
        assert nonces.take(nonce, "alice", count, 1.0) is expected
        if expected:
            taken.add(count)


def test_used_nonces_are_forgotten_after_their_lifetime() -> None:
    nonces = make(lifetime_s=160.0, used_max=1_000_000)
    for tick in range(5000):
        now = float(tick)
        assert nonces.take(nonces.mint(now), "alice", 1, now)
        # a lifetime of one a second, and the slot that is not over
        assert len(nonces) <= 160 + 10 + 2


def test_a_nonce_forgotten_for_lack_of_room_is_never_taken_again() -> None:
    """The replay hole of a bounded table: what was thrown out must not look unused."""
    nonces = make(lifetime_s=160.0, used_max=100)
    used: list[str] = []
    source = random.Random(1)
    for tick in range(2000):
        now = tick * 0.1
        nonce = nonces.mint(now)
        assert nonces.is_current(nonce, now), "a nonce just made is good at once, however full the table"
        assert nonces.take(nonce, "alice", 1, now)
        used.append(nonce)
        assert len(nonces) <= 100
        old = source.choice(used)
        assert not (nonces.is_current(old, now) and nonces.take(old, "alice", 1, now))


def test_when_one_moment_fills_the_table_the_next_callers_are_still_served() -> None:
    nonces = make(used_max=10)
    for _ in range(11):
        nonces.take(nonces.mint(1.0), "alice", 1, 1.0)
    later = nonces.mint(1.002)
    assert nonces.is_current(later, 1.002)
    assert nonces.take(later, "alice", 1, 1.002)
