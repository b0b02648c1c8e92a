"""Passwords of staff: which are refused, and what is kept of the others."""

import pytest

from portal.common_passwords import password_problem
from portal.passwords import Passwords
from tests.portal.visitors import CHEAP, PASSWORD


@pytest.mark.parametrize(
    "password",
    [
        "short", "elevenchars", "a" * 201, "aaaaaaaaaaaaaaaa", "ababababababab", "Password2026!", "P@ssw0rd1234",
        "passwordpassword", "qwertyuiop123", "1234567890123", "abcdefghijklmn", "nmlkjihgfedcba", "qwertyuiopas",
        "1qaz2wsx3edc4rfv", "Welcome123456!", "letmein-letmein", "ChangeMe!2026", "annaanna1234", "Anna-Password-1",
        "correcthorsebatterystaple", "iloveyou!!!!!!", "20262026202620", "!!!!!!!!!!!!2345",
        "tab\there is one",
    ],
)  # fmt: skip
def test_a_password_that_is_tried_first_is_refused(password: str) -> None:
    assert password_problem(password, "anna")


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "ziehharmonika9",
        "my password is a giraffe",
        "tuesdays smell of rain",
        "\u00fcberraschungsei 4",
    ],
)
def test_a_password_of_some_wit_is_taken(password: str) -> None:
    assert password_problem(password, "anna") is None


def test_a_hash_fits_its_password_in_either_spelling_and_no_other() -> None:
    kept = CHEAP.hash("caf\u00e9 au lait 12")
    assert CHEAP.fits(kept, "cafe\u0301 au lait 12")
    assert not CHEAP.fits(kept, "cafe au lait 12")
    assert not CHEAP.fits(None, "cafe au lait 12")
    assert not CHEAP.fits("$argon2id$broken", "cafe au lait 12")


def test_what_is_used_is_argon2id_at_the_costs_of_rfc_9106() -> None:
    assert Passwords().hash(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
