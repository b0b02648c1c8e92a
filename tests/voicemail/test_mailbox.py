"""Rules of a mailbox as tables: quotas, PINs, the lock-out, numbers, the counts for the lamp."""

from hypothesis import given
from hypothesis import strategies as st

from voicemail.mailbox import (
    LockOutRule,
    Message,
    Quota,
    Settings,
    State,
    attempt_begun,
    attempt_succeeded,
    counts_of,
    expired,
    hash_pin,
    in_order,
    in_state,
    is_full,
    is_locked,
    is_pin,
    pin_problem,
    plain_number,
    quota_of,
    seconds_left,
    with_number,
)

RULE = LockOutRule(attempts=5, minutes=30)
DAY_MS = 86_400_000


def message(
    received_ms: int = 0, *, seconds: int = 10, state: State = State.NEW, kept_ms: int = 0
) -> Message:
    return Message(
        f"{received_ms:013d}-00000000", received_ms, seconds * 1000, state=state, kept_from_ms=kept_ms
    )


# PIN          number       -> what is wrong with it
PINS = """
4711           -               -
47114711       -               -
471            -               length
471147111      -               length
47a1           -               length
٤٧١١           -               length
1111           -               simple
1234           -               simple
8901           -               simple
4321           -               simple
0123           02079460123     simple
9460           02079460123     -
"""


def test_a_pin_is_four_to_eight_digits_and_not_the_first_guess() -> None:
    for row in PINS.strip().split("\n"):
        pin, number, expected = row.split()
        numbers = () if number == "-" else (number,)
        assert (pin_problem(pin, numbers) or "-") == expected, row


def test_a_pin_is_kept_hashed_with_a_salt_of_its_own() -> None:
    one, other = hash_pin("4711", b"one salt"), hash_pin("4711", b"another")
    assert one.digest != other.digest
    assert "4711" not in one.digest + one.salt
    assert is_pin("4711", one) and is_pin("4711", other)
    assert not is_pin("4712", one)


def test_five_wrong_pins_lock_for_half_an_hour() -> None:
    settings = Settings()
    for attempt in range(1, 6):
        assert not is_locked(settings, 1000)
        settings = attempt_begun(settings, RULE, 1000)
        assert settings.wrong_pins == attempt
    assert is_locked(settings, 1000)
    assert is_locked(settings, 1000 + 30 * 60_000 - 1)
    assert not is_locked(settings, 1000 + 30 * 60_000)


def test_after_the_lock_out_there_are_five_attempts_again() -> None:
    settings = Settings(wrong_pins=5, locked_until_ms=5000)
    assert attempt_begun(settings, RULE, 5000).wrong_pins == 1


def test_the_right_pin_forgives_the_wrong_ones_also_as_the_fifth() -> None:
    settings = Settings()
    for _ in range(5):
        settings = attempt_begun(settings, RULE, 0)
    assert attempt_succeeded(settings) == Settings()


def test_quotas_of_the_mailbox_come_before_the_house_s() -> None:
    house = Quota(50, 3600, 30)
    assert quota_of(Settings(), house) == house
    assert quota_of(Settings(messages_max=2, seconds_max=60, days_max=1), house) == Quota(2, 60, 1)


def test_a_mailbox_is_full_by_messages_or_by_seconds() -> None:
    quota = Quota(3, 60, 30)
    assert not is_full([message()] * 2, quota)
    assert is_full([message()] * 3, quota)
    assert is_full([message(seconds=60)], quota)
    assert seconds_left([message(seconds=45)], quota) == 15


def test_messages_go_after_their_days_counted_from_being_saved() -> None:
    quota = Quota(50, 3600, 30)
    now_ms = 31 * DAY_MS
    old, saved, young = message(1), message(2, state=State.SAVED, kept_ms=20 * DAY_MS), message(5 * DAY_MS)
    assert expired([old, saved, young], quota, now_ms) == [old]


# before -> asked for -> after
STATES = """
new    heard  heard
new    saved  saved
heard  heard  heard
heard  saved  saved
saved  heard  saved
saved  saved  saved
"""


def test_states_of_a_message_only_go_forward() -> None:
    for row in STATES.strip().split("\n"):
        before, asked, after = (State(word) for word in row.split())
        assert in_state(message(state=before), asked, 7).state is after, row


def test_the_lamp_counts_new_and_old_and_the_urgent_among_them() -> None:
    urgent = Message("0000000000001-00000000", 1, 1000, is_urgent=True)
    assert counts_of([message(), urgent, message(state=State.SAVED)]) == (2, 1, 1, 0)
    assert counts_of([]) == (0, 0, 0, 0)


def test_new_messages_are_played_first_each_kind_as_it_came() -> None:
    saved, second, first = message(1, state=State.SAVED), message(3), message(2)
    assert in_order([saved, second, first]) == (first, second, saved)


# as it comes from the wire -> as it is keyed in
NUMBERS = """
+441632960222    01632960222
00441632960222   01632960222
01632960222      01632960222
+12025550123     0012025550123
1571             1571
alice            -
+44163296x       -
٠١٦٣٢            -
"""


def test_numbers_are_compared_as_they_are_keyed_in() -> None:
    for row in NUMBERS.strip().split("\n"):
        written, keyed = row.split()
        assert (plain_number(written) or "-") == keyed, row


def test_the_latest_number_comes_first_and_twenty_are_kept() -> None:
    settings = Settings()
    for number in range(30):
        settings = with_number(settings, f"0163296{number:04d}")
    assert settings.numbers[0] == "01632960029"
    assert len(settings.numbers) == 20
    assert with_number(settings, "01632960029") is settings
    assert with_number(settings, "01632960020").numbers[:2] == ("01632960020", "01632960029")


@given(st.lists(st.integers(0, 200_000), max_size=60), st.integers(1, 60), st.integers(1, 3600))
def test_a_mailbox_that_is_not_full_has_room_for_a_second(
    lengths: list[int], messages_max: int, seconds_max: int
) -> None:
    messages = [Message("0000000000001-00000000", 1, length) for length in lengths]
    quota = Quota(messages_max, seconds_max, 30)
    if not is_full(messages, quota):
        assert seconds_left(messages, quota) >= 1
        assert len(messages) < messages_max
