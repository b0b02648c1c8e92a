"""Every rule and limit of what the books take."""

import pytest

from provisioning import rules
from provisioning.model import AccountKind
from provisioning.problems import InvalidValue


@pytest.mark.parametrize("user", ["alice", "1001", "a", "+441632960001", "desk-3.floor_2", "x" * 64])
def test_a_user_of_small_letters_digits_and_four_marks_is_good(user: str) -> None:
    assert rules.check_user(user) == user


@pytest.mark.parametrize(
    "user",
    [
        "",
        "Alice",
        "alice smith",
        "alice@home",
        "al\u0131ce",
        "-x",
        ".x",
        "_x",
        "x" * 65,
        "a%41",
        "a\n",
        "*21",
        "\udc80",
    ],
)
def test_any_other_user_is_refused(user: str) -> None:
    with pytest.raises(InvalidValue, match="lower-case"):
        rules.check_user(user)


@pytest.mark.parametrize("user", ["999", "112", "18000"])
def test_a_line_cannot_take_the_name_of_an_emergency_number(user: str) -> None:
    with pytest.raises(InvalidValue, match="emergency"):
        rules.check_user(user)


@pytest.mark.parametrize("name", ["Shop", "shop & sons ltd.", "Zoë's café", "1"])
def test_an_account_may_be_called_what_people_call_it(name: str) -> None:
    assert rules.check_account_name(name) == name


@pytest.mark.parametrize("name", ["", " x", "x ", "-x", "a\tb", "x" * 65, "a\0b", "\udcff", "a\u2028b"])
def test_an_account_name_that_a_terminal_would_garble_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue):
        rules.check_account_name(name)


@pytest.mark.parametrize(
    "password", ["short12", "x" * 129, "with\nline", " leading1", "alice-the-user", "caf\udce9 au lait"]
)
def test_a_bad_password_is_refused_without_being_shown(password: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        rules.check_password(password, user="alice-the-user")
    assert password not in str(caught.value)
    assert caught.value.found == "(not shown)"


def test_a_prepaid_account_has_no_credit_limit() -> None:
    assert rules.check_credit_limit(0, AccountKind.PREPAID) == 0
    assert rules.check_credit_limit(5_000_000, AccountKind.POSTPAID) == 5_000_000
    with pytest.raises(InvalidValue, match="prepaid"):
        rules.check_credit_limit(1, AccountKind.PREPAID)
    with pytest.raises(InvalidValue, match=r"-£0\.000001"):
        rules.check_credit_limit(-1, AccountKind.POSTPAID)


@pytest.mark.parametrize("amount", [0, -1, rules.CREDIT_MICROS_MAX + 1])
def test_credit_is_more_than_nothing_and_less_than_a_typing_error(amount: int) -> None:
    with pytest.raises(InvalidValue):
        rules.check_credit(amount)


@pytest.mark.parametrize("calls_max", [-1, rules.CALLS_MAX_MAX + 1])
def test_a_limit_of_calls_has_limits_itself(calls_max: int) -> None:
    with pytest.raises(InvalidValue):
        rules.check_calls_max(calls_max)


def test_an_empty_number_stays_empty_and_a_bad_one_names_its_field() -> None:
    assert rules.check_number_or_none("CLI", " ") == ""
    assert rules.check_number_or_none("CLI", "01632 960001") == "+441632960001"
    with pytest.raises(InvalidValue, match="emergency number '12'"):
        rules.check_number_or_none("emergency number", "12")


@pytest.mark.parametrize("realm", ["", "a b ", 'ex"ample', "x" * 254, "a\nb"])
def test_a_realm_that_cannot_stand_in_a_challenge_is_refused(realm: str) -> None:
    with pytest.raises(InvalidValue):
        rules.check_realm(realm)
