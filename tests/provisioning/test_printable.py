import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.printable import escape_control, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Anna Müller £10", "Anna Müller £10"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("two\r\nlines", "two\\x0d\\x0alines"),
        ("\u202eevil", "\\u202eevil"),
        ("line\u2028sep", "line\\u2028sep"),
        ("tag\U000e0041", "tag\\U000e0041"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), "caf\\xe9"),
        ("no\u00a0break", "no\u00a0break"),
    ],
)
def test_what_does_not_print_is_shown_as_its_code(text: str, shown: str) -> None:
    assert escape_control(text) == shown


@given(st.text())
def test_nothing_escaped_can_move_a_cursor_or_break_a_line(text: str) -> None:
    shown = escape_control(text)
    assert len(shown.splitlines()) <= 1
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in shown)
    shown.encode("utf-8")


def test_a_long_value_is_cut() -> None:
    assert shorten("x" * 1000, 10) == "x" * 10 + "..."
    assert shorten("short", 10) == "short"
