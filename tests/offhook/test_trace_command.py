"""Who reads a trace: the name that is given, and the login that gives it."""

import pytest

from offhook.commands.trace import signed


@pytest.mark.parametrize(
    ("sudo", "login", "stands"), [("", "kay", "J Clerk (login kay)"), ("lee", "root", "J Clerk (login lee)")]
)
def test_a_reading_is_signed_with_the_login(
    sudo: str, login: str, stands: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", login)
    monkeypatch.setenv("SUDO_USER", sudo)
    assert signed("J Clerk") == stands
    assert signed(" ") == " "  # which is refused as no name
