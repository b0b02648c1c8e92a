"""Which addresses of a session description are out of reach, seen from where its maker is heard."""

import pytest

from care.explanation.trace_facts import is_out_of_reach


@pytest.mark.parametrize(
    ("host", "source", "is_out"),
    [
        ("192.168.1.20", "198.51.100.7", True),
        ("10.20.30.40", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.5", True),
        ("169.254.7.7", "192.168.1.20", True),
        ("fd00::7", "2001:db8::7", True),
        ("192.168.1.20", "192.168.1.20", False),
        ("192.168.1.20", "10.0.0.5", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("198.51.100.7", "203.0.113.20", False),
        ("phone.example.com", "198.51.100.7", False),
        ("192.168.1.20", "", False),
        ("192.168.1.20", "no address", False),
    ],
)
def test_what_the_switch_would_not_send_to_is_out_of_reach(host: str, source: str, is_out: bool) -> None:
    assert is_out_of_reach(host, source) is is_out
