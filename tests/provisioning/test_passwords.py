"""Passwords: made strong, hashed as RFC 7616 says."""

from provisioning.passwords import ALPHABET, GENERATED_CHARS, generate_password, ha1_md5, ha1_sha256


def test_a_generated_password_is_long_and_each_one_is_new() -> None:
    passwords = {generate_password() for _ in range(1000)}
    assert len(passwords) == 1000
    assert {len(password) for password in passwords} == {GENERATED_CHARS}


def test_no_two_letters_of_the_alphabet_look_or_sound_alike() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET)
    assert not set(ALPHABET) & set("0Oo1Il2Zz5Ss8BuvUV")


def test_ha1_is_the_hash_of_user_realm_and_password() -> None:
    # RFC 2617 3.5 and RFC 7616 3.9.1 publish the user, realm and password; these are their HA1s.
    assert ha1_md5("Mufasa", "testrealm@host.com", "Circle Of Life") == "939e7578ed9e3c518a452acee763bce9"
    assert (
        ha1_sha256("Mufasa", "http-auth@example.org", "Circle of Life")
        == "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
    )


def test_ha1_takes_a_password_that_is_not_ascii_as_utf8() -> None:
    assert ha1_md5("zoë", "example.com", "pässword") != ha1_md5("zoë", "example.com", "password")
